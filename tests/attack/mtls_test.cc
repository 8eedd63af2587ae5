// A whole cluster on mutual TLS: four tiers on TCP, each with a certificate that names it. A tier
// with a certificate for another role or name, of another authority, or out of date, gets nowhere;
// the same tier with the right one does (security.md §8, R1, A2, X4).
#include <gtest/gtest.h>
#include <poll.h>
#include <stdlib.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>

#include "client/cli/cluster_layout.h"
#include "client/cli/private_folder.h"
#include "client/cli/supervisor.h"
#include "common/crypto/system_random.h"
#include "common/http/http_get.h"

namespace hy::attack {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;
constexpr Millis kReadyWithin{30'000};
constexpr Millis kRefusedFor{4'000};

struct Certificate {
  std::string role;
  std::string name = "a";
  int days = 30;  ///< < 0: expired so long ago
  std::string authority = "ca";
};

class Mtls : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = "/tmp/hymtls-XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
    for (const char* name : {"ca", "other"}) {
      run("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj "
          "/CN=" +
          std::string(name) + " -keyout " + path(std::string(name) + ".key") + " -out " +
          path(std::string(name) + ".pem"));
    }
    cli::LayoutOptions options;
    options.folder = folder_;
    options.cluster = "mtls";
    options.size = {.entries = 1, .logics = 1, .routers = 1, .das = 1};
    auto layout = cli::write_layout(options, ports_, random_);
    ASSERT_TRUE(layout);
    layout_ = *layout;
    // The inner tiers on TCP: certificates matter there.
    for (cli::DaemonPlace& place : layout_.daemons) {
      if (place.tier == "entry") continue;
      const int admin = std::stoi(place.admin.substr(place.admin.rfind(':') + 1));
      place.address = "127.0.0.1:" + std::to_string(admin - 1);
    }
    std::ofstream(folder_ / "topology.toml") << cli::topology_toml(layout_);
  }
  void TearDown() override {
    for (auto& [name, supervisor] : running_) supervisor->stop(true);
    running_.clear();
    fs::remove_all(folder_);
  }

  [[nodiscard]] std::string path(const std::string& name) const { return folder_ / name; }
  static void run(const std::string& command) {
    ASSERT_EQ(std::system(("( " + command + " ) >/dev/null 2>&1 </dev/null").c_str()), 0)
        << command;
  }
  /// Files of a certificate: key and certificate below this name.
  std::string issue(const Certificate& c) {
    const std::string stem = path("cert-" + std::to_string(++issued_));
    std::ofstream(stem + ".ext") << "subjectAltName=URI:spiffe://hy/mtls/sh/" << c.role << "/"
                                 << c.name << "\n";
    run("openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=" + c.role +
        " -keyout " + stem + ".key -out " + stem + ".csr && chmod 600 " + stem + ".key");
    run("openssl x509 -req -in " + stem + ".csr -CA " + path(c.authority + ".pem") + " -CAkey " +
        path(c.authority + ".key") + " -CAcreateserial -days " + std::to_string(c.days) +
        " -extfile " + stem + ".ext -out " + stem + ".pem");
    return stem;
  }
  void start(const std::string& name, const Certificate& c) {
    const cli::DaemonPlace& place = *layout_.find(name);
    const std::string stem = issue(c);
    cli::ServiceSpec spec;
    spec.name = name;
    spec.command.argv = {(fs::path(HY_BUILD_DIR) / "bin" / ("hy-" + place.tier)).string()};
    for (const std::string& argument : layout_.arguments(place)) {
      spec.command.argv.push_back(argument);
    }
    for (const std::string& setting :
         {"tls.ca=" + path("ca.pem"), "tls.certificate=" + stem + ".pem",
          "tls.key=" + stem + ".key"}) {
      spec.command.argv.emplace_back("--set");
      spec.command.argv.push_back(setting);
    }
    spec.command.log = folder_ / (name + ".log");
    spec.is_ready = [this, name](std::string& why) { return is_ready(name, &why); };
    auto& supervisor = running_[name];
    supervisor = std::make_unique<cli::Supervisor>();
    ASSERT_TRUE(supervisor->start(std::move(spec)));
  }
  void stop(const std::string& name) {
    running_[name]->stop(true);
    running_.erase(name);
  }
  bool is_ready(const std::string& name, std::string* why = nullptr) {
    const auto answer = http::get(layout_.find(name)->admin, "/readyz", Millis(400));
    if (why != nullptr) *why = answer ? answer->body : "no answer";
    return answer && answer->status == 200;
  }
  void expect_ready(const std::vector<std::string>& names) {
    for (const std::string& name : names) {
      const Status up = running_[name]->wait_ready({name}, kReadyWithin);
      EXPECT_TRUE(up) << (up ? "" : up.error().detail);
    }
  }
  /// Nothing becomes ready for a while, and then at once with the right certificate.
  void expect_refused(const std::string& name, const Certificate& wrong,
                      const std::string& who_waits) {
    for (const char* tier : {"entry", "logic", "router", "das"}) {
      const std::string each = std::string(tier) + "-a";
      start(each, each == name ? wrong : Certificate{.role = tier});
    }
    const auto end = Clock::now() + kRefusedFor;
    while (Clock::now() < end) {
      ASSERT_FALSE(is_ready(who_waits)) << "a peer with a wrong certificate was let in";
      (void)::poll(nullptr, 0, 100);
    }
    std::string why;
    EXPECT_FALSE(is_ready(who_waits, &why));
    stop(name);
    start(name, Certificate{.role = layout_.find(name)->tier});
    expect_ready({"das-a", "router-a", "logic-a", "entry-a"});
  }

  fs::path folder_;
  cli::FreePorts ports_;
  crypto::SystemRandom random_;
  cli::ClusterLayout layout_;
  std::map<std::string, std::unique_ptr<cli::Supervisor>> running_;
  int issued_ = 0;
};

TEST_F(Mtls, FourTiersWithTheirOwnCertificatesAreReady) {
  for (const char* tier : {"das", "router", "logic", "entry"}) {
    start(std::string(tier) + "-a", Certificate{.role = tier});
  }
  expect_ready({"das-a", "router-a", "logic-a", "entry-a"});
}

TEST_F(Mtls, AnEntryWithALogicsCertificateIsNoEntry) {
  expect_refused("entry-a", {.role = "logic"}, "entry-a");
}

TEST_F(Mtls, AnEntryUnderAnotherNameGetsNoRouter) {
  expect_refused("entry-a", {.role = "entry", .name = "b"}, "entry-a");
}

TEST_F(Mtls, ALogicUnderAnotherNameIsNotTrusted) {
  expect_refused("logic-a", {.role = "logic", .name = "b"}, "entry-a");
}

TEST_F(Mtls, AnExpiredDasIsNotTrusted) {
  expect_refused("das-a", {.role = "das", .days = -1}, "logic-a");
}

TEST_F(Mtls, AnotherAuthorityIsNotTrusted) {
  expect_refused("router-a", {.role = "router", .authority = "other"}, "entry-a");
}

}  // namespace
}  // namespace hy::attack
