#pragma once

#include <functional>
#include <memory>

#include "das/storage/engine.h"
#include "tests/sim/store/model_cache.h"
#include "tests/sim/store/model_store.h"

namespace hy::sim {

/// A das's view of the model store: das/storage/*.h to the letter. Sessions of one engine may be
/// used on one thread each, as real ones.
class ModelEngine final : public das::Engine {
 public:
  /// False once the process is dead: what it does after that has no effect, as if it had died
  /// before COMMIT. Asked at every call and again at COMMIT.
  using Alive = std::function<bool()>;

  /// store, redis, clock (of this das) outlive the engine. redis null: a cache in the process
  /// (one-writer flavour), lost with the engine.
  ModelEngine(
      ModelStore& store, ModelRedis* redis, const Clock& clock, std::uint64_t seed,
      Alive alive = [] { return true; });
  ~ModelEngine() override;

  [[nodiscard]] std::string_view name() const override;
  Status start() override;
  Result<std::unique_ptr<das::StoreSession>> open_writer() override;
  Result<std::unique_ptr<das::StoreSession>> open_reader() override;
  [[nodiscard]] unsigned writers_max() const override;
  das::CacheStore& cache() override { return cache_; }
  Result<das::SchemaStatus> schema_status() override { return das::SchemaStatus{1, 1, {}}; }
  Status schema_apply() override { return start(); }

  /// What the calls since the last question would have taken: lock waits, slow statements, a cache
  /// that is late. The scheduler of this das adds it to its latency.
  std::chrono::nanoseconds take_spent();
  /// Writes from now on are begun so long before they are committed: head_ms is that much older
  /// when a commit shows. Above 5 s the server gives the transaction up.
  void set_commit_delay(std::chrono::nanoseconds delay) { commit_delay_ = delay; }

 private:
  friend class ModelSession;
  Status reach();

  ModelStore& store_;
  std::unique_ptr<ModelRedis> own_cache_;
  ModelCache cache_;
  Alive alive_;
  std::chrono::nanoseconds spent_{0};
  std::chrono::nanoseconds commit_delay_{0};
  bool owner_ = false;  ///< kOneWriter: this engine has the file
};

}  // namespace hy::sim
