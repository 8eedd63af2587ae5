#pragma once

#include "logic/command/request.h"
#include "logic/ports/message_log_port.h"

namespace hy::logic {

/// HISTORY: what a person scrolls to: a range, or the last so many messages up to a position.
/// Beyond the end is kRangeInvalid with the head.
class History {
 public:
  explicit History(MessageLogPort& log) : log_(log) {}
  void run(RequestPtr request, std::string_view body);

 private:
  MessageLogPort& log_;
};

}  // namespace hy::logic
