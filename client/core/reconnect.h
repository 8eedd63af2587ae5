#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "client/core/backoff.h"

namespace hy::client {

struct ReconnectSettings {
  Millis base{500};
  Millis max{30'000};
  Millis stable_after{10'000};  ///< online for this long: the next loss is a first loss
  Millis first_loss{100};       ///< window of the first try after a loss, when the server gave none
  Millis storm_window_max = std::chrono::minutes(10);
};

/// When and where to connect next. Full jitter always: a server that comes back meets a spread-out
/// crowd, not a herd.
class Reconnect {
 public:
  Reconnect(ReconnectSettings settings, std::vector<std::string> entries)
      : settings_(settings), given_(std::move(entries)) {}

  void online(MonoTime now) { online_since_ = now; }
  /// The wait before the next try. was_online: an abnormal loss of a session, which others lost at
  /// the same moment: a random point of the storm window. retry_after: obeyed, jitter on top.
  Millis next_wait(MonoTime now, bool was_online, Millis storm_window, Millis retry_after,
                   Random& random);
  /// A person or the network gave a reason to try at once.
  void forget_failures() { failures_ = 0; }

  /// Other addresses of the group, from the last login.
  void learn(const std::vector<std::string>& entries);
  /// Addresses for the next race, best first, at most `max`. `last_good` goes first; `avoid` (the
  /// entry that is going away) goes last.
  [[nodiscard]] std::vector<std::string> candidates(std::size_t max, const std::string& last_good,
                                                    const std::vector<std::string>& prefer,
                                                    const std::string& avoid) const;
  /// The race was lost everywhere, or the winner failed: start with the next ones.
  void rotate(std::size_t by) { offset_ += by; }
  [[nodiscard]] std::uint32_t failures() const { return failures_; }

 private:
  ReconnectSettings settings_;
  std::vector<std::string> given_;
  std::vector<std::string> learned_;
  std::uint32_t failures_ = 0;
  std::size_t offset_ = 0;
  MonoTime online_since_ = MonoTime::max();
};

}  // namespace hy::client
