#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/base/secret.h"
#include "das/storage/engine.h"

namespace hy::das {

/// Everything that names or shapes a store, as configuration gives it.
struct StoreOptions {
  std::string engine = "embedded";          ///< "embedded" or "mysql"
  bool durability_required = true;          ///< das.durability = "refuse"
  bool auto_schema = false;                 ///< bring a server's schema up at start
  unsigned lanes = 2;                       ///< writing sessions that will be opened
  std::filesystem::path file;               ///< embedded
  std::size_t cache_entries_max = 500'000;  ///< embedded
  std::string mysql_server;                 ///< "IP:PORT" or "unix:/path"
  std::string mysql_user;
  std::string mysql_database;
  Secret mysql_password;
  std::string redis_server;  ///< "IP:PORT" or "unix:/path"; empty: no cache
  Secret redis_password;
};

/// The only list of engines: name in configuration → engine. `clock` outlives the engine. Errors:
/// kConfigOutOfBounds (no such engine in this build).
Result<std::unique_ptr<Engine>> make_engine(const StoreOptions& options, const Clock& clock);

}  // namespace hy::das
