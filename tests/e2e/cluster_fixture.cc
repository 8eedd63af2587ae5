#include "tests/e2e/cluster_fixture.h"

#include <signal.h>
#include <stdlib.h>

#include <map>

#include "client/cli/private_folder.h"
#include "client/cli/private_store.h"
#include "client/cli/profile.h"
#include "client/cli/text_width.h"

namespace hy::cli {
namespace {

/// The cluster of one engine. Both stay up: GoogleTest runs each test on one engine, then the
/// other.
struct Running {
  std::filesystem::path folder;
  std::unique_ptr<Janitor> janitor;
  std::unique_ptr<Cluster> cluster;
  std::unique_ptr<Stage> stage;
  std::string error;

  ~Running() {
    stage.reset();
    cluster.reset();
    janitor.reset();
  }
};
std::map<StoreKind, std::unique_ptr<Running>> all;
Running* running = nullptr;  // of the engine that is being tested

std::unique_ptr<Running> start(StoreKind store) {
  auto r = std::make_unique<Running>();
  std::string pattern = "/tmp/hye2e-XXXXXX";
  r->folder = ::mkdtemp(pattern.data());
  // The announcement of the cluster, for tests that run `hy` itself, stays inside the folder.
  ::setenv("XDG_RUNTIME_DIR", r->folder.c_str(), 1);
  auto janitor = Janitor::start({r->folder}, {});
  if (janitor) r->janitor = *std::move(janitor);
  ClusterOptions o;
  o.folder = r->folder;
  o.cluster = "e2e";
  o.store = store;
  o.size = ClusterSize::usual(store);
  o.programs = std::filesystem::path(HY_BUILD_DIR) / "bin";
  auto cluster = Cluster::start(o);
  if (!cluster) {
    r->error = error_text(cluster.error().code, cluster.error().detail);
    return r;
  }
  r->cluster = *std::move(cluster);
  (void)announce(r->cluster->layout(), "e2e");
  Stage::Options people;
  people.stores = r->folder / "clients";
  (void)make_private(people.stores);
  auto stage = Stage::open(*r->cluster, people);
  if (!stage) {
    r->error = error_text(stage.error().code, stage.error().detail);
    return r;
  }
  r->stage = *std::move(stage);
  return r;
}

}  // namespace

std::string why_not(StoreKind store) {
  if (store != StoreKind::kMysql) return {};
  const std::string apt = missing_store_packages();
  return apt.empty() ? std::string() : "MariaDB or Redis is not installed: " + apt;
}

void ClusterTest::SetUp() {
  use_utf8();
  ::signal(SIGPIPE, SIG_IGN);
  if (const std::string why = why_not(GetParam()); !why.empty()) GTEST_SKIP() << why;
  auto& slot = all[GetParam()];
  if (!slot) slot = start(GetParam());
  running = slot.get();
  ::setenv("XDG_RUNTIME_DIR", running->folder.c_str(), 1);
  ASSERT_EQ(running->error, "");
}

void ClusterTest::TearDown() {
  if (!HasFailure() || running == nullptr || !running->cluster) return;
  for (const ServiceState& s : running->cluster->supervisor().list()) {
    printf("  %-9s pid %d starts %d %s\n", s.name.c_str(), s.pid, s.starts, s.last_exit.c_str());
  }
}

void ClusterTest::TearDownTestSuite() {
  running = nullptr;
  all.clear();
}

Cluster& ClusterTest::cluster() {
  return *running->cluster;
}
Stage& ClusterTest::stage() {
  return *running->stage;
}

Account ClusterTest::make_user(const std::string& name) {
  static int number = 0;
  const auto made = cluster().add_users({name + std::to_string(++number)});
  if (!made) {
    ADD_FAILURE() << error_text(made.error().code, made.error().detail);
    return {};
  }
  return made->front();
}

std::unique_ptr<hy::Client> ClusterTest::make_client(const Account& account, Slot slot,
                                                     const std::string& store) {
  hy::ClientOptions o = cluster().client_options(account.uid.value(), store);
  o.slot = slot;
  o.device_name = "test";
  return std::make_unique<hy::Client>(std::move(o));
}

Credentials ClusterTest::credentials_of(const Account& account) {
  Credentials c;
  c.name = account.name;
  c.uid = account.uid;
  c.password = account.password;
  return c;
}

std::filesystem::path ClusterTest::scratch(const std::string& name) {
  return running->folder / name;
}

}  // namespace hy::cli
