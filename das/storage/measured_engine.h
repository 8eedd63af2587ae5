#pragma once

#include <array>
#include <string_view>

#include "common/base/clock.h"
#include "das/storage/engine.h"

namespace hy::das {

/// Every operation of the seam that is worth a time.
enum class StoreOp : std::uint8_t {
  kAppendFast,
  kAppendOne,
  kPull,
  kFind,
  kOpenPairs,
  kSetBlock,
  kCreateGroup,
  kGroupFacts,
  kChangeGroup,
  kMarkRead,
  kListConversations,
  kUserEvents,
  kCreateAccounts,
  kFindAccounts,
  kBeginLogin,
  kLoginFailed,
  kSignIn,
  kAuthEpochs,
  kRevoke,
  kFacts,
  kBeat,
  kOpenSession,
  kCacheCommitted,
  kCacheCounters,
};
inline constexpr std::size_t kStoreOps = 24;
/// Label of the metric: "append_fast".
std::string_view op_name(StoreOp op);

/// Any thread.
class OpObserver {
 public:
  virtual ~OpObserver() = default;
  virtual void op_done(StoreOp op, Errc code, std::chrono::nanoseconds spent) = 0;
  /// Change counters asked of the cache: how many were known.
  virtual void counters_read(std::size_t known, std::size_t unknown) = 0;
};

/// Counts and times any engine, so that engines stay bare. Passes everything through unchanged.
class MeasuredEngine final : public Engine {
 public:
  /// clock and observer outlive the engine.
  MeasuredEngine(std::unique_ptr<Engine> inner, const Clock& clock, OpObserver& observer);
  ~MeasuredEngine() override;
  [[nodiscard]] std::string_view name() const override { return inner_->name(); }
  Status start() override { return inner_->start(); }
  Result<std::unique_ptr<StoreSession>> open_writer() override;
  Result<std::unique_ptr<StoreSession>> open_reader() override;
  [[nodiscard]] unsigned writers_max() const override { return inner_->writers_max(); }
  CacheStore& cache() override;
  Result<SchemaStatus> schema_status() override { return inner_->schema_status(); }
  Status schema_apply() override { return inner_->schema_apply(); }

 private:
  class Cache;
  std::unique_ptr<Engine> inner_;
  const Clock& clock_;
  OpObserver& observer_;
  std::unique_ptr<Cache> cache_;
};

}  // namespace hy::das
