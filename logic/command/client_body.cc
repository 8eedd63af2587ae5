#include "logic/command/client_body.h"

#include "hy/client/v1/command.pb.h"
#include "hy/client/v1/message.pb.h"
#include "logic/command/client_proto.h"

namespace hy::logic {
namespace pb = hy::client::v1;

static_assert(kTypePush == pb::PUSH && kTypeReceipt == pb::RECEIPT &&
              kTypeReadMark == pb::READ_MARK);
static_assert(static_cast<int>(ReceiptKind::kDelivered) == pb::DELIVERED);
static_assert(static_cast<int>(ReceiptKind::kRead) == pb::READ_BY);

void fill_push(const StoredMessage& message, pb::Push& out) {
  out.set_conversation(message.conversation.to_bytes());
  out.set_seq(message.seq.value());
  out.set_sender(message.sender.value());
  out.set_client_msg_id(message.client_msg_id.to_bytes());
  out.set_kind(message.kind);
  out.set_body(message.body);
  out.set_server_ms(message.server_ms);
}

Bytes encode_push(const StoredMessage& message, bool provisional) {
  pb::Push push;
  fill_push(message, push);
  if (provisional) {
    push.clear_seq();
    push.clear_server_ms();
    push.set_provisional(true);
  }
  return push.SerializeAsString();
}

Bytes encode_receipts(const std::vector<ReceiptItem>& items) {
  pb::Receipts receipts;
  for (const ReceiptItem& item : items) {
    pb::Receipt& out = *receipts.add_receipts();
    out.set_conversation(item.conversation.to_bytes());
    out.set_up_to_seq(item.up_to.value());
    out.set_by_uid(item.by.value());
    out.set_by_slot(static_cast<std::uint32_t>(item.by_slot));
    out.set_kind(static_cast<pb::ReceiptKind>(item.kind));
  }
  return receipts.SerializeAsString();
}

Bytes encode_read_mark(ConversationId conversation, Seq read, Useq useq) {
  pb::ReadMark mark;
  mark.set_conversation(conversation.to_bytes());
  mark.set_read_seq(read.value());
  mark.set_useq(useq.value());
  return mark.SerializeAsString();
}

Bytes encode_refused(const RefusalBody& refusal) {
  pb::Refused out;
  out.set_code(static_cast<std::uint32_t>(refusal.code));
  out.set_scope(static_cast<std::uint32_t>(error_info(refusal.code).scope));
  out.set_retry_after_ms(static_cast<std::uint32_t>(refusal.retry_after.count()));
  out.set_detail(refusal.detail);
  out.set_conn_counter(refusal.conn_counter);
  out.set_head_seq(refusal.head_seq);
  return out.SerializeAsString();
}

}  // namespace hy::logic
