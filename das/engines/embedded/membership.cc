#include "das/engines/embedded/membership.h"

#include <algorithm>

#include "common/base/test_hooks.h"
#include "das/engines/embedded/message_chain.h"
#include "das/engines/embedded/statements.h"
#include "das/storage/group_rules.h"

namespace hy::das::embedded {
namespace {

Result<bool> exists(sqlite::Database& db, std::string_view text, std::uint64_t first,
                    std::optional<std::uint64_t> second = std::nullopt) {
  HY_TRY(auto statement, db.prepare(text));
  statement.bind(1, first);
  if (second) statement.bind(2, *second);
  return statement.step();
}

struct PairState {
  PairFacts facts;
  bool complete = false;  ///< all rows are there
};

Result<PairState> read_pair(sqlite::Database& db, Uid a, Uid b) {
  PairState state;
  HY_TRY(state.facts.a_exists, exists(db, sql::kUserExists, a.value()));
  HY_TRY(state.facts.b_exists, exists(db, sql::kUserExists, b.value()));
  HY_TRY(state.facts.a_blocks_b, exists(db, sql::kBlocks, a.value(), b.value()));
  HY_TRY(state.facts.b_blocks_a, exists(db, sql::kBlocks, b.value(), a.value()));
  const Bytes conv = ConversationId::pair(a, b).to_bytes();
  HY_TRY(auto version, db.prepare(sql::kMemberVersion));
  version.bind_blob(1, conv);
  HY_TRY(const bool row, version.step());
  if (row) state.facts.member_version = version.unsigned_integer(0);
  HY_TRY(auto members, db.prepare(sql::kCountUserConv));
  members.bind_blob(1, conv).bind(2, a.value()).bind(3, b.value());
  HY_TRY(const bool counted, members.step());
  state.complete = row && counted && members.integer(0) == 2;
  return state;
}

Status make_pair(sqlite::Database& db, Uid a, Uid b, std::int64_t now_ms) {
  const Bytes conv = ConversationId::pair(a, b).to_bytes();
  HY_TRY(auto conversation, db.prepare(sql::kMakeConversation));
  conversation.bind_blob(1, conv).bind(2, now_ms);
  HY_TRY_VOID(conversation.run());
  bool only_first = false;
  if (mutant(Mutant::kUserConvAfterAppend)) {
    HY_TRY(auto head, db.prepare(sql::kHead));
    head.bind_blob(1, conv);
    HY_TRY(const bool row, head.step());
    only_first = row && head.integer(0) == 0;
  }
  for (const Uid uid : {a, b}) {
    if (only_first && uid == b) continue;
    HY_TRY(auto row, db.prepare(sql::kMakeUserConv));
    row.bind(1, uid.value()).bind_blob(2, conv);
    HY_TRY_VOID(row.run());
  }
  return {};
}

/// useq under the user row's lock (here: the single writer's transaction).
Result<Useq> add_event(sqlite::Database& db, Uid uid, UserEvent event, std::int64_t now_ms) {
  HY_TRY(auto next, db.prepare(sql::kNextUseq));
  next.bind(1, uid.value());
  HY_TRY(const bool row, next.step());
  if (!row) return fail(Errc::kUnknownUser);
  event.useq = Useq{next.unsigned_integer(0)};
  next.reset();
  HY_TRY(auto insert, db.prepare(sql::kAddEvent));
  insert.bind(1, uid.value()).bind(2, event.useq.value()).bind(3, static_cast<int>(event.kind));
  if (event.kind == UserEventKind::kRead)
    insert.bind_blob(4, event.conv.to_bytes());
  else
    insert.bind_null(4);
  insert.bind(5, event.seq.value()).bind(6, event.peer.value()).bind(7, event.on ? 1 : 0);
  insert.bind(8, now_ms);
  HY_TRY_VOID(insert.run());
  return event.useq;
}

Result<ReadMarked> move_mark(sqlite::Database& db, const ReadMark& mark, std::int64_t now_ms) {
  const Bytes conv = mark.conv.to_bytes();
  ReadMarked out;
  {
    HY_TRY(auto state, db.prepare(sql::kReadState));
    state.bind(1, mark.uid.value()).bind_blob(2, conv);
    HY_TRY(const bool row, state.step());
    if (!row) return fail(Errc::kNotMember);
    out.read_seq = Seq{state.unsigned_integer(0)};
    const Seq target = std::min(
        mark.seq, visible_head(Seq{state.unsigned_integer(1)}, Seq{state.unsigned_integer(2)}));
    if (target <= out.read_seq) return out;
    out.read_seq = target;
  }
  HY_TRY(auto set, db.prepare(sql::kSetRead));
  set.bind(1, mark.uid.value()).bind_blob(2, conv).bind(3, out.read_seq.value());
  HY_TRY_VOID(set.run());
  UserEvent event;
  event.kind = UserEventKind::kRead;
  event.conv = mark.conv;
  event.seq = out.read_seq;
  HY_TRY(out.useq, add_event(db, mark.uid, event, now_ms));
  out.changed = true;
  return out;
}

/// A row of sql::kListSince and sql::kListNewest, before unread and the last message are known.
struct ListRow {
  ConversationRow row;
  std::uint64_t countable_head = 0;
  Seq mark;  ///< max(read, own last, join, cleared)
  Seq visible_from;
  ChainEnd end;
};

ListRow read_list_row(const sqlite::Statement& from, Uid uid) {
  ListRow out;
  out.row.conv = ConversationId::from_bytes(from.blob(0));
  out.end = {Seq{from.unsigned_integer(1)}, from.integer(10)};
  out.row.head = visible_head(out.end.head, Seq{from.unsigned_integer(11)});
  out.row.head_ms = from.integer(2);
  out.countable_head = from.unsigned_integer(3);
  const bool low = out.row.conv.hi == uid.value();
  const Seq own_last{from.unsigned_integer(low ? 4 : 5)};
  out.row.read_seq = Seq{from.unsigned_integer(6)};
  const Seq join{from.unsigned_integer(7)};
  const Seq cleared{from.unsigned_integer(8)};
  out.mark = std::max({out.row.read_seq, own_last, join, cleared});
  out.visible_from = std::max(Seq{from.unsigned_integer(9)}, Seq{cleared.value() + 1});
  if (out.row.conv.is_group()) out.row.join_seq = join;
  return out;
}

Status complete_row(sqlite::Database& db, Uid uid, std::uint32_t body_max, ListRow& list) {
  const Bytes conv = list.row.conv.to_bytes();
  MessageChain chain(db, conv, list.end);
  if (list.mark < list.row.head) {
    std::uint64_t below = list.mark.value();
    // Where every message counts, and most do, the ordinal is the seq.
    const bool all_count = list.countable_head == list.end.head.value();
    if (list.row.head < list.end.head) {
      HY_TRY(list.countable_head, chain.ordinal_at(list.row.head));
    }
    if (!all_count && below > 0) {
      HY_TRY(below, chain.ordinal_at(list.mark));
    }
    if (list.countable_head > below)
      list.row.unread = static_cast<std::uint32_t>(
          std::min<std::uint64_t>(list.countable_head - below, UINT32_MAX));
  }
  if (list.row.head >= list.visible_from) {
    HY_TRY(list.row.last, chain.at(list.row.head, body_max));
  }
  if (list.row.conv.is_group()) {
    HY_TRY(auto name, db.prepare(sql::kGroupName));
    name.bind(1, list.row.conv.lo);
    HY_TRY(const bool named, name.step());
    if (named) list.row.group_name = name.text(0);
    return {};
  }
  HY_TRY(auto peer, db.prepare(sql::kReadSeq));
  peer.bind(1, list.row.conv.peer_of(uid).value()).bind_blob(2, conv);
  HY_TRY(const bool row, peer.step());
  if (row) list.row.peer_read = Seq{peer.unsigned_integer(0)};
  return {};
}

Result<std::vector<ListRow>> read_list(sqlite::Database& db, const ListQuery& query, bool& more) {
  std::vector<ListRow> rows;
  HY_TRY(auto statement, db.prepare(query.newest_first ? sql::kListNewest : sql::kListSince));
  statement.bind(1, query.uid.value());
  if (query.newest_first) {
    statement.bind(2, query.before_ms == 0 ? INT64_MAX : query.before_ms).bind(3, query.limit);
  } else {
    statement.bind_blob(2, query.page_after ? query.page_after->to_bytes() : Bytes{})
        .bind(3, query.since_ms == 0 ? INT64_MIN : query.since_ms)
        .bind(4, query.limit + 1);
  }
  for (;;) {
    HY_TRY(const bool row, statement.step());
    if (!row) break;
    rows.push_back(read_list_row(statement, query.uid));
  }
  if (!query.newest_first) {
    more = rows.size() > query.limit;
    if (more) rows.pop_back();
  } else if (!rows.empty()) {
    HY_TRY(auto older, db.prepare(sql::kOlderExists));
    older.bind(1, query.uid.value()).bind(2, rows.back().row.head_ms);
    HY_TRY(more, older.step());
  }
  return rows;
}

}  // namespace

Result<std::vector<PairFacts>> SqliteMembership::open_pairs(std::span<const UidPair> pairs) {
  std::vector<PairFacts> facts(pairs.size());
  std::vector<std::size_t> missing;
  // The common case writes nothing and takes no write transaction.
  HY_TRY_VOID(link_.read([&](sqlite::Database& db) -> Status {
    missing.clear();
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      HY_TRY(const PairState seen, read_pair(db, pairs[i].a, pairs[i].b));
      facts[i] = seen.facts;
      if (!seen.complete && seen.facts.a_exists && seen.facts.b_exists) missing.push_back(i);
    }
    return {};
  }));
  if (missing.empty()) return facts;
  return link_.write([&](sqlite::Database& db) -> Result<std::vector<PairFacts>> {
    const std::int64_t now_ms = link_.now_ms();
    for (const std::size_t i : missing) {
      HY_TRY_VOID(make_pair(db, pairs[i].a, pairs[i].b, now_ms));
      HY_TRY(const PairState state, read_pair(db, pairs[i].a, pairs[i].b));
      facts[i] = state.facts;
    }
    return facts;
  });
}

