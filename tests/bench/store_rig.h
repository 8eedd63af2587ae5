#pragma once

#include <sys/types.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "das/storage/engine.h"

namespace hy::bench {

struct RigOptions {
  std::string engine = "embedded";       ///< or "mysql"
  std::string folder;                    ///< under which a temporary one is made; empty: /tmp
  std::string prepare_sql;               ///< run once on the empty schema: "what if" experiments
  std::vector<std::string> server_args;  ///< appended to mariadbd's command line
};

/// What the store has used since it began.
struct StoreCost {
  double cpu_client = 0;            ///< seconds of this process: the engine's own part
  double cpu_server = 0;            ///< seconds of mariadbd; 0 for the embedded engine
  std::uint64_t written_bytes = 0;  ///< handed to the file system: log, pages, double writes
  std::uint64_t log_bytes = 0;      ///< mysql alone: redo log
};

/// A fresh store of one engine in a folder of its own, removed at the end; MariaDB is a private
/// server with the settings that `hy up --store mysql` gives it.
class StoreRig {
 public:
  static Result<std::unique_ptr<StoreRig>> open(const RigOptions& options);
  ~StoreRig();
  StoreRig(const StoreRig&) = delete;
  StoreRig& operator=(const StoreRig&) = delete;

  [[nodiscard]] das::Engine& engine();
  /// The embedded engine's file.
  [[nodiscard]] std::filesystem::path file() const;
  [[nodiscard]] StoreCost cost();
  /// Files of the store: data, indexes and log.
  [[nodiscard]] std::uint64_t file_bytes() const;
  /// A number by name from SHOW GLOBAL STATUS; 0 for the embedded engine.
  [[nodiscard]] std::uint64_t server_status(const std::string& name);

 private:
  struct Impl;
  explicit StoreRig(std::unique_ptr<Impl> impl);
  Status start_embedded(const RigOptions& options);
  Status start_mysql(const RigOptions& options);
  std::unique_ptr<Impl> impl_;
};

}  // namespace hy::bench
