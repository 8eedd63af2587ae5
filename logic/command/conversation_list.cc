#include "logic/command/conversation_list.h"

#include "logic/command/client_proto.h"

namespace hy::logic {

void fill_state(const ConversationRow& row, Uid uid, hy::client::v1::ConversationState& out) {
  out.set_conversation(row.conversation.to_bytes());
  if (!row.conversation.is_group()) out.set_peer(row.conversation.peer_of(uid).value());
  out.set_head_seq(row.head.value());
  out.set_head_ms(row.head_ms);
  out.set_read_seq(row.read.value());
  out.set_peer_read_seq(row.peer_read.value());
  out.set_unread(row.unread);
  if (row.conversation.is_group()) {
    out.set_group_name(row.group_name);
    out.set_join_seq(row.join_seq.value());
  }
  if (row.last) fill_push(*row.last, *out.mutable_last());
}

}  // namespace hy::logic
