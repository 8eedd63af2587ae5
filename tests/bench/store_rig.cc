#include "tests/bench/store_rig.h"

#include <unistd.h>

#include <fstream>
#include <iterator>
#include <sstream>

#include "client/cli/private_store.h"
#include "common/crypto/system_random.h"
#include "common/sqlite/database.h"
#include "das/engines/embedded/embedded_engine.h"
#include "das/engines/mysql/mysql_engine.h"

namespace hy::bench {
namespace {

/// user + system seconds of a process.
double cpu_seconds(pid_t pid) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/stat");
  const std::string text((std::istreambuf_iterator<char>(in)), {});
  std::istringstream rest(text.substr(text.rfind(')') + 1));
  std::string word;
  std::uint64_t ticks = 0;
  for (int field = 3; rest >> word; ++field) {
    if (field == 14 || field == 15) ticks += std::stoull(word);
  }
  return static_cast<double>(ticks) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

/// Bytes that this process gave to write calls.
std::uint64_t written_by_us() {
  std::ifstream in("/proc/self/io");
  std::string name;
  std::uint64_t value = 0;
  while (in >> name >> value) {
    if (name == "wchar:") return value;
  }
  return 0;
}

std::uint64_t bytes_below(const std::filesystem::path& folder) {
  std::uint64_t sum = 0;
  std::error_code ec;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder, ec)) {
    if (entry.is_regular_file(ec)) sum += entry.file_size(ec);
  }
  return sum;
}

std::string first_line(const std::filesystem::path& file) {
  std::ifstream in(file);
  std::string line;
  std::getline(in, line);
  return line;
}

}  // namespace

struct StoreRig::Impl {
  std::filesystem::path folder;
  SystemClock clock;
  cli::Supervisor supervisor;
  pid_t server = 0;
  das::mysql::MysqlOptions mysql;
  std::unique_ptr<das::Engine> engine;

  ~Impl() {
    engine.reset();
    supervisor.stop();
    std::error_code ec;
    std::filesystem::remove_all(folder, ec);
  }
};

StoreRig::StoreRig(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
StoreRig::~StoreRig() = default;

Result<std::unique_ptr<StoreRig>> StoreRig::open(const RigOptions& options) {
  std::string name = (options.folder.empty() ? "/tmp" : options.folder) + "/hy-store-XXXXXX";
  auto impl = std::make_unique<Impl>();
  if (::mkdtemp(name.data()) == nullptr) return fail(Errc::kStoreDown, "cannot make " + name);
  impl->folder = name;
  std::unique_ptr<StoreRig> rig(new StoreRig(std::move(impl)));
  if (options.engine == "mysql") {
    HY_TRY_VOID(rig->start_mysql(options));
  } else {
    HY_TRY_VOID(rig->start_embedded(options));
  }
  return rig;
}

Status StoreRig::start_embedded(const RigOptions& options) {
  const std::filesystem::path file = this->file();
  const auto make = [&] {
    return std::make_unique<das::embedded::EmbeddedEngine>(
        das::embedded::EmbeddedOptions{.file = file}, impl_->clock);
  };
  impl_->engine = make();
  HY_TRY_VOID(impl_->engine->start());
  if (options.prepare_sql.empty()) return {};
  impl_->engine.reset();
  {
    HY_TRY(auto db, sqlite::Database::open(file));
    HY_TRY_VOID(db.exec(options.prepare_sql));
  }
  impl_->engine = make();
  return impl_->engine->start();
}

Status StoreRig::start_mysql(const RigOptions& options) {
  crypto::SystemRandom random;
  HY_TRY(cli::PrivateStore store, cli::prepare_private_store(impl_->folder / "s", random));
  for (cli::ServiceSpec& service : store.services) {
    if (service.name == "mariadb") {
      service.command.argv.insert(service.command.argv.end(), options.server_args.begin(),
                                  options.server_args.end());
    }
    HY_TRY_VOID(impl_->supervisor.start(service));
  }
  HY_TRY_VOID(impl_->supervisor.wait_ready({}, Millis{30'000}));
  for (const cli::ServiceState& state : impl_->supervisor.list()) {
    if (state.name == "mariadb") impl_->server = state.pid;
  }
  das::mysql::MysqlOptions& mysql = impl_->mysql;
  mysql.connect = {"unix:" + store.mysql_socket.string(), store.mysql_user,
                   Secret(first_line(store.mysql_password_file)), store.mysql_database};
  mysql.redis.address = "unix:" + store.redis_socket.string();
  mysql.auto_schema = true;
  impl_->engine = std::make_unique<das::mysql::MysqlEngine>(mysql, impl_->clock);
  HY_TRY_VOID(impl_->engine->start());
  HY_TRY(const auto admin, das::mysql::Connection::open(mysql.connect, das::mysql::Use::kWrite));
  std::istringstream in(options.prepare_sql);
  for (std::string one; std::getline(in, one, ';');) admin->exec(one.c_str());
  return {};
}

std::filesystem::path StoreRig::file() const {
  return impl_->folder / "hongyan.db";
}

das::Engine& StoreRig::engine() {
  return *impl_->engine;
}

StoreCost StoreRig::cost() {
  StoreCost cost;
  cost.cpu_client = cpu_seconds(::getpid());
  if (impl_->server == 0) {
    cost.written_bytes = written_by_us();
    return cost;
  }
  cost.cpu_server = cpu_seconds(impl_->server);
  cost.written_bytes = server_status("Innodb_data_written");
  cost.log_bytes = server_status("Innodb_os_log_written");
  return cost;
}

std::uint64_t StoreRig::file_bytes() const {
  return bytes_below(impl_->folder);
}

std::uint64_t StoreRig::server_status(const std::string& name) {
  if (impl_->server == 0) return 0;
  // A connection each time: the server ends those that are idle between two checkpoints.
  const auto admin = das::mysql::Connection::open(impl_->mysql.connect, das::mysql::Use::kRead);
  if (!admin) return 0;
  auto& statement = (*admin)->prepared("SHOW GLOBAL STATUS LIKE '" + name + "'");
  const auto row = (*admin)->query(statement);
  return row->next() ? row->getUInt64(2) : 0;
}

}  // namespace hy::bench
