#pragma once

#include "logic/command/request.h"
#include "logic/ports/message_log_port.h"

namespace hy::logic {

/// RECENTS: a person's conversations, newest first, with unread counts and previews.
class Recents {
 public:
  explicit Recents(MessageLogPort& log) : log_(log) {}
  void run(RequestPtr request, std::string_view body);

 private:
  MessageLogPort& log_;
};

}  // namespace hy::logic
