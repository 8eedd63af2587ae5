#pragma once

#include "das/engines/mysql/mysql_engine.h"
#include "tests/contract/contract.h"

namespace hy::das::contract {

/// A private MariaDB and Redis, started once for the whole program and stopped with it.
class PrivateServers {
 public:
  /// Null: they cannot run here, and `why` says so.
  static PrivateServers* get(std::string& why);
  [[nodiscard]] mysql::MysqlOptions options(const std::string& database) const;
  /// One statement as an administrator. HY_CHECKs that it works.
  void run_sql(const std::string& statement);
  /// SIGKILL and start again.
  void kill_mariadb();
  void stop_redis();
  void start_redis();
  ~PrivateServers();

 private:
  struct Impl;
  explicit PrivateServers(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// A database of its own on the private server; the cache is emptied first.
class MysqlStore final : public TestStore {
 public:
  enum class Speaks : std::uint8_t { kMariadb, kMysql };
  explicit MysqlStore(PrivateServers& servers, Speaks speaks = Speaks::kMariadb);
  ~MysqlStore() override;
  Result<std::unique_ptr<Engine>> open() override;
  [[nodiscard]] bool is_shared() const override { return true; }
  bool move_clock(Millis) override { return false; }
  /// Not started; `change` edits the options.
  std::unique_ptr<mysql::MysqlEngine> make(
      const std::function<void(mysql::MysqlOptions&)>& change = {});
  [[nodiscard]] const std::string& database() const { return database_; }
  PrivateServers& servers() { return servers_; }

 private:
  PrivateServers& servers_;
  Speaks speaks_;
  std::string database_;
  SystemClock clock_;
};

}  // namespace hy::das::contract