Result<PairFacts> SqliteMembership::set_block(Uid uid, Uid peer, bool on) {
  return link_.write([&](sqlite::Database& db) -> Result<PairFacts> {
    HY_TRY(PairState state, read_pair(db, uid, peer));
    if (!state.facts.a_exists || !state.facts.b_exists || state.facts.a_blocks_b == on)
      return state.facts;
    const std::int64_t now_ms = link_.now_ms();
    HY_TRY_VOID(make_pair(db, uid, peer, now_ms));
    HY_TRY(auto change, db.prepare(on ? sql::kBlock : sql::kUnblock));
    change.bind(1, uid.value()).bind(2, peer.value());
    if (on) change.bind(3, now_ms);
    HY_TRY_VOID(change.run());
    link_.heads().forget(ConversationId::pair(uid, peer));
    HY_TRY(auto raise, db.prepare(sql::kRaiseMemberVersion));
    raise.bind_blob(1, ConversationId::pair(uid, peer).to_bytes());
    HY_TRY_VOID(raise.run());
    UserEvent event;
    event.kind = UserEventKind::kBlock;
    event.peer = peer;
    event.on = on;
    HY_TRY(const Useq useq, add_event(db, uid, event, now_ms));
    static_cast<void>(useq);
    HY_TRY(state, read_pair(db, uid, peer));
    return state.facts;
  });
}

