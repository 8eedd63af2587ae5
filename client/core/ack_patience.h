#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "common/base/clock.h"

namespace hy::client {

/// What LoginAnswer allows. An entry that says nothing wants each PUSH_ACK at once.
struct AckTerms {
  Millis within{0};             ///< 0: never wait
  std::uint32_t owed_max = 0;   ///< pushes
  std::uint32_t bytes_max = 0;  ///< of their bodies
};

/// When the PUSH_ACK of a connection has to leave. It is cumulative, so while messages stream in it
/// may wait for company: for pushes that it then covers too, or for a frame to ride with, as an
/// acknowledgement of TCP does (RFC 9293, 3.8.6.3). What comes alone is acknowledged at once, and
/// so is everything as soon as more is owed than the terms allow, so that no window fills for want
/// of an acknowledgement. No clock, no I/O.
class AckPatience {
 public:
  /// Nobody is to wait longer for a receipt, whatever a server allows.
  static constexpr Millis kWithinMax{1'000};

  AckPatience() = default;
  /// Of a new connection.
  explicit AckPatience(const AckTerms& terms) : terms_(terms) {
    terms_.within = std::min(terms.within, kWithinMax);
  }

  /// A push has come whose body has so many bytes.
  void pushed(MonoTime now, std::size_t body_bytes) {
    // The gap to the last one says whether the next may well come within the wait.
    const bool streams = last_ != kNone && now - last_ < 2 * terms_.within;
    last_ = now;
    ++owed_;
    bytes_ += body_bytes;
    if (!streams || owed_ > terms_.owed_max || bytes_ > terms_.bytes_max) {
      due_ = now;
    } else if (due_ == kNone) {
      due_ = now + terms_.within;
    }
  }
  /// Somebody waits for this very acknowledgement.
  void at_once(MonoTime now) { due_ = now; }
  /// All that was pushed is acknowledged.
  void sent() {
    due_ = kNone;
    owed_ = 0;
    bytes_ = 0;
  }
  /// MonoTime::max(): nothing is owed.
  [[nodiscard]] MonoTime due() const { return due_; }

 private:
  static constexpr MonoTime kNone = MonoTime::max();

  AckTerms terms_;
  MonoTime last_ = kNone;
  MonoTime due_ = kNone;
  std::size_t bytes_ = 0;
  std::uint32_t owed_ = 0;
};

}  // namespace hy::client
