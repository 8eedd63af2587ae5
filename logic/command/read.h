#pragma once

#include "logic/command/request.h"
#include "logic/delivery/receipts.h"
#include "logic/delivery/relay.h"
#include "logic/ports/message_log_port.h"

namespace hy::logic {

/// READ: everything up to seq is read. Never moves back. The other person of a
/// pair gets a RECEIPT, the caller's other devices a READ_MARK.
class Read {
 public:
  Read(MessageLogPort& log, Deliverer& deliverer, Receipts& receipts, const Clock& clock)
      : log_(log), deliverer_(deliverer), receipts_(receipts), clock_(clock) {}
  void run(RequestPtr request, std::string_view body);

 private:
  void tell(const SessionInfo& reader, ConversationId conversation, const ReadMarked& marked);

  MessageLogPort& log_;
  Deliverer& deliverer_;
  Receipts& receipts_;
  const Clock& clock_;
};

}  // namespace hy::logic
