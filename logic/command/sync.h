#pragma once

#include "logic/command/request.h"
#include "logic/ports/message_log_port.h"

namespace hy::logic {

/// SYNC: the conversations that changed since the last one, and the user's own events. The overlap
/// of `since` is already in what SYNC handed out before: it is passed on as it came.
class Sync {
 public:
  explicit Sync(MessageLogPort& log) : log_(log) {}
  void run(RequestPtr request, std::string_view body);

 private:
  MessageLogPort& log_;
};

}  // namespace hy::logic
