#include "logic/command/sync.h"

#include "common/base/limits.h"
#include "common/base/test_hooks.h"
#include "logic/command/client_proto.h"
#include "logic/command/conversation_list.h"
#include "logic/command/failures.h"
#include "logic/sync/sync_planner.h"

namespace hy::logic {
namespace pb = hy::client::v1;
namespace {

Bytes encode(const Conversations& page, Uid uid) {
  pb::SyncAnswer answer;
  for (const ConversationRow& row : page.rows) {
    fill_state(row, uid, *answer.add_conversations());
  }
  for (const UserEvent& event : page.events) {
    pb::UserEvent& out = *answer.add_events();
    out.set_useq(event.useq.value());
    out.set_kind(static_cast<pb::UserEventKind>(event.kind));
    if (event.conversation != ConversationId{}) {
      out.set_conversation(event.conversation.to_bytes());
    }
    out.set_seq(event.seq.value());
    out.set_peer(event.peer.value());
    out.set_on(event.on);
  }
  answer.set_since(page.store_ms);
  answer.set_useq(page.useq.value());
  answer.set_more(page.more);
  answer.set_store_epoch(page.marks.store_epoch);
  answer.set_clock_steps(page.marks.clock_steps);
  answer.set_change_counter(page.change_counter);
  answer.set_too_far(page.too_far);
  return answer.SerializeAsString();
}

}  // namespace

void Sync::run(RequestPtr request, std::string_view body) {
  pb::SyncRequest in;
  if (const Status parsed = parse_body(body, in); !parsed) return request->refuse(parsed.error());
  ConversationsQuery query{.uid = request->uid()};
  // What slipped past `since` is bounded by the overlap (guarantees.md §6); 0 looks at no times.
  constexpr std::int64_t kOverlapMs =
      std::chrono::duration_cast<Millis>(limits::kSyncOverlap).count();
  query.since_ms = in.since() <= kOverlapMs ? 0 : in.since() - kOverlapMs;
  if (mutant(Mutant::kSyncWithoutOverlap)) query.since_ms = in.since();
  query.useq = in.useq();
  query.limit = kPageRowsMax;
  query.with_events = in.page_after().empty();
  if (!in.page_after().empty()) {
    if (in.page_after().size() != 16) {
      return request->refuse(Error{Errc::kMalformedBody, "page_after has 16 bytes"});
    }
    query.page_after = ConversationId::from_bytes(in.page_after());
  }
  const CallContext call = request->call();
  log_.list(query, call, [request = std::move(request)](Result<Conversations> page) {
    if (!page) return refuse_read(*request, page.error());
    sync_point("logic.sync_read_before_answer");
    cut_page(*page);
    request->answer(encode(*page, request->uid()));
  });
}

}  // namespace hy::logic
