#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>

#include "common/base/clock.h"
#include "entry/ports/traffic.h"

namespace hy::entry {

/// Connections with a frame that nobody waits for, in the order in which it came. Each is let go
/// after the same patience, so that they leave as evenly as they came: a burst of a thousand sends
/// would hold up everything else for milliseconds. Core; one thread.
class PatientLine {
 public:
  explicit PatientLine(Millis patience)
      : patience_ms_(static_cast<std::uint32_t>(patience.count())) {}

  void add(ConnId conn, std::uint32_t now_ms) { line_.push_back({conn, now_ms}); }
  [[nodiscard]] std::size_t size() const { return line_.size(); }
  [[nodiscard]] bool empty() const { return line_.empty(); }

  /// Calls go(connection, since when) for each whose patience has ended by `now_ms`, or for all. A
  /// connection that has been flushed in the meantime is still in line: whoever is called looks
  /// whether what waits there now has waited since then.
  template <class Go>
  void release(std::uint32_t now_ms, bool all, Go&& go) {
    // Milliseconds wrap around after 49 days: only their distance counts.
    while (!line_.empty() && (all || now_ms - line_.front().since_ms >= patience_ms_)) {
      go(line_.front().conn, line_.front().since_ms);
      line_.pop_front();
    }
  }

 private:
  struct Waiting {
    ConnId conn{};
    std::uint32_t since_ms = 0;
  };
  std::uint32_t patience_ms_;
  std::deque<Waiting> line_;
};

}  // namespace hy::entry
