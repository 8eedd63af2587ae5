#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <vector>

#include "das/append/append_planner.h"
#include "das/append/store_call.h"

namespace hy::das {

/// An append in a lane's queue.
struct AppendRequest {
  PendingAppend pending;
  std::uint64_t ticket = 0;  ///< the caller's, handed back with the answer
  MonoTime arrived;
};

struct LaneLimits {
  std::size_t batch_rows_max = 200;  ///< platform.md §10: above 200 only latency grows
  std::size_t batch_bytes_max = 2 * 1'024 * 1'024;  ///< bodies; far below max_allowed_packet
  std::size_t batch_calls_max = 32;
  std::size_t queue_appends_max = 8'192;
  std::size_t queue_bytes_max = 32 * 1'024 * 1'024;
  std::size_t queue_calls_max = 2'048;
  /// An append that would wait longer than this is refused when it comes: at its deadline (2 s) it
  /// would be stored and nobody would be told. Overload then costs refusals, not throughput.
  Millis queue_wait_max{500};
  /// After an outage batches and queue grow from a tenth to their limits in this time
  /// (guarantees.md §7): the store comes back cold, and everybody's outbox with it.
  Millis ramp{10'000};
};

/// What a lane does next.
struct LaneBatch {
  std::vector<AppendRequest> appends;
  std::vector<std::unique_ptr<StoreCall>> calls;
  std::vector<AppendRequest> expired_appends;  ///< deadline passed in the queue: never begun
  std::vector<std::unique_ptr<StoreCall>> expired_calls;
  [[nodiscard]] bool empty() const {
    return appends.empty() && calls.empty() && expired_appends.empty() && expired_calls.empty();
  }
};

/// Collects what arrives while the previous transaction commits: whatever has gathered when the
/// lane is free is the next batch, no timer. Order within a conversation is the order of arrival.
/// Bounded in number, bytes and time: a full queue refuses (kFull), it never drops; expired work is
/// dropped at take. Not
/// thread-safe: the driver holds a lock around it.
class LaneFsm {
 public:
  enum class Offer : std::uint8_t { kQueued, kFull, kClosed };
  explicit LaneFsm(LaneLimits limits) : limits_(limits) {}

  /// On anything but kQueued the argument is untouched.
  Offer offer(AppendRequest&& request);
  Offer offer(std::unique_ptr<StoreCall>&& call);
  [[nodiscard]] bool has_work() const { return queued_appends() > 0 || !calls_.empty(); }
  /// The next batch; what has expired comes out apart and does not count against the batch.
  LaneBatch take(MonoTime now);
  /// Everything that waits, whatever the limits: the store is down.
  LaneBatch take_all();
  /// How long `rows` rows took; feeds retry_after.
  void took(std::size_t rows, std::chrono::nanoseconds spent);
  /// The store is back: the ramp begins with the next take.
  void begin_ramp() { ramp_is_due_ = true; }
  /// When a refused caller may come again: the time that the queue in front of it needs, 50 .. 2000
  /// ms.
  [[nodiscard]] Millis retry_after() const;
  /// No more offers; what waits is still handed out.
  void close() { closed_ = true; }
  [[nodiscard]] bool is_closed() const { return closed_; }
  [[nodiscard]] std::size_t queued_appends() const { return appends_.size() - first_; }
  [[nodiscard]] std::size_t queued_calls() const { return calls_.size(); }
  /// How long an append that came now would wait for its batch to begin.
  [[nodiscard]] std::chrono::nanoseconds expected_wait() const;

 private:
  /// `limit` as far as the ramp allows it now, at least 1.
  [[nodiscard]] std::size_t ramped(std::size_t limit) const;
  void climb(MonoTime now);
  void drop_taken();

  LaneLimits limits_;
  /// From first_ on; what lies before it was taken and goes when there is enough of it. A deque
  /// would get and free memory with every third request.
  std::vector<AppendRequest> appends_;
  std::size_t first_ = 0;
  std::deque<std::unique_ptr<StoreCall>> calls_;
  std::size_t queued_bytes_ = 0;
  std::int64_t row_ns_ = 100'000;  ///< moving average; the start value is a slow disk's guess
  std::int64_t batch_ns_ = 0;      ///< moving average of a whole turn while there is a backlog
  bool had_backlog_ = false;       ///< the last take left appends behind
  MonoTime last_take_{};
  bool closed_ = false;
  bool ramp_is_due_ = false;
  MonoTime ramp_began_{};
  std::size_t percent_ = 100;  ///< of the limits
};

}  // namespace hy::das
