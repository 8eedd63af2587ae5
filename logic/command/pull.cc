#include "logic/command/pull.h"

#include "common/base/test_hooks.h"
#include "hy/client/v1/sync.pb.h"
#include "logic/command/client_proto.h"
#include "logic/command/failures.h"
#include "logic/domain/conversation_id.h"
#include "logic/sync/sync_planner.h"

namespace hy::logic {
namespace pb = hy::client::v1;

Bytes encode_slice(ConversationId conversation, const Slice& slice) {
  pb::PullAnswer answer;
  answer.set_conversation(conversation.to_bytes());
  for (const StoredMessage& message : slice.messages) fill_push(message, *answer.add_messages());
  answer.set_head_seq(slice.head.value());
  answer.set_more(slice.more);
  answer.set_truncated_to(slice.truncated_to);
  return answer.SerializeAsString();
}

void Pull::run(RequestPtr request, std::string_view body) {
  pb::PullRequest in;
  if (const Status parsed = parse_body(body, in); !parsed) return request->refuse(parsed.error());
  const auto conversation = conversation_of(in.conversation(), request->uid());
  if (!conversation) return request->refuse(conversation.error());
  if (const Status range = check_range(in.from(), in.to()); !range) {
    return request->refuse(range.error());
  }
  const PullQuery query{.uid = request->uid(),
                        .conversation = *conversation,
                        .from = in.from(),
                        .to = in.to(),
                        .last = 0};
  const CallContext call = request->call();
  log_.pull(query, call, [query, request = std::move(request)](Result<Slice> slice) {
    if (!slice) return refuse_read(*request, slice.error());
    if (const Status cursor = check_cursor(query.from, slice->head); !cursor) {
      return request->refuse(
          RefusalBody{.code = cursor.error().code, .head_seq = slice->head.value()});
    }
    sync_point("logic.pull_read_before_answer");
    cut_slice(*slice, false);
    request->answer(encode_slice(query.conversation, *slice));
  });
}

}  // namespace hy::logic
