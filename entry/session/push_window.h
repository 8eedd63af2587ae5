#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "common/base/clock.h"
#include "entry/ports/traffic.h"

namespace hy::entry {

struct WindowLimits {
  std::uint32_t frames_max = 256;
  std::uint32_t bytes_max = 1'024 * 1'024;
  std::uint32_t resends_max = 3;  ///< then the device is unreachable
  Millis resend_min{1'000};
  Millis resend_max{15'000};
  Millis resend_first{2'000};  ///< while no round trip was measured
  std::uint32_t resend_frames_max = 32;
  Millis ack_within{100};  ///< a device may keep a PUSH_ACK for company this long; 0: not at all
};

/// What LoginAnswer allows a device to owe. An eighth of the window at most, so that what comes
/// while an acknowledgement waits still finds room, and a quarter of the shortest wait before a
/// resend.
struct AckTerms {
  Millis within{0};
  std::uint32_t owed_max = 0;
  std::uint32_t bytes_max = 0;
};
[[nodiscard]] AckTerms ack_terms(const WindowLimits& limits);

/// Smoothed time from a push to its acknowledgement, as RFC 6298 smooths round trips. Four bytes;
/// outlives the window.
class RoundTrip {
 public:
  /// Only for frames that were sent once (Karn's rule).
  void sample(Millis measured);
  [[nodiscard]] bool is_known() const { return smoothed_us16_ != 0; }
  /// How long to wait for an acknowledgement before the first resend.
  [[nodiscard]] Millis resend_after(const WindowLimits& limits) const;

 private:
  std::uint32_t smoothed_us16_ = 0;  // units of 16 us: up to 19 hours
};

/// The pushes of one connection that its device has not yet confirmed. Exists only while there are
/// any. A push gets its number here; what the device confirms with one cumulative PUSH_ACK comes
/// out as (conversation, seq, sender), so a receipt needs no read. No clock, no I/O.
class PushWindow {
 public:
  enum class Offer : std::uint8_t { kTaken, kDuplicate, kFull };

  /// `next`: the number that the next push gets.
  explicit PushWindow(PushNumber next) : next_(next.value()) {}

  struct Taken {
    Offer offer = Offer::kFull;
    PushNumber number;  ///< with kTaken
  };
  /// A (conversation, seq) that is already in the window (a provisional one: its client_msg_id) is
  /// a duplicate; its `waiter`, if any, then waits for the frame that is there. waiter: who wants
  /// to know of the acknowledgement, until `waiter_until`.
  Taken offer(std::shared_ptr<const PushPayload> payload, const WindowLimits& limits,
              std::optional<DeliveryRef> waiter, MonoTime waiter_until);

  /// The frame with this number was handed to the socket. In order of numbers the first time.
  void on_sent(PushNumber number, MonoTime now);

  struct Acked {
    std::vector<std::shared_ptr<const PushPayload>> confirmed;  ///< oldest first
    std::vector<DeliveryRef> waiters;  ///< of those whose time has not passed
  };
  /// Cumulative: everything up to `number`. False: that number was never given (the device is
  /// broken). An old number confirms nothing and is fine.
  [[nodiscard]] bool ack(PushNumber number, MonoTime now, RoundTrip& round_trip, Acked& out);

  struct Resend {
    PushNumber number;
    std::shared_ptr<const PushPayload> payload;
  };
  /// When step() has to be called; nullopt: nothing that was sent is unconfirmed.
  [[nodiscard]] std::optional<MonoTime> deadline(const WindowLimits& limits,
                                                 const RoundTrip& round_trip) const;
  /// Frames to send again, oldest first. False: the device is unreachable.
  [[nodiscard]] bool step(MonoTime now, const WindowLimits& limits, const RoundTrip& round_trip,
                          std::vector<Resend>& out);

  [[nodiscard]] bool empty() const { return head_ == frames_.size(); }
  [[nodiscard]] std::size_t size() const { return frames_.size() - head_; }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  [[nodiscard]] PushNumber next() const { return PushNumber{next_}; }
  /// True when so little is left that refused pushes may be accepted again.
  [[nodiscard]] bool is_half_empty(const WindowLimits& limits) const {
    return size() * 2 <= limits.frames_max && bytes_ * 2 <= limits.bytes_max;
  }

 private:
  struct Waiter {
    DeliveryRef ref;
    MonoTime until;
  };
  struct Frame {
    std::shared_ptr<const PushPayload> payload;
    std::unique_ptr<std::vector<Waiter>> waiters;
    MonoTime sent_at;
    bool sent = false;
    bool resent = false;
  };

  [[nodiscard]] std::uint32_t first() const { return next_ - static_cast<std::uint32_t>(size()); }
  Frame* find_duplicate(const PushPayload& payload);
  void forget_acked();

  std::vector<Frame> frames_;
  std::size_t head_ = 0;
  std::size_t bytes_ = 0;
  std::uint32_t next_;
  std::uint32_t resends_ = 0;  // without progress
  MonoTime waiting_since_;     // last progress or resend
};

}  // namespace hy::entry
