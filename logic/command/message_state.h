#pragma once

#include "logic/command/request.h"
#include "logic/ports/message_log_port.h"

namespace hy::logic {

/// MESSAGE_STATE: what became of a message, from the log: by the caller's own client_msg_id, or by
/// position.
class MessageState {
 public:
  explicit MessageState(MessageLogPort& log) : log_(log) {}
  void run(RequestPtr request, std::string_view body);

 private:
  MessageLogPort& log_;
};

}  // namespace hy::logic
