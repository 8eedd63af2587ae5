#pragma once

#include "logic/command/request.h"
#include "logic/ports/message_log_port.h"

namespace hy::logic {

/// PULL: a range of one conversation, oldest first, in slices. A range that starts behind the end
/// is kCursorAhead with the head: the store was restored, and "nothing new" would be for ever.
class Pull {
 public:
  explicit Pull(MessageLogPort& log) : log_(log) {}
  void run(RequestPtr request, std::string_view body);

 private:
  MessageLogPort& log_;
};

/// Of PULL and HISTORY.
Bytes encode_slice(ConversationId conversation, const Slice& slice);

}  // namespace hy::logic
