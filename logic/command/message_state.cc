#include "logic/command/message_state.h"

#include "logic/command/client_proto.h"
#include "logic/command/failures.h"
#include "logic/domain/conversation_id.h"

namespace hy::logic {
namespace pb = hy::client::v1;

void MessageState::run(RequestPtr request, std::string_view body) {
  pb::MessageStateRequest in;
  if (const Status parsed = parse_body(body, in); !parsed) return request->refuse(parsed.error());
  const auto conversation = conversation_of(in.conversation(), request->uid());
  if (!conversation) return request->refuse(conversation.error());
  const bool by_id = !in.client_msg_id().empty();
  if (by_id && in.client_msg_id().size() != sizeof(ClientMsgId::bytes)) {
    return request->refuse(Error{Errc::kMalformedBody, "client_msg_id has 16 bytes"});
  }
  if (!by_id && in.seq() == 0) {
    return request->refuse(Error{Errc::kMalformedBody, "client_msg_id or seq is needed"});
  }
  FindQuery query{.uid = request->uid(),
                  .conversation = *conversation,
                  .sender = request->uid(),
                  .client_msg_id = std::nullopt,
                  .seq = in.seq()};
  if (by_id) query.client_msg_id = ClientMsgId::from_bytes(in.client_msg_id());
  const CallContext call = request->call();
  log_.find(query, call, [request = std::move(request)](Result<Found> found) {
    if (!found) return refuse_read(*request, found.error());
    found->message.body.clear();
    pb::MessageStateAnswer answer;
    fill_push(found->message, *answer.mutable_message());
    answer.set_peer_read_seq(found->peer_read.value());
    request->answer(answer.SerializeAsString());
  });
}

}  // namespace hy::logic
