#pragma once

#include <unordered_map>
#include <vector>

#include "logic/ports/message_log_port.h"

namespace hy::logic {

/// Reads users' change counters for PINGs and logins: one call to das for all that asked in one
/// turn of the loop. A hint: 0 = not known now.
class ChangeCounters {
 public:
  using Answer = std::move_only_function<void(std::uint64_t)>;
  ChangeCounters(MessageLogPort& log, const Clock& clock, Millis ask_within)
      : log_(log), clock_(clock), ask_within_(ask_within) {}

  void read(Uid uid, Answer answer);
  /// At the end of a turn: the questions go out.
  void flush();

 private:
  MessageLogPort& log_;
  const Clock& clock_;
  Millis ask_within_;
  std::vector<Uid> asking_;
  std::unordered_map<Uid, std::vector<Answer>> waiting_;
};

}  // namespace hy::logic
