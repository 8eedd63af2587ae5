#include "client/cli/cluster_layout.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <set>

#include "client/cli/keys.h"
#include "client/cli/private_folder.h"
#include "common/config/topology.h"
#include "common/crypto/system_random.h"
#include "tests/unit/client/cli/temp_folder.h"

namespace hy::cli {
namespace {

class LayoutTest : public testing::Test {
 protected:
  Result<ClusterLayout> write(StoreKind store = StoreKind::kEmbedded) {
    LayoutOptions o;
    o.folder = folder.path();
    o.store = store;
    o.size = ClusterSize::usual(store);
    o.mysql = {"/d/s.sock", "/d/r.sock", "hongyan", "hongyan", "/d/pw"};
    o.more_settings = {"entry.login_within=2s", "log.level=debug"};
    return write_layout(o, ports, random);
  }
  static mode_t mode(const std::filesystem::path& path) {
    struct stat info{};
    ::stat(path.c_str(), &info);
    return info.st_mode & 0777;
  }
  TempFolder folder;
  FreePorts ports;
  crypto::SystemRandom random;
};

TEST_F(LayoutTest, TheTopologyLoadsAndNamesEveryDaemon) {
  const auto layout = write();
  ASSERT_TRUE(layout);
  const auto topology = config::load_topology(folder.path() / "topology.toml");
  ASSERT_TRUE(topology);
  EXPECT_EQ(topology->cluster, "demo");
  for (const DaemonPlace& d : layout->daemons) {
    for (const config::Role role : config::kRoles) {
      if (config::role_name(role) != d.tier) continue;
      EXPECT_EQ(topology->address("sh", role, d.letter).value_or(""), d.address);
    }
  }
  EXPECT_EQ(layout->daemons.size(), 7u);
  EXPECT_EQ(layout->names_of("entry"), (std::vector<std::string>{"entry-a", "entry-b"}));
  EXPECT_EQ(write(StoreKind::kMysql)->names_of("das").size(), 2u);
}

TEST_F(LayoutTest, PortsAreDistinctAndBelowTheEphemeralRange) {
  const auto layout = write();
  ASSERT_TRUE(layout);
  std::set<std::string> seen;
  for (const DaemonPlace& d : layout->daemons) {
    EXPECT_TRUE(seen.insert(d.admin).second) << d.admin;
    EXPECT_LT(std::stoi(d.admin.substr(d.admin.rfind(':') + 1)), 32'768);
  }
  EXPECT_TRUE(seen.insert(layout->entry_addresses().front()).second);
}

TEST_F(LayoutTest, SecretsArePrivateRandomAndKept) {
  const auto first = write();
  ASSERT_TRUE(first);
  for (const char* name : {"noise.key", "token.key", "operator.token"}) {
    const auto file = folder.path() / "secrets" / name;
    EXPECT_EQ(mode(file), 0600u) << name;
    EXPECT_EQ(read_file(file)->size(), 65u) << name;
  }
  EXPECT_EQ(mode(folder.path() / "secrets"), 0700u);
  EXPECT_EQ(mode(first->config), 0600u);
  const auto second = write();
  ASSERT_TRUE(second);
  EXPECT_EQ(second->server_key_hex, first->server_key_hex);
  EXPECT_NE(*read_file(folder.path() / "secrets/noise.key"),
            *read_file(folder.path() / "secrets/token.key"));
}

TEST_F(LayoutTest, ADaemonGetsItsOwnSettingsAlone) {
  const auto layout = write();
  ASSERT_TRUE(layout);
  const auto has = [&](const char* daemon, const std::string& text) {
    const auto arguments = layout->arguments(*layout->find(daemon));
    return std::ranges::find(arguments, text) != arguments.end();
  };
  EXPECT_TRUE(has("entry-b", "entry.login_within=2s"));
  EXPECT_FALSE(has("das-a", "entry.login_within=2s"));
  EXPECT_TRUE(has("das-a", "log.level=debug"));
  EXPECT_TRUE(has("das-a", "das.admin=" + layout->find("das-a")->admin));
  EXPECT_TRUE(has("entry-b", "b"));
  EXPECT_EQ(layout->find("entry-z"), nullptr);
}

TEST_F(LayoutTest, TwoClustersNeverShareAPort) {
  const auto first = write();
  ASSERT_TRUE(first);
  TempFolder other;
  FreePorts more;
  LayoutOptions o;
  o.folder = other.path();
  const auto second = write_layout(o, more, random);
  ASSERT_TRUE(second);
  for (const DaemonPlace& a : first->daemons) {
    for (const DaemonPlace& b : second->daemons) {
      EXPECT_NE(a.admin, b.admin);
      EXPECT_NE(a.address, b.address);
    }
  }
}

TEST_F(LayoutTest, APathTooLongForASocketIsSaid) {
  LayoutOptions o;
  o.folder = folder.path() / std::string(100, 'x');
  std::filesystem::create_directories(o.folder);
  const auto layout = write_layout(o, ports, random);
  ASSERT_FALSE(layout);
  EXPECT_EQ(layout.error().code, Errc::kUsage);
}

TEST_F(LayoutTest, PublicKeyOfAKnownPrivateKey) {
  // RFC 7748, section 5.2: one iteration.
  EXPECT_EQ(public_key_hex("0900000000000000000000000000000000000000000000000000000000000000")
                .value_or(""),
            "422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079");
  EXPECT_FALSE(public_key_hex("7707"));
  EXPECT_FALSE(public_key_hex(std::string(64, 'z')));
}

}  // namespace
}  // namespace hy::cli
