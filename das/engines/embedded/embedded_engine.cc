#include "das/engines/embedded/embedded_engine.h"

#include "das/engines/embedded/migrations.h"
#include "das/engines/embedded/session.h"

namespace hy::das::embedded {

EmbeddedEngine::EmbeddedEngine(EmbeddedOptions options, const Clock& clock)
    : file_(std::move(options.file), clock, options.pages_max),
      cache_(clock, options.cache_entries_max) {}

Result<std::unique_ptr<StoreSession>> EmbeddedEngine::open_writer() {
  HY_TRY_VOID(file_.open());
  return std::make_unique<Session>(file_);
}

Result<std::unique_ptr<StoreSession>> EmbeddedEngine::open_reader() {
  HY_TRY(auto db, file_.open_reader());
  return std::make_unique<Session>(file_, std::move(db));
}

Result<SchemaStatus> EmbeddedEngine::schema_status() {
  HY_TRY(const auto applied, file_.applied());
  return das::schema_status(kMigrations, applied);
}

}  // namespace hy::das::embedded
