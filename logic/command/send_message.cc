#include "logic/command/send_message.h"

#include "logic/command/client_proto.h"
#include "logic/domain/message_rules.h"
#include "logic/domain/payload_hash.h"
#include "logic/metrics.h"
#include "logic/ports/id_bytes.h"

namespace hy::logic {
namespace pb = hy::client::v1;
namespace {

Bytes encode_answer(const SendOutcome& outcome) {
  thread_local pb::SendAnswer answer;  // its fields' memory serves every answer
  answer.set_ack(outcome.relayed ? pb::RELAYED : pb::STORED);
  put_id(outcome.conversation, *answer.mutable_conversation());
  answer.set_seq(outcome.seq.value());
  answer.set_server_ms(outcome.server_ms);
  answer.set_repeat(outcome.repeat);
  answer.set_recheck_after_ms(static_cast<std::uint32_t>(outcome.recheck_after.count()));
  return answer.SerializeAsString();
}

Result<SendOrder> order_of(const Request& request, pb::SendRequest& in) {
  const SendDraft draft{.sender = request.uid(),
                        .receiver = Uid{in.to_uid()},
                        .group = Gid{in.to_gid()},
                        .kind = in.kind(),
                        .body_bytes = in.body().size(),
                        .id_bytes = in.client_msg_id().size(),
                        .after_bytes = in.after_client_msg_id().size()};
  HY_TRY_VOID(check_draft(draft));
  SendOrder order;
  order.conversation = draft.group != Gid{} ? ConversationId::group(draft.group)
                                            : ConversationId::pair(draft.sender, draft.receiver);
  order.sender = draft.sender;
  order.sender_slot = request.session().slot;
  order.receiver = draft.receiver;
  order.group = draft.group;
  order.client_msg_id = ClientMsgId::from_bytes(in.client_msg_id());
  if (draft.after_bytes != 0) order.after = ClientMsgId::from_bytes(in.after_client_msg_id());
  order.kind = draft.kind;
  order.payload_hash = payload_hash(draft.kind, in.body());
  order.body = std::move(*in.mutable_body());
  order.call = request.call();
  order.dyed = request.context().dyed;
  return order;
}

}  // namespace

void SendMessage::run(RequestPtr request, std::string_view body) {
  // Read and left before anything else can run: the next command may come from inside the pipeline.
  thread_local pb::SendRequest in;
  if (const Status parsed = parse_body(body, in); !parsed) {
    metrics_.send_refused(parsed.error().code);
    return request->refuse(parsed.error());
  }
  metrics_.send_received(in.kind());
  Result<SendOrder> order = order_of(*request, in);
  if (!order) {
    metrics_.send_refused(order.error().code);
    return request->refuse(order.error());
  }
  SessionFifo::Turn turn = std::move(request->turn);
  Done<SendOutcome> done = [this, request = std::move(request)](Result<SendOutcome> outcome) {
    if (outcome) return request->answer(encode_answer(*outcome));
    // Neither "stored" nor "refused" would be true: the device asks again.
    if (outcome.error().code == Errc::kOutcomeUnknown) return request->leave_unanswered();
    metrics_.send_refused(outcome.error().code);
    request->refuse(outcome.error());
  };
  if (order->group != Gid{}) {
    groups_.run(*std::move(order), std::move(turn), std::move(done));
  } else {
    pipeline_.run(*std::move(order), std::move(turn), std::move(done));
  }
}

}  // namespace hy::logic
