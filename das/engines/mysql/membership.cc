#include "das/engines/mysql/membership.h"

#include <algorithm>
#include <array>
#include <tuple>
#include <utility>

#include "common/base/check.h"
#include "common/base/test_hooks.h"
#include "das/engines/mysql/packed_rows.h"
#include "das/engines/mysql/row.h"
#include "das/engines/mysql/statements.h"
#include "das/storage/group_rules.h"

namespace hy::das::mysql {

void MysqlMembership::take_facts(const sql::ResultSet& row, Pair& pair) {
  pair.facts.a_exists = row.getInt(1) > 0;
  pair.facts.b_exists = row.getInt(2) > 0;
  pair.facts.a_blocks_b = row.getInt(3) > 0;
  pair.facts.b_blocks_a = row.getInt(4) > 0;
  pair.facts.member_version = row.getUInt64(5);
  pair.rows_made = pair.facts.member_version > 0 && row.getInt(6) + row.getInt(7) == 2;
}

MysqlMembership::Pair MysqlMembership::read_pair(Uid a, Uid b) {
  const ConversationId conv = ConversationId::pair(a, b);
  sql::PreparedStatement& s = connection_.prepared(text(sql_text::kPairFacts));
  put_all(s, a, b, a, b, b, a, conv, a, conv, b, conv);
  const auto row = connection_.query(s);
  row->next();
  Pair pair;
  take_facts(*row, pair);
  return pair;
}

void MysqlMembership::make_rows(Uid a, Uid b) {
  const ConversationId conv = ConversationId::pair(a, b);
  sql::PreparedStatement& conversation = connection_.prepared(text(sql_text::kMakeConversation));
  put_all(conversation, conv);
  conversation.executeUpdate();
  sql::PreparedStatement& members = connection_.prepared(text(sql_text::kMakeMembers));
  if (mutant(Mutant::kUserConvAfterAppend)) {
    sql::PreparedStatement& head = connection_.prepared(text(sql_text::kHeadSeq));
    put_all(head, conv);
    const auto row = connection_.query(head);
    if (row->next() && row->getUInt64(1) == 0) b = a;
  }
  put_all(members, std::min(a, b), conv, std::max(a, b), conv);
  members.executeUpdate();
}

std::vector<MysqlMembership::Pair> MysqlMembership::read_pairs(std::span<const UidPair> pairs) {
  if (pairs.size() == 1) return {read_pair(pairs[0].a, pairs[0].b)};
  std::array<PackedColumn, 3> columns;
  for (const UidPair& pair : pairs) {
    columns[0].add_number(pair.a.value());
    columns[1].add_number(pair.b.value());
    columns[2].add_id(ConversationId::pair(pair.a, pair.b));
  }
  sql::PreparedStatement& s = connection_.prepared(text(sql_text::kPairFactsPacked));
  put_packed(s, columns, pairs.size());
  const auto rows = connection_.query(s);
  std::vector<Pair> out(pairs.size());
  while (rows->next()) {
    Pair& pair = out.at(rows->getUInt(8) - 1);
    take_facts(*rows, pair);
  }
  return out;
}

/// Ascending, as every writer of these rows.
void MysqlMembership::make_rows(std::span<const UidPair> pairs) {
  if (pairs.size() == 1 || mutant(Mutant::kUserConvAfterAppend)) {
    for (const UidPair& pair : pairs) make_rows(pair.a, pair.b);
    return;
  }
  std::vector<ConversationId> convs;
  std::vector<std::pair<Uid, ConversationId>> members;
  for (const auto& [a, b] : pairs) {
    const ConversationId conv = ConversationId::pair(a, b);
    convs.push_back(conv);
    members.emplace_back(a, conv);
    members.emplace_back(b, conv);
  }
  std::ranges::sort(convs);
  std::ranges::sort(members);
  std::array<PackedColumn, 2> columns;
  for (const ConversationId& conv : convs) columns[1].add_id(conv);
  sql::PreparedStatement& heads = connection_.prepared(text(sql_text::kMakeConversationsPacked));
  put_packed(heads, std::span(columns).last(1), convs.size());
  heads.executeUpdate();
  columns[1].clear();
  for (const auto& [uid, conv] : members) {
    columns[0].add_number(uid.value());
    columns[1].add_id(conv);
  }
  sql::PreparedStatement& rows = connection_.prepared(text(sql_text::kMakeMembersPacked));
  put_packed(rows, columns, members.size());
  rows.executeUpdate();
}

Result<std::vector<PairFacts>> MysqlMembership::open_pairs(std::span<const UidPair> pairs) {
  HY_CHECK(!pairs.empty() && pairs.size() <= kPairsMax);
  return guarded(connection_, [&]() -> Result<std::vector<PairFacts>> {
    std::vector<Pair> seen = read_pairs(pairs);
    std::vector<UidPair> missing;
    std::vector<std::size_t> where;
    for (std::size_t i = 0; i < seen.size(); ++i) {
      if (!seen[i].facts.a_exists || !seen[i].facts.b_exists) {
        seen[i].facts.member_version = 0;
      } else if (!seen[i].rows_made) {
        missing.push_back(pairs[i]);
        where.push_back(i);
      }
    }
    if (!missing.empty()) {
      Transaction transaction(connection_);
      sync_point("das.before_user_conv_made");
      make_rows(missing);
      const std::vector<Pair> made = read_pairs(missing);
      for (std::size_t k = 0; k < made.size(); ++k) seen[where[k]] = made[k];
      transaction.commit();
    }
    std::vector<PairFacts> out;
    for (const Pair& pair : seen) out.push_back(pair.facts);
    return out;
  });
}

Result<PairFacts> MysqlMembership::set_block(Uid uid, Uid peer, bool on) {
  return guarded(connection_, [&]() -> Result<PairFacts> {
    Pair pair = read_pair(uid, peer);
    if (!pair.facts.a_exists || !pair.facts.b_exists) {
      pair.facts.member_version = 0;
      return pair.facts;
    }
    const ConversationId conv = ConversationId::pair(uid, peer);
    Transaction transaction(connection_);
    make_rows(uid, peer);  // takes the conversation's row lock
    sql::PreparedStatement& is_blocked = connection_.prepared(text(sql_text::kIsBlocked));
    put_all(is_blocked, uid, peer);
    const auto row = connection_.query(is_blocked);
    row->next();
    if ((row->getInt(1) > 0) != on) {
      sql::PreparedStatement& change =
          connection_.prepared(text(on ? sql_text::kBlock : sql_text::kUnblock));
      put_all(change, uid, peer);
      change.executeUpdate();
      sql::PreparedStatement& raise = connection_.prepared(text(sql_text::kRaiseMemberVersion));
      put_all(raise, conv);
      raise.executeUpdate();
      add_event(uid, UserEventKind::kBlock, {}, Seq{}, peer, on);
    }
    pair = read_pair(uid, peer);
    transaction.commit();
    return pair.facts;
  });
}

Useq MysqlMembership::add_event(Uid uid, UserEventKind kind, ConversationId conv, Seq seq, Uid peer,
                                bool on) {
  sql::PreparedStatement& raise = connection_.prepared(text(sql_text::kRaiseUseq));
  put_all(raise, uid);
  raise.executeUpdate();
  sql::PreparedStatement& head = connection_.prepared(text(sql_text::kUseqHead));
  put_all(head, uid);
  const auto row = connection_.query(head);
  row->next();
  const Useq useq{row->getUInt64(1)};
  sql::PreparedStatement& insert = connection_.prepared(text(sql_text::kInsertEvent));
  put_all(insert, uid, useq, std::uint64_t{static_cast<std::uint8_t>(kind)}, conv, seq, peer,
          std::uint64_t{on ? 1U : 0U});
  insert.executeUpdate();
  return useq;
}

Result<ReadMarked> MysqlMembership::mark_one(const ReadMark& mark) {
  sql::PreparedStatement& read = connection_.prepared(text(sql_text::kReadSeq));
  put_all(read, mark.uid, mark.conv);
  const auto row = connection_.query(read);
  if (!row->next()) return fail(Errc::kNotMember);
  const std::uint64_t old = row->getUInt64(1);
  sql::PreparedStatement& head = connection_.prepared(text(sql_text::kHeadSeq));
  put_all(head, mark.conv);
  const auto head_row = connection_.query(head);
  const Seq top{head_row->next() ? head_row->getUInt64(1) : 0};
  const std::uint64_t wanted =
      std::min(mark.seq, visible_head(top, Seq{row->getUInt64(2)})).value();
  if (wanted <= old) return ReadMarked{Seq{old}, false, {}};
  sql::PreparedStatement& set = connection_.prepared(text(sql_text::kSetReadSeq));
  put_all(set, wanted, mark.uid, mark.conv);
  set.executeUpdate();
  return ReadMarked{Seq{wanted}, true,
                    add_event(mark.uid, UserEventKind::kRead, mark.conv, Seq{wanted}, Uid{}, true)};
}

Result<std::vector<Result<ReadMarked>>> MysqlMembership::mark_read(
    std::span<const ReadMark> marks) {
  return guarded(connection_, [&]() -> Result<std::vector<Result<ReadMarked>>> {
    // Ascending (uid, conv): two lanes take the same locks in the same order.
    std::vector<std::size_t> order(marks.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::ranges::sort(order, {},
                      [&](std::size_t i) { return std::tuple(marks[i].uid, marks[i].conv, i); });
    std::vector<Result<ReadMarked>> out(marks.size(), fail(Errc::kInternal));
    Transaction transaction(connection_);
    for (const std::size_t i : order) out[i] = mark_one(marks[i]);
    transaction.commit();
    return out;
  });
}

namespace {

ConversationRow row_of(sql::ResultSet& row) {
  ConversationRow out;
  out.conv = conv_of(row.getString(1));
  out.head = Seq{row.getUInt64(2)};
  out.head_ms = row.getInt64(3);
  out.read_seq = Seq{row.getUInt64(4)};
  out.peer_read = Seq{row.getUInt64(5)};
  out.unread = static_cast<std::uint32_t>(std::max<std::int64_t>(row.getInt64(6), 0));
  if (!row.isNull(7)) {
    out.last = StoredMessage{out.conv,
                             Seq{row.getUInt64(7)},
                             Uid{row.getUInt64(8)},
                             id_of(row.getString(9)),
                             row.getUInt(10),
                             row.getInt64(11),
                             Body{bytes_of(row.getString(12))}};
  }
  if (out.conv.is_group()) out.join_seq = Seq{row.getUInt64(13)};
  return out;
}

/// Cuts to `limit` rows; newest first, rows of one head_ms stay together.
void cut_page(ConversationPage& page, const ListQuery& query) {
  std::size_t keep = query.limit;
  if (page.rows.size() <= keep) return;
  if (query.newest_first) {
    while (keep < page.rows.size() && page.rows[keep].head_ms == page.rows[keep - 1].head_ms)
      ++keep;
  }
  page.more = keep < page.rows.size();
  page.rows.resize(keep);
}

}  // namespace

Result<ConversationPage> MysqlMembership::list_conversations(const ListQuery& query) {
  return guarded(connection_, [&]() -> Result<ConversationPage> {
    ConversationPage page;
    const bool by_time = query.newest_first;
    const std::int64_t since = by_time ? 0 : query.since_ms;
    const Bytes after =
        query.page_after && !by_time ? query.page_after->to_bytes() : Bytes(16, '\0');
    sql::PreparedStatement& before = connection_.prepared(text(sql_text::kBeforeList));
    put_all(before, query.uid, after, since, query.uid);
    const auto first = connection_.query(before);
    if (!first->next()) return fail(Errc::kUnknownUser);
    page.store_ms = first->getInt64(1);
    page.useq_head = Useq{first->getUInt64(2)};
    if (first->getInt(3) == 0) return page;
    Bytes uid_bytes(8, '\0');
    put_be(reinterpret_cast<std::uint8_t*>(uid_bytes.data()), query.uid.value());
    sql::PreparedStatement& s = connection_.prepared(sql_text::list_conversations(by_time));
    const std::uint64_t fetch = by_time ? query.limit * 2ULL + 1 : query.limit + 1ULL;
    const std::uint64_t body_max = query.last_body_bytes_max;
    if (by_time) {
      const std::int64_t before_ms = query.before_ms == 0 ? INT64_MAX : query.before_ms;
      put_all(s, body_max, uid_bytes, query.uid, before_ms, fetch);
    } else {
      put_all(s, body_max, uid_bytes, query.uid, since, after, fetch);
    }
    const auto rows = connection_.query(s);
    while (rows->next()) page.rows.push_back(row_of(*rows));
    cut_page(page, query);
    name_groups(connection_, page.rows);
    return page;
  });
}

Result<UserEvents> MysqlUserLog::read(Uid uid, Useq after, std::uint32_t limit) {
  return guarded(connection_, [&]() -> Result<UserEvents> {
    sql::PreparedStatement& head = connection_.prepared(text(sql_text::kUseqHead));
    put_all(head, uid);
    const auto user = connection_.query(head);
    if (!user->next()) return fail(Errc::kUnknownUser);
    UserEvents out;
    out.head = Useq{user->getUInt64(1)};
    if (after > out.head) {
      out.too_far = true;
      return out;
    }
    if (after == out.head) return out;
    sql::PreparedStatement& s = connection_.prepared(text(sql_text::kReadEvents));
    put_all(s, uid, after, std::uint64_t{limit} + 1);
    const auto rows = connection_.query(s);
    while (rows->next()) {
      if (out.events.size() == limit) {
        out.more = true;
        break;
      }
      out.events.push_back({Useq{rows->getUInt64(1)}, static_cast<UserEventKind>(rows->getInt(2)),
                            conv_of(rows->getString(3)), Seq{rows->getUInt64(4)},
                            Uid{rows->getUInt64(5)}, rows->getInt(6) > 0});
    }
    const bool hole = out.events.empty() || out.events.front().useq.value() != after.value() + 1;
    if (hole) {
      out.events.clear();
      out.more = false;
      out.too_far = true;
    }
    return out;
  });
}

}  // namespace hy::das::mysql
