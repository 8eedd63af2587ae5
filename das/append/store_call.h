#pragma once

#include <optional>

#include "common/base/clock.h"
#include "das/storage/engine.h"

namespace hy::das {

/// One request other than an append, carried to a thread that has a session and back. Whoever holds
/// the pointer owns it; exactly one of run, marked, opened and refuse gives it its answer, then
/// finish sends that answer.
class StoreCall {
 public:
  explicit StoreCall(MonoTime deadline) : deadline_(deadline) {}
  virtual ~StoreCall() = default;
  StoreCall(const StoreCall&) = delete;
  StoreCall& operator=(const StoreCall&) = delete;

  /// A thread with a session. Sets the answer and says how it went. After kStoreDown (nothing was
  /// done) it may be run once more on another session.
  virtual Status run(StoreSession& session) = 0;
  /// Any thread: it is not run, or not again.
  virtual void refuse(const Error& why) = 0;
  /// A read mark: those of a turn share one transaction instead of run().
  [[nodiscard]] virtual std::optional<ReadMark> read_mark() const { return std::nullopt; }
  virtual void marked(const Result<ReadMarked>& answer) { static_cast<void>(answer); }
  /// A pair to be opened: those of a turn share one transaction instead of run().
  [[nodiscard]] virtual std::optional<UidPair> pair_to_open() const { return std::nullopt; }
  virtual void opened(const PairFacts& facts) { static_cast<void>(facts); }
  /// The thread that made it.
  virtual void finish() = 0;

  [[nodiscard]] MonoTime deadline() const { return deadline_; }

 private:
  MonoTime deadline_;
};

}  // namespace hy::das
