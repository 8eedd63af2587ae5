#include "das/engines/embedded/message_log.h"

#include <algorithm>

#include "common/base/test_hooks.h"
#include "das/engines/embedded/append_rows.h"
#include "das/engines/embedded/message_chain.h"
#include "das/engines/embedded/statements.h"
#include "das/storage/group_rules.h"

namespace hy::das::embedded {
namespace {

/// head_ms is taken before the commit shows: a transaction that took longer is not committed with
/// an old one (guarantees.md §6), and a COMMIT that hung is followed by new head_ms.
constexpr Millis kHeadAgeMax{5'000};
/// A repeat of something older moves head_ms: its first commit may have been long in the making.
constexpr std::int64_t kOldRepeatMs = 10'000;

Result<bool> identity_exists(sqlite::Database& db, std::string_view conv, Uid sender,
                             const ClientMsgId& id) {
  HY_TRY(auto statement, db.prepare(sql::kFindIdentity));
  statement.bind_blob(1, conv).bind(2, sender.value()).bind_blob(3, as_text(id.bytes));
  return statement.step();
}

Status move_head_ms(sqlite::Database& db, std::string_view conv, std::int64_t now_ms) {
  HY_TRY(auto statement, db.prepare(sql::kMoveHeadMs));
  statement.bind_blob(1, conv).bind(2, now_ms);
  return statement.run();
}

/// One conversation's run of a batch. kConflict, kGap, kMembersChanged: not plain.
Status append_run(sqlite::Database& db, HeadCache& heads, AppendStatements& use,
                  std::span<const AppendItem* const> items, std::int64_t now_ms, FastAppend& out) {
  const ConvKey key(items.front()->conv);
  const std::string_view conv = key.view();
  std::optional<Head> head;
  if (const Head* const known = heads.find(items.front()->conv)) {
    head = *known;
  } else {
    HY_TRY(head, read_head(use, conv));
  }
  if (!head) return fail(Errc::kMembersChanged, "no such conversation");
  sync_point("das.embedded_after_lock");
  if (mutant(Mutant::kSeqBeforeLock)) head->seq = Seq{head->seq.value() - items.size()};
  for (std::size_t i = 0; i < items.size(); ++i) {
    const AppendItem& item = *items[i];
    if (item.member_version != head->member_version && !mutant(Mutant::kMemberVersionIgnored))
      return fail(Errc::kMembersChanged);
    if (item.after && !item.after_proven) {
      const auto before = items.first(i);
      const bool earlier = std::ranges::any_of(before, [&](const AppendItem* other) {
        return other->sender == item.sender && other->client_msg_id == *item.after;
      });
      if (!earlier) {
        HY_TRY(const bool stored, identity_exists(db, conv, item.sender, *item.after));
        if (!stored) return fail(Errc::kGap);
      }
    }
    HY_TRY_VOID(insert_message(db, use, conv, item, *head, now_ms));
    out.stored.push_back({head->seq, now_ms, false});
  }
  HY_TRY_VOID(raise_head(use, conv, *head, now_ms));
  head->head_ms = now_ms;
  heads.stage(items.front()->conv, *head);
  out.heads.push_back({items.front()->conv, head->seq, now_ms});
  return {};
}

/// Mutant: the numbers are given for good before the transaction that uses them.
Status give_numbers(sqlite::Database& db, HeadCache& heads,
                    std::span<const AppendItem* const> items) {
  for (const AppendItem* item : items) {
    heads.forget(item->conv);
    HY_TRY(auto raise,
           db.prepare("UPDATE conversation SET head_seq = head_seq + 1 WHERE conv = ?"));
    raise.bind_blob(1, item->conv.to_bytes());
    HY_TRY_VOID(raise.run());
  }
  return {};
}

Result<StoredMessage> find_by_id(sqlite::Database& db, std::string_view conv,
                                 const FindQuery& query) {
  HY_TRY(auto row, db.prepare(sql::kFindId));
  row.bind_blob(1, conv)
      .bind(2, query.sender.value())
      .bind_blob(3, as_text(query.client_msg_id.bytes));
  HY_TRY(const bool found, row.step());
  if (!found) return fail(Errc::kMessageNotFound);
  StoredMessage message;
  message.conv = query.conv;
  message.seq = Seq{row.unsigned_integer(0)};
  message.sender = Uid{row.unsigned_integer(1)};
  message.client_msg_id = ClientMsgId::from_bytes(row.blob(2));
  message.kind = static_cast<std::uint32_t>(row.integer(3));
  message.server_ms = row.integer(4);
  return message;
}

struct Member {
  ChainEnd end;
  Seq visible_from;
  Seq head;  ///< the newest that he may see
};

Result<Member> member_of(sqlite::Database& db, Uid uid, std::string_view conv) {
  HY_TRY(auto statement, db.prepare(sql::kMember));
  statement.bind(1, uid.value()).bind_blob(2, conv);
  HY_TRY(const bool row, statement.step());
  if (!row) return fail(Errc::kNotMember);
  const ChainEnd end{Seq{statement.unsigned_integer(0)}, statement.integer(3)};
  return Member{end, Seq{statement.unsigned_integer(1)},
                visible_head(end.head, Seq{statement.unsigned_integer(2)})};
}

}  // namespace

FastAppend SqliteMessageLog::append_fast(std::span<const AppendItem* const> items) {
  const MonoTime begun = link_.now();
  if (mutant(Mutant::kSeqBeforeLock))
    static_cast<void>(link_.write(
        [&](sqlite::Database& db) -> Status { return give_numbers(db, link_.heads(), items); }));
  auto done = link_.write([&](sqlite::Database& db) -> Result<FastAppend> {
    FastAppend out;
    out.stored.reserve(items.size());
    const std::int64_t now_ms = link_.now_ms();
    out.heads.reserve(items.size());
    HY_TRY(auto use, AppendStatements::prepare(db));
    for (const AppendItem* item : items) link_.heads().prefetch(item->conv);
    for (std::size_t from = 0; from < items.size();) {
      std::size_t to = from + 1;
      while (to < items.size() && items[to]->conv == items[from]->conv) ++to;
      HY_TRY_VOID(append_run(db, link_.heads(), use, items.subspan(from, to - from), now_ms, out));
      from = to;
    }
    sync_point("das.embedded_after_insert_before_commit");
    if (link_.now() - begun > kHeadAgeMax) return fail(Errc::kOverloaded, "took too long");
    out.result = FastResult::kStored;
    return out;
  });
  FastAppend out;
  if (done) {
    out = *std::move(done);
    if (link_.now() - begun <= kHeadAgeMax) return out;
    if (auto moved = refresh_heads(out.heads); moved) return out;
    out.result = FastResult::kUnknown;
    out.why = {Errc::kOutcomeUnknown, "COMMIT hung and head_ms could not be moved", {}};
    return out;
  }
  out.why = done.error();
  switch (out.why.code) {
    case Errc::kOutcomeUnknown: out.result = FastResult::kUnknown; break;
    case Errc::kConflict:
    case Errc::kInternal:  // a damaged conversation must not refuse the others of its batch
    case Errc::kGap:
    case Errc::kMembersChanged:
    case Errc::kOverloaded: out.result = FastResult::kRolledBack; break;
    default: out.result = FastResult::kFailed; break;
  }
  return out;
}

Status SqliteMessageLog::refresh_heads(std::vector<CommittedHead>& heads) {
  const std::int64_t now_ms = link_.now_ms();
  auto moved = link_.write([&](sqlite::Database& db) -> Status {
    for (const CommittedHead& head : heads) {
      link_.heads().forget(head.conv);
      HY_TRY_VOID(move_head_ms(db, head.conv.to_bytes(), now_ms));
    }
    return {};
  });
  for (CommittedHead& head : heads) head.head_ms = now_ms;
  return moved;
}

Result<AppendedOne> SqliteMessageLog::append_one(const AppendItem& item) {
  const Bytes conv = item.conv.to_bytes();
  const MonoTime begun = link_.now();
  auto done = link_.write([&](sqlite::Database& db) -> Result<AppendedOne> {
    const std::int64_t now_ms = link_.now_ms();
    link_.heads().forget(item.conv);
    HY_TRY(auto use, AppendStatements::prepare(db));
    HY_TRY(auto head, read_head(use, conv));
    if (!head) return fail(Errc::kMembersChanged, "no such conversation");
    {
      HY_TRY(auto known, db.prepare(sql::kFindIdentity));
      known.bind_blob(1, conv)
          .bind(2, item.sender.value())
          .bind_blob(3, as_text(item.client_msg_id.bytes));
      HY_TRY(const bool row, known.step());
      if (row && !mutant(Mutant::kNoDeduplication)) {
        if (known.blob(2) != as_text(item.payload_hash) && !mutant(Mutant::kPayloadHashIgnored))
          return fail(Errc::kConflict);
        const Stored stored{Seq{known.unsigned_integer(0)}, known.integer(1), true};
        // A wall clock that stepped back since makes the row look young: move it then too.
        const std::int64_t age = now_ms - stored.server_ms;
        if (age > kOldRepeatMs || age < 0) {
          HY_TRY_VOID(move_head_ms(db, conv, now_ms));
          head->head_ms = now_ms;
        }
        if (mutant(Mutant::kHeadRaisedForRepeat)) {
          head->seq = Seq{head->seq.value() + 1};
          HY_TRY_VOID(raise_head(use, conv, *head, head->head_ms));
        }
        return AppendedOne{stored, {item.conv, head->seq, head->head_ms}};
      }
    }
    if (item.member_version != head->member_version && !mutant(Mutant::kMemberVersionIgnored))
      return fail(Errc::kMembersChanged);
    if (item.after) {
      HY_TRY(const bool stored, identity_exists(db, conv, item.sender, *item.after));
      if (!stored) return fail(Errc::kGap);
    }
    auto inserted = insert_message(db, use, conv, item, *head, now_ms);
    // Not a repeat: it is the seq that has a row already.
    if (!inserted && inserted.error().code == Errc::kConflict)
      return fail(Errc::kInternal, "the store's file is damaged: " + inserted.error().detail);
    HY_TRY_VOID(std::move(inserted));
    HY_TRY_VOID(raise_head(use, conv, *head, now_ms));
    if (link_.now() - begun > kHeadAgeMax) return fail(Errc::kOverloaded, "took too long");
    return AppendedOne{{head->seq, now_ms, false}, {item.conv, head->seq, now_ms}};
  });
  if (done && link_.now() - begun > kHeadAgeMax) {
    std::vector<CommittedHead> heads{done->head};
    if (auto moved = refresh_heads(heads); !moved)
      return fail(Errc::kOutcomeUnknown, "COMMIT hung and head_ms could not be moved");
    done->head = heads.front();
  }
  return done;
}

Result<Slice> SqliteMessageLog::pull(const PullQuery& query) {
  if (query.to.value() > 0 && query.from > query.to && query.last == 0)
    return fail(Errc::kRangeInvalid);
  const Bytes conv = query.conv.to_bytes();
  return link_.read([&](sqlite::Database& db) -> Result<Slice> {
    HY_TRY(const Member member, member_of(db, query.uid, conv));
    Slice slice;
    const Seq head = member.head;
    slice.head = head;
    const bool backwards = query.last > 0;
    const Seq to = query.to.value() == 0 ? head : std::min(query.to, head);
    Seq from = std::max(query.from, Seq{1});
    const std::uint32_t limit =
        backwards ? std::min(query.last, query.messages_max) : query.messages_max;
    if (backwards) from = Seq{to.value() >= limit ? to.value() - limit + 1 : 1};
    if (from < member.visible_from) {
      slice.truncated_to = Seq{member.visible_from.value() - 1};
      from = member.visible_from;
    }
    if (from > to) return slice;
    MessageChain chain(db, conv, member.end);
    if (backwards) {
      HY_TRY(slice.messages, chain.newest(from, to, query.bytes_max));
      return slice;
    }
    const Seq last = to.value() - from.value() < limit ? to : Seq{from.value() + limit - 1};
    HY_TRY(slice.messages, chain.oldest(from, last, query.bytes_max));
    slice.more = slice.messages.back().seq < to;
    return slice;
  });
}

Result<FoundMessage> SqliteMessageLog::find(const FindQuery& query) {
  const Bytes conv = query.conv.to_bytes();
  return link_.read([&](sqlite::Database& db) -> Result<FoundMessage> {
    HY_TRY(const Member member, member_of(db, query.uid, conv));
    FoundMessage out;
    if (query.seq.value() > 0) {
      if (query.seq > member.head || query.seq < member.visible_from)
        return fail(Errc::kMessageNotFound);
      HY_TRY(out.message, MessageChain(db, conv, member.end).at(query.seq, 0));
    } else {
      HY_TRY(out.message, find_by_id(db, conv, query));
      if (out.message.seq < member.visible_from || out.message.seq > member.head)
        return fail(Errc::kMessageNotFound);
    }
    if (query.conv.is_group()) return out;
    HY_TRY(auto peer, db.prepare(sql::kReadSeq));
    peer.bind(1, query.conv.peer_of(query.uid).value()).bind_blob(2, conv);
    HY_TRY(const bool has_peer, peer.step());
    if (has_peer) out.peer_read = Seq{peer.unsigned_integer(0)};
    return out;
  });
}

}  // namespace hy::das::embedded
