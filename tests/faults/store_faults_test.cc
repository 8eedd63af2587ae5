#include "tests/faults/store_faults.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include "client/cli/private_folder.h"
#include "client/cli/supervisor.h"
#include "common/crypto/system_random.h"
#include "das/engines/mysql/connection.h"
#include "tests/faults/tcp_gate.h"

namespace hy::faults {
namespace {

namespace fs = std::filesystem;
constexpr Millis kReadyWithin{30'000};

/// A private MariaDB and Redis for all tests of this file, and a session as the product has one.
class StoreFaults : public testing::Test {
 protected:
  struct Servers {
    fs::path folder;
    cli::PrivateStore store;
    cli::Supervisor supervisor{{.restart_after = Millis{50}}};
    std::string why;
    ~Servers() {
      supervisor.stop();
      std::error_code ignored;
      fs::remove_all(folder, ignored);
    }
  };
  static void SetUpTestSuite() {
    servers = new Servers;
    char pattern[] = "/tmp/hy-sf-XXXXXX";
    servers->folder = ::mkdtemp(pattern);
    if (const Status up = start(); !up) servers->why = up.error().detail;
  }
  static void TearDownTestSuite() { delete servers; }
  static Status start() {
    crypto::SystemRandom random;
    HY_TRY(servers->store, cli::prepare_private_store(servers->folder / "store", random));
    for (cli::ServiceSpec& spec : servers->store.services) {
      if (spec.name == "mariadb") HY_TRY_VOID(MariadbFaults::admit(spec));
      HY_TRY_VOID(servers->supervisor.start(spec));
    }
    HY_TRY_VOID(servers->supervisor.wait_ready({}, kReadyWithin));
    MariadbFaults admin(servers->store.mysql_socket, "hongyan");
    HY_TRY_VOID(admin.run("CREATE TABLE t (id INT PRIMARY KEY, v INT) ENGINE=InnoDB"));
    return admin.run("INSERT INTO t VALUES (1, 0), (2, 0)");
  }
  void SetUp() override {
    if (!servers->why.empty()) GTEST_SKIP() << "SKIPPED: " << servers->why;
  }
  /// `address`: empty for the server itself.
  static Result<std::unique_ptr<das::mysql::Connection>> product(std::string address = {}) {
    auto password = cli::read_file(servers->store.mysql_password_file);
    while (password && password->ends_with('\n')) password->pop_back();
    if (address.empty()) address = "unix:" + servers->store.mysql_socket.string();
    return das::mysql::Connection::open({.address = address,
                                         .user = "hongyan",
                                         .password = Secret(password.value_or("")),
                                         .database = "hongyan"},
                                        das::mysql::Use::kWrite);
  }
  static int error_of(das::mysql::Connection& connection, const char* sql) {
    try {
      connection.exec(sql);
      return 0;
    } catch (const sql::SQLException& e) {
      return e.getErrorCode();
    }
  }

  static Servers* servers;
};
StoreFaults::Servers* StoreFaults::servers = nullptr;

/// A server that starts wipes "#sql*" in its folder for temporary tables: in /tmp, those of every
/// other server of the host that is at work then (an installation beside it ends with error 1051).
TEST_F(StoreFaults, MariadbKeepsItsTemporaryTablesToItself) {
  MariadbFaults faults(servers->store.mysql_socket, "hongyan");
  EXPECT_EQ(faults.ask("SELECT @@GLOBAL.tmpdir").value_or(""),
            (servers->folder / "store" / "tmp").string());
}

TEST_F(StoreFaults, MariadbReadOnly) {
  MariadbFaults faults(servers->store.mysql_socket, "hongyan");
  auto session = product();
  ASSERT_TRUE(session.has_value());
  ASSERT_TRUE(faults.read_only(true).has_value());
  EXPECT_EQ(error_of(**session, "UPDATE t SET v = v + 1 WHERE id = 1"), 1290);
  ASSERT_TRUE(faults.heal().has_value());
  EXPECT_EQ(error_of(**session, "UPDATE t SET v = v + 1 WHERE id = 1"), 0);
}

TEST_F(StoreFaults, MariadbHasNoConnectionLeft) {
  MariadbFaults faults(servers->store.mysql_socket, "hongyan");
  auto session = product();
  ASSERT_TRUE(session.has_value());
  ASSERT_TRUE(faults.too_many_connections(true).has_value());
  EXPECT_NE(error_of(**session, "SELECT 1"), 0) << "the old session was ended";
  EXPECT_FALSE(product().has_value());
  ASSERT_TRUE(faults.heal().has_value());
  EXPECT_TRUE(product().has_value());
  EXPECT_EQ(faults.ask("SELECT @@GLOBAL.max_connections").value_or(""), "64");
}

TEST_F(StoreFaults, MariadbRowsAreHeldAndGivenBack) {
  MariadbFaults faults(servers->store.mysql_socket, "hongyan");
  auto session = product();
  ASSERT_TRUE(session.has_value());
  (*session)->exec("SET SESSION innodb_lock_wait_timeout = 1");
  EXPECT_EQ(faults.hold_rows("SELECT id FROM t WHERE id = 1", Millis(60'000)).value_or(0), 1U);
  EXPECT_EQ(error_of(**session, "UPDATE t SET v = v + 1 WHERE id = 1"), 1205);
  EXPECT_EQ(error_of(**session, "UPDATE t SET v = v + 1 WHERE id = 2"), 0);
  ASSERT_TRUE(faults.release_rows().has_value());
  EXPECT_EQ(error_of(**session, "UPDATE t SET v = v + 1 WHERE id = 1"), 0);
  ASSERT_TRUE(faults.hold_rows("SELECT id FROM t", Millis(1'000)).has_value());
  (*session)->exec("SET SESSION innodb_lock_wait_timeout = 10");
  EXPECT_EQ(error_of(**session, "UPDATE t SET v = v + 1 WHERE id = 1"), 0)
      << "the server ends a hold whose time is over";
}

TEST_F(StoreFaults, MariadbTablesAreLocked) {
  MariadbFaults faults(servers->store.mysql_socket, "hongyan");
  auto session = product();
  ASSERT_TRUE(session.has_value());
  (*session)->exec("SET SESSION lock_wait_timeout = 1");
  ASSERT_TRUE(faults.lock_tables({"t"}).has_value());
  EXPECT_EQ(error_of(**session, "UPDATE t SET v = v + 1 WHERE id = 1"), 1205);
  ASSERT_TRUE(faults.unlock_tables().has_value());
  EXPECT_EQ(error_of(**session, "UPDATE t SET v = v + 1 WHERE id = 1"), 0);
}

TEST_F(StoreFaults, FaultsGoOnAfterAKillOfMariadb) {
  MariadbFaults faults(servers->store.mysql_socket, "hongyan");
  ASSERT_TRUE(faults.read_only(true).has_value());
  const int starts = servers->supervisor.starts("mariadb");
  ASSERT_TRUE(servers->supervisor.signal("mariadb", SIGKILL));
  while (servers->supervisor.starts("mariadb") == starts) std::this_thread::yield();
  ASSERT_TRUE(servers->supervisor.wait_ready({"mariadb"}, kReadyWithin).has_value());
  ASSERT_TRUE(faults.heal().has_value());
  auto session = product();
  ASSERT_TRUE(session.has_value());
  EXPECT_EQ(error_of(**session, "UPDATE t SET v = v + 1 WHERE id = 1"), 0);
}

/// The gate against the connector and the server that the product uses.
class CommitsThroughAGate : public StoreFaults {
 protected:
  /// Value of row 2 before and after one committed raise through the gate; what commit() said.
  void raise(const CommitFault& fault, bool& is_unknown, int& by) {
    Gates gates;
    auto gate = gates.open({.listen = "unix:" + (servers->folder / "g.sock").string(),
                            .target = "unix:" + servers->store.mysql_socket.string(),
                            .protocol = GateProtocol::kMysql});
    ASSERT_TRUE(gate.has_value());
    MariadbFaults admin(servers->store.mysql_socket, "hongyan");
    const auto value = [&] {
      return std::atoi(admin.ask("SELECT v FROM t WHERE id = 2").value_or("-1").c_str());
    };
    auto session = product((*gate)->address());
    ASSERT_TRUE(session.has_value()) << session.error().detail;
    const int before = value();
    (*gate)->set_commits(fault);
    {
      das::mysql::Transaction transaction(**session);
      (*session)->exec("UPDATE t SET v = v + 1 WHERE id = 2");
      try {
        transaction.commit();
        is_unknown = false;
      } catch (const das::mysql::CommitUnknown&) {
        is_unknown = true;
      }
    }
    by = value() - before;
    felt = (*gate)->counters().felt();
  }
  std::uint64_t felt = 0;
};

TEST_F(CommitsThroughAGate, PlainCommit) {
  bool is_unknown = true;
  int by = 0;
  raise({}, is_unknown, by);
  EXPECT_FALSE(is_unknown);
  EXPECT_EQ(by, 1);
  EXPECT_EQ(felt, 0U);
}

TEST_F(CommitsThroughAGate, LostOkTookEffect) {
  bool is_unknown = false;
  int by = 0;
  raise({.swallow_next = 1}, is_unknown, by);
  EXPECT_TRUE(is_unknown);
  EXPECT_EQ(by, 1);
  EXPECT_EQ(felt, 1U);
}

TEST_F(CommitsThroughAGate, LostCommitDidNot) {
  bool is_unknown = false;
  int by = 1;
  raise({.cut_next = 1}, is_unknown, by);
  EXPECT_TRUE(is_unknown);
  EXPECT_EQ(by, 0);
  EXPECT_EQ(felt, 1U);
}

TEST_F(StoreFaults, Redis) {
  const RedisFaults faults(servers->store.redis_socket);
  EXPECT_EQ(faults.command({"SET", "k", "v"}).value_or(""), "+OK");
  EXPECT_EQ(faults.command({"GET", "k"}).value_or(""), "v");
  ASSERT_TRUE(faults.out_of_memory(true).has_value());
  EXPECT_THAT(faults.command({"SET", "k", "w"}).error().detail, testing::HasSubstr("OOM"));
  ASSERT_TRUE(faults.out_of_memory(false).has_value());
  ASSERT_TRUE(faults.read_only(true).has_value());
  EXPECT_THAT(faults.command({"SET", "k", "w"}).error().detail, testing::HasSubstr("READONLY"));
  EXPECT_EQ(faults.command({"GET", "k"}).value_or(""), "v") << "stale reads go on";
  ASSERT_TRUE(faults.heal().has_value());
  EXPECT_EQ(faults.command({"SET", "k", "w"}).value_or(""), "+OK");
  ASSERT_TRUE(faults.flush_all().has_value());
  EXPECT_EQ(faults.command({"DBSIZE"}).value_or(""), ":0");
  ASSERT_TRUE(faults.pause_clients(Millis(200)).has_value());
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(faults.command({"SET", "k", "x"}).value_or(""), "+OK");
  EXPECT_GE(std::chrono::steady_clock::now() - begin, Millis(150));
}

}  // namespace
}  // namespace hy::faults
