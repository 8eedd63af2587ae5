#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "common/base/bytes.h"
#include "entry/ports/traffic.h"

namespace hy::entry {

struct QueueLimits {
  std::uint32_t frames_max = 256;
  std::uint32_t bytes_max = 1'024 * 1'024;
};

/// One frame that waits for the socket: either its own body, or a shared push.
struct OutFrame {
  std::uint16_t type = 0;
  std::uint16_t flags = 0;
  std::uint32_t request_id = 0;
  bool is_resend = false;
  bool may_compress = false;
  Bytes body;
  std::shared_ptr<const PushPayload> push;

  [[nodiscard]] const Bytes& content() const { return push ? push->body : body; }
};

/// What waits for the socket of one connection. Bounded: when it is full, or the push window is,
/// pushes are dropped and replaced by ONE SYNC_HINT, and dropped on until half of it is free again
/// (a push behind a hole would only make the device ask for the hole). A second hint follows then
/// if anything was dropped after the first one left. Answers and control frames always pass: their
/// number is bounded by the commands in flight.
class OutboundQueue {
 public:
  enum class Push : std::uint8_t { kQueued, kDropped };

  /// Answers, KICKED, GOAWAY, `ok`.
  void add(OutFrame frame);
  /// Whether offer_push() would take a (not ephemeral) push of that size.
  [[nodiscard]] bool has_room(std::size_t body_bytes, const QueueLimits& limits) const {
    return !hinting_ && size() < limits.frames_max && bytes_ + body_bytes <= limits.bytes_max;
  }
  /// A notification. Ephemeral ones are dropped first (from half full), and without a hint.
  Push offer_push(OutFrame frame, bool ephemeral, const QueueLimits& limits);
  /// The connection is about to end: what the device finds by SYNC when it comes back does not
  /// stand before the word that says why.
  void drop_waiting_pushes();
  /// The push window was full: the same as a full queue.
  void drop_push();
  [[nodiscard]] bool is_hinting() const { return hinting_; }
  /// Call when frames left or were confirmed: ends the hinting when there is room again, with
  /// another hint if pushes were lost after the last one. True: frames were added.
  bool recover(bool window_has_room, const QueueLimits& limits);

  [[nodiscard]] bool empty() const { return head_ == frames_.size(); }
  [[nodiscard]] std::size_t size() const { return frames_.size() - head_; }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  [[nodiscard]] const OutFrame& front() const { return frames_[head_]; }
  OutFrame take();
  [[nodiscard]] std::uint32_t hints() const { return hints_; }

 private:
  void hint();

  std::vector<OutFrame> frames_;
  std::size_t head_ = 0;
  std::size_t bytes_ = 0;
  std::uint32_t hints_ = 0;
  bool hinting_ = false;
  bool hint_waits_ = false;  // in the queue, not yet taken: covers every drop so far
  bool dropped_after_hint_ = false;
};

}  // namespace hy::entry