Result<std::vector<Result<ReadMarked>>> SqliteMembership::mark_read(
    std::span<const ReadMark> marks) {
  return link_.write([&](sqlite::Database& db) -> Result<std::vector<Result<ReadMarked>>> {
    std::vector<Result<ReadMarked>> answers;
    answers.reserve(marks.size());
    const std::int64_t now_ms = link_.now_ms();
    for (const ReadMark& mark : marks) {
      auto answer = move_mark(db, mark, now_ms);
      if (!answer && answer.error().code != Errc::kNotMember)
        return std::unexpected(std::move(answer).error());
      answers.push_back(std::move(answer));
    }
    return answers;
  });
}

Result<ConversationPage> SqliteMembership::list_conversations(const ListQuery& query) {
  // Before the read view: a commit that the view does not show has a head_ms near this or later.
  const std::int64_t store_ms = link_.now_ms();
  return link_.read([&](sqlite::Database& db) -> Result<ConversationPage> {
    ConversationPage page;
    page.store_ms = store_ms;
    HY_TRY(auto user, db.prepare(sql::kUseqHead));
    user.bind(1, query.uid.value());
    HY_TRY(const bool known, user.step());
    if (!known) return fail(Errc::kUnknownUser);
    page.useq_head = Useq{user.unsigned_integer(0)};
    HY_TRY(auto rows, read_list(db, query, page.more));
    page.rows.reserve(rows.size());
    for (ListRow& list : rows) {
      HY_TRY_VOID(complete_row(db, query.uid, query.last_body_bytes_max, list));
      page.rows.push_back(std::move(list.row));
    }
    return page;
  });
}

}  // namespace hy::das::embedded
