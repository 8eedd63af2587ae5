#pragma once

#include <cstdint>

#include "common/base/clock.h"

namespace hy::rpc {

/// What a caller may expect of a peer when it chooses among several.
enum class Health : std::uint8_t {
  kDown,     ///< no stream
  kSuspect,  ///< a stream, but answers are missing: take another one if there is one
  kUp,
};

struct PeerHealthRules {
  std::uint32_t misses_max = 3;  ///< unanswered requests in a row before it is suspect
  Millis silence_max{3'000};     ///< nothing heard for so long while a request waits: suspect
};

/// Judges one peer from what its stream does. Time is an argument. Not thread-safe.
class PeerHealth {
 public:
  explicit PeerHealth(PeerHealthRules rules = {}) : rules_(rules) {}
  void on_up(MonoTime now);
  void on_down();
  /// A batch came.
  void on_heard(MonoTime now);
  /// A request was written. Call it for the first one of each burst at least.
  void on_asked(MonoTime now);
  /// A request's deadline passed without an answer.
  void on_missed();
  [[nodiscard]] Health judge(MonoTime now) const;
  [[nodiscard]] MonoTime last_heard() const { return heard_; }

 private:
  PeerHealthRules rules_;
  bool up_ = false;
  bool asked_ = false;
  MonoTime asked_at_{};
  MonoTime heard_{};
  std::uint32_t misses_ = 0;
};

}  // namespace hy::rpc
