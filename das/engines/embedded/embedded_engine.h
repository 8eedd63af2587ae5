#pragma once

#include "das/engines/embedded/local_cache.h"
#include "das/engines/embedded/store_file.h"
#include "das/storage/engine.h"

namespace hy::das::embedded {

struct EmbeddedOptions {
  std::filesystem::path file;
  std::size_t cache_entries_max = 500'000;
  std::uint32_t pages_max = 0;  ///< > 0 limits the file, for tests of a full disk
};

/// SQLite in WAL mode with synchronous=FULL and an in-process cache: durability profile E. One das
/// has the file (lock file beside it). Both names of the clock are das's machine's.
class EmbeddedEngine final : public Engine {
 public:
  /// `clock` outlives the engine.
  EmbeddedEngine(EmbeddedOptions options, const Clock& clock);
  [[nodiscard]] std::string_view name() const override { return "embedded"; }
  Status start() override { return file_.open(); }
  Result<std::unique_ptr<StoreSession>> open_writer() override;
  Result<std::unique_ptr<StoreSession>> open_reader() override;
  [[nodiscard]] unsigned writers_max() const override { return 1; }
  CacheStore& cache() override { return cache_; }
  Result<SchemaStatus> schema_status() override;
  Status schema_apply() override { return file_.apply_schema(); }
  /// For tests: as if COMMIT had failed just now.
  StoreFile& file() { return file_; }

 private:
  StoreFile file_;
  LocalCache cache_;
};

}  // namespace hy::das::embedded
