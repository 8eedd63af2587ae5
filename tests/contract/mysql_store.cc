#include "tests/contract/mysql_store.h"

#include <unistd.h>

#include <csignal>
#include <fstream>

#include "client/cli/private_store.h"
#include "client/cli/supervisor.h"
#include "common/base/check.h"
#include "common/crypto/system_random.h"
#include "das/engines/mysql/connection.h"

namespace hy::das::contract {
namespace {

constexpr Millis kReadyWithin{30'000};

std::string read_password(const std::filesystem::path& file) {
  std::ifstream in(file);
  std::string password;
  std::getline(in, password);
  return password;
}

}  // namespace

struct PrivateServers::Impl {
  std::filesystem::path folder;
  cli::PrivateStore store;
  cli::Supervisor supervisor{{.restart_after = Millis{50}}};
};

PrivateServers::PrivateServers(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

PrivateServers::~PrivateServers() {
  impl_->supervisor.stop();
  std::error_code ignored;
  std::filesystem::remove_all(impl_->folder, ignored);
}

PrivateServers* PrivateServers::get(std::string& why) {
  static std::string why_not;
  static const std::unique_ptr<PrivateServers> servers = []() -> std::unique_ptr<PrivateServers> {
    auto impl = std::make_unique<Impl>();
    std::string name = (std::filesystem::temp_directory_path() / "hy-my-XXXXXX").string();
    impl->folder = ::mkdtemp(name.data());
    crypto::SystemRandom random;
    auto store = cli::prepare_private_store(impl->folder / "store", random);
    if (!store) {
      why_not = "SKIPPED: " + store.error().detail;
      std::filesystem::remove_all(impl->folder);
      return nullptr;
    }
    impl->store = std::move(*store);
    // Each test has a database of its own.
    std::ofstream(impl->store.folder / "init.sql", std::ios::app)
        << "GRANT ALL PRIVILEGES ON *.* TO '" << impl->store.mysql_user
        << "'@'localhost' WITH GRANT OPTION;\n";
    for (cli::ServiceSpec& service : impl->store.services) {
      const Status started = impl->supervisor.start(service);
      HY_CHECK(started.has_value());
    }
    const Status ready = impl->supervisor.wait_ready({}, kReadyWithin);
    HY_CHECK(ready.has_value());
    return std::unique_ptr<PrivateServers>(new PrivateServers(std::move(impl)));
  }();
  why = why_not;
  return servers.get();
}

mysql::MysqlOptions PrivateServers::options(const std::string& database) const {
  mysql::MysqlOptions out;
  out.connect = {"unix:" + impl_->store.mysql_socket.string(), impl_->store.mysql_user,
                 Secret(read_password(impl_->store.mysql_password_file)), database};
  out.redis.address = "unix:" + impl_->store.redis_socket.string();
  out.auto_schema = true;
  return out;
}

void PrivateServers::run_sql(const std::string& statement) {
  auto connection =
      mysql::Connection::open(options("information_schema").connect, mysql::Use::kWrite);
  HY_CHECK(connection.has_value());
  (*connection)->exec(statement.c_str());
}

void PrivateServers::kill_mariadb() {
  const int before = impl_->supervisor.starts("mariadb");
  HY_CHECK(impl_->supervisor.signal("mariadb", SIGKILL));
  const MonoTime deadline = SystemClock().now() + kReadyWithin;
  while (impl_->supervisor.starts("mariadb") == before) HY_CHECK(SystemClock().now() < deadline);
  const Status ready = impl_->supervisor.wait_ready({"mariadb"}, kReadyWithin);
  HY_CHECK(ready.has_value());
}

void PrivateServers::stop_redis() {
  HY_CHECK(impl_->supervisor.hold("redis").has_value());
}

void PrivateServers::start_redis() {
  HY_CHECK(impl_->supervisor.release("redis").has_value());
  HY_CHECK(impl_->supervisor.wait_ready({"redis"}, kReadyWithin).has_value());
}

MysqlStore::MysqlStore(PrivateServers& servers, Speaks speaks)
    : servers_(servers), speaks_(speaks) {
  static int count = 0;
  database_ = "t" + std::to_string(++count);
  make()->cache().lose_all();
}

MysqlStore::~MysqlStore() {
  try {
    servers_.run_sql("DROP DATABASE IF EXISTS " + database_);
  } catch (const sql::SQLException&) {
    // On a machine that is late this takes longer than the connection waits; the server and what it
    // holds end with the program.
  }
}

std::unique_ptr<mysql::MysqlEngine> MysqlStore::make(
    const std::function<void(mysql::MysqlOptions&)>& change) {
  mysql::MysqlOptions options = servers_.options(database_);
  options.connect.common_sql_only = speaks_ == Speaks::kMysql;
  if (change) change(options);
  return std::make_unique<mysql::MysqlEngine>(std::move(options), clock_);
}

Result<std::unique_ptr<Engine>> MysqlStore::open() {
  auto engine = make();
  HY_TRY_VOID(engine->start());
  return engine;
}

namespace {

auto store_that(MysqlStore::Speaks speaks) {
  return [speaks](std::string& why) -> std::unique_ptr<TestStore> {
    PrivateServers* servers = PrivateServers::get(why);
    if (servers == nullptr) return nullptr;
    return std::make_unique<MysqlStore>(*servers, speaks);
  };
}

const bool kRegistered =
    register_store({"Mysql", store_that(MysqlStore::Speaks::kMariadb)}) &&
    register_store({"MysqlWithoutReturning", store_that(MysqlStore::Speaks::kMysql), true});

}  // namespace
}  // namespace hy::das::contract
