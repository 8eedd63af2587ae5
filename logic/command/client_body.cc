#include "logic/command/client_body.h"

#include "hy/client/v1/command.pb.h"
#include "hy/client/v1/message.pb.h"
#include "logic/command/client_proto.h"
#include "logic/ports/id_bytes.h"

namespace hy::logic {
namespace pb = hy::client::v1;

static_assert(kTypePush == pb::PUSH && kTypeReceipt == pb::RECEIPT &&
              kTypeReadMark == pb::READ_MARK);
static_assert(static_cast<int>(ReceiptKind::kDelivered) == pb::DELIVERED);
static_assert(static_cast<int>(ReceiptKind::kRead) == pb::READ_BY);

void fill_push(const StoredMessage& message, pb::Push& out) {
  put_id(message.conversation, *out.mutable_conversation());
  out.set_seq(message.seq.value());
  out.set_sender(message.sender.value());
  put_id(message.client_msg_id, *out.mutable_client_msg_id());
  out.set_kind(message.kind);
  out.set_body(message.body);
  out.set_server_ms(message.server_ms);
}

Bytes encode_push(const StoredMessage& message, bool provisional) {
  thread_local pb::Push push;  // its fields' memory serves every message
  fill_push(message, push);
  push.set_provisional(provisional);
  if (provisional) {
    push.clear_seq();
    push.clear_server_ms();
  }
  return push.SerializeAsString();
}

Bytes encode_receipts(std::span<const ReceiptItem> items) {
  thread_local pb::Receipts receipts;
  receipts.Clear();
  for (const ReceiptItem& item : items) {
    pb::Receipt& out = *receipts.add_receipts();
    put_id(item.conversation, *out.mutable_conversation());
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
