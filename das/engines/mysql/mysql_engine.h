#pragma once

#include "das/engines/mysql/connection.h"
#include "das/engines/mysql/redis_cache.h"
#include "das/storage/engine.h"

namespace hy::das::mysql {

struct MysqlOptions {
  ConnectOptions connect;
  RedisOptions redis;
  bool refuse_if_not_durable = true;  ///< das.durability = "refuse"
  bool replicated = false;            ///< profile R: a semi-sync primary
  bool auto_schema = false;           ///< start() makes the database and applies pending steps
  unsigned writers =
      2;  ///< lanes of use at once: one batching writer is six times sixteen single ones
};

/// MySQL or MariaDB through Connector/C++, Redis through hiredis. Construct before threads start:
/// the connector's driver is made once. Threads that use sessions call thread_begin() first and
/// thread_end() last.
class MysqlEngine final : public Engine {
 public:
  /// `clock` outlives the engine.
  MysqlEngine(MysqlOptions options, const Clock& clock);
  [[nodiscard]] std::string_view name() const override { return "mysql"; }
  Status start() override;
  Result<std::unique_ptr<StoreSession>> open_writer() override;
  Result<std::unique_ptr<StoreSession>> open_reader() override;
  [[nodiscard]] unsigned writers_max() const override { return options_.writers; }
  CacheStore& cache() override { return cache_; }
  Result<SchemaStatus> schema_status() override;
  Status schema_apply() override;

 private:
  Result<std::vector<AppliedMigration>> applied(Connection& connection);
  Status apply_pending(Connection& connection);
  Status make_database();
  Status check(Connection& connection);

  MysqlOptions options_;
  RedisCache cache_;
};

}  // namespace hy::das::mysql
