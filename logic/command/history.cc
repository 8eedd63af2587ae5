#include "logic/command/history.h"

#include <algorithm>

#include "common/base/limits.h"
#include "hy/client/v1/sync.pb.h"
#include "logic/command/client_proto.h"
#include "logic/command/failures.h"
#include "logic/command/pull.h"
#include "logic/domain/conversation_id.h"
#include "logic/sync/sync_planner.h"

namespace hy::logic {
namespace pb = hy::client::v1;

void History::run(RequestPtr request, std::string_view body) {
  pb::HistoryRequest in;
  if (const Status parsed = parse_body(body, in); !parsed) return request->refuse(parsed.error());
  const auto conversation = conversation_of(in.conversation(), request->uid());
  if (!conversation) return request->refuse(conversation.error());
  const bool is_tail = in.last() > 0;
  if (!is_tail) {
    if (const Status range = check_range(in.from(), in.to()); !range) {
      return request->refuse(range.error());
    }
  }
  const PullQuery query{.uid = request->uid(),
                        .conversation = *conversation,
                        .from = is_tail ? 0 : in.from(),
                        .to = in.to(),
                        .last = std::min(in.last(), limits::kSliceMessagesMax)};
  const CallContext call = request->call();
  log_.pull(query, call, [query, is_tail, request = std::move(request)](Result<Slice> slice) {
    if (!slice) return refuse_read(*request, slice.error());
    if (!is_tail && !check_cursor(query.from, slice->head)) {
      return request->refuse(RefusalBody{.code = Errc::kRangeInvalid,
                                         .detail = "beyond the end",
                                         .head_seq = slice->head.value()});
    }
    cut_slice(*slice, is_tail);
    request->answer(encode_slice(query.conversation, *slice));
  });
}

}  // namespace hy::logic
