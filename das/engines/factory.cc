#include "das/engines/factory.h"

#include "das/engines/embedded/embedded_engine.h"
#include "das/engines/mysql/mysql_engine.h"

namespace hy::das {

Result<std::unique_ptr<Engine>> make_engine(const StoreOptions& options, const Clock& clock) {
  if (options.engine == "embedded") {
    return std::make_unique<embedded::EmbeddedEngine>(
        embedded::EmbeddedOptions{options.file, options.cache_entries_max, 0}, clock);
  }
  if (options.engine == "mysql") {
    return std::make_unique<mysql::MysqlEngine>(
        mysql::MysqlOptions{.connect = {options.mysql_server, options.mysql_user,
                                        options.mysql_password, options.mysql_database},
                            .redis = {options.redis_server, options.redis_password},
                            .refuse_if_not_durable = options.durability_required,
                            .auto_schema = options.auto_schema,
                            .writers = options.lanes},
        clock);
  }
  return fail(Errc::kConfigOutOfBounds, "das.engine = \"" + options.engine + "\"");
}

}  // namespace hy::das
