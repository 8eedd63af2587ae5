#include "logic/command/recents.h"

#include "logic/command/client_proto.h"
#include "logic/command/conversation_list.h"
#include "logic/command/failures.h"
#include "logic/sync/sync_planner.h"

namespace hy::logic {
namespace pb = hy::client::v1;

void Recents::run(RequestPtr request, std::string_view body) {
  pb::RecentsRequest in;
  if (const Status parsed = parse_body(body, in); !parsed) return request->refuse(parsed.error());
  if (in.limit() == 0 || in.limit() > kPageRowsMax || in.before_ms() < 0) {
    return request->refuse(Error{Errc::kRangeInvalid, "limit is 1 to 200, before_ms 0 or above"});
  }
  ConversationsQuery query{.uid = request->uid()};
  query.limit = in.limit();
  query.newest_first = true;
  query.before_ms = in.before_ms();
  const CallContext call = request->call();
  log_.list(query, call, [request = std::move(request)](Result<Conversations> page) {
    if (!page) return refuse_read(*request, page.error());
    cut_page(*page);
    pb::RecentsAnswer answer;
    for (const ConversationRow& row : page->rows) {
      fill_state(row, request->uid(), *answer.add_conversations());
    }
    request->answer(answer.SerializeAsString());
  });
}

}  // namespace hy::logic
