#include "das/engines/mysql/message_log.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "common/base/check.h"
#include "common/base/test_hooks.h"
#include "das/engines/mysql/row.h"
#include "das/engines/mysql/statements.h"

namespace hy::das::mysql {
namespace {

// A lane with a backlog takes 200 at a time: one statement. Below, the large steps are 32 apart and
// the rest is powers of two.
constexpr std::array<std::size_t, 11> kSizes = {200, 160, 128, 96, 64, 32, 16, 8, 4, 2, 1};
constexpr std::array<std::size_t, 15> kPadded = {1,  2,  4,   8,   16,  24,  32, 48,
                                                 64, 96, 128, 160, 192, 224, 256};

// A repeat older than this moves head_ms, so that a device whose SYNC ran between sees the
// conversation again.
constexpr std::int64_t kOldRepeatMs = 10'000;

/// Which half of a pair's id the sender is.
bool is_low(const AppendItem& item) {
  return item.conv.hi == item.sender.value();
}

void put_message(sql::PreparedStatement& s, unsigned& index, const AppendItem& item,
                 std::uint64_t seq, std::uint64_t ordinal, std::int64_t ms) {
  put(s, ++index, item.conv);
  put(s, ++index, seq);
  put(s, ++index, item.sender);
  put(s, ++index, as_text(item.client_msg_id.bytes));
  put(s, ++index, as_text(item.payload_hash));
  put(s, ++index, std::uint64_t{item.kind});
  put(s, ++index, std::uint64_t{item.countable ? 1U : 0U});
  put(s, ++index, ordinal);
  put(s, ++index, ms);
  put(s, ++index, std::string_view(item.body.bytes));
}

}  // namespace

std::vector<std::size_t> statement_sizes(std::size_t n) {
  std::vector<std::size_t> out;
  for (const std::size_t size : kSizes) {
    for (; n >= size; n -= size) out.push_back(size);
  }
  return out;
}

std::size_t padded_size(std::size_t n) {
  const auto it = std::ranges::find_if(kPadded, [n](std::size_t size) { return size >= n; });
  HY_CHECK(it != kPadded.end());
  return *it;
}

template <class Make>
sql::PreparedStatement& MysqlMessageLog::of_size(BySize& kept, std::size_t rows, Make make) {
  sql::PreparedStatement*& s = kept[rows];
  if (s == nullptr) s = &connection_.prepared(make(rows));
  return *s;
}

void MysqlMessageLog::raise_heads(std::span<Head> heads) {
  // Padded with nothing added to the last one, which leaves its row as it is.
  const std::size_t rows = padded_size(heads.size());
  sql::PreparedStatement& s = of_size(raises_, rows, sql_text::raise_heads);
  Head nothing;
  nothing.conv = heads.back().conv;
  unsigned index = 0;
  for (std::size_t i = 0; i < rows; ++i) {
    const Head& head = i < heads.size() ? heads[i] : nothing;
    put(s, ++index, head.conv);
    put(s, ++index, head.added);
    put(s, ++index, head.countable_added);
    put(s, ++index, head.low_place);
    put(s, ++index, head.high_place);
  }
  s.executeUpdate();
}

bool MysqlMessageLog::read_heads(std::span<Head> heads) {
  const std::size_t rows = padded_size(heads.size());
  sql::PreparedStatement& s = of_size(reads_, rows, sql_text::read_heads);
  for (std::size_t i = 0; i < rows; ++i) {
    put(s, static_cast<unsigned>(i + 1), heads[std::min(i, heads.size() - 1)].conv);
  }
  const auto result = connection_.query(s);
  std::size_t found = 0;
  while (result->next()) {
    const ConversationId conv = conv_of(result->getString(1));
    const auto it = std::ranges::lower_bound(heads, conv, {}, &Head::conv);
    if (it == heads.end() || it->conv != conv) continue;
    it->seq = result->getUInt64(2);
    it->countable = result->getUInt64(3);
    it->ms = result->getInt64(4);
    it->member_version = result->getUInt64(5);
    ++found;
  }
  return found == heads.size();
}

bool MysqlMessageLog::is_known(const AppendItem& item, const ClientMsgId& id) {
  sql::PreparedStatement& s = connection_.prepared(text(sql_text::kKnownMessage));
  put_all(s, item.conv, item.sender, as_text(id.bytes));
  return connection_.query(s)->next();
}

bool MysqlMessageLog::predecessors_stand(std::span<const AppendItem* const> items) {
  for (std::size_t i = 0; i < items.size(); ++i) {
    const AppendItem& item = *items[i];
    if (!item.after || item.after_proven) continue;
    const bool earlier = std::ranges::any_of(items.first(i), [&](const AppendItem* other) {
      return other->conv == item.conv && other->sender == item.sender &&
             other->client_msg_id == *item.after;
    });
    if (!earlier && !is_known(item, *item.after)) return false;
  }
  return true;
}

void MysqlMessageLog::insert_rows(std::span<const AppendItem* const> items,
                                  std::span<const Head> heads, std::vector<Stored>& stored) {
  // Positions are counted from where the head stood before the batch.
  std::size_t head = 0;
  std::uint64_t seq = 0;
  std::uint64_t countable = 0;
  std::size_t at = 0;
  for (const std::size_t rows : statement_sizes(items.size())) {
    sql::PreparedStatement& s = of_size(inserts_, rows, sql_text::insert_messages);
    unsigned index = 0;
    for (std::size_t i = 0; i < rows; ++i, ++at) {
      const AppendItem& item = *items[at];
      if (at == 0 || item.conv != items[at - 1]->conv) {
        head += at == 0 ? 0 : 1;
        seq = heads[head].seq - heads[head].added;
        countable = heads[head].countable - heads[head].countable_added;
      }
      ++seq;
      if (item.countable) ++countable;
      put_message(s, index, item, seq, countable, heads[head].ms);
      stored.push_back({Seq{seq}, heads[head].ms, false});
    }
    s.executeUpdate();
  }
}

FastAppend MysqlMessageLog::append_fast(std::span<const AppendItem* const> items) {
  std::vector<Head> heads;
  heads.reserve(items.size());
  for (const AppendItem* item : items) {
    if (heads.empty() || heads.back().conv != item->conv) heads.push_back({.conv = item->conv});
    ++heads.back().added;
    if (item->countable) ++heads.back().countable_added;
    (is_low(*item) ? heads.back().low_place : heads.back().high_place) = heads.back().added;
  }
  FastAppend out;
  out.stored.reserve(items.size());
  try {
    // Mutant: the numbers are given for good before the transaction that uses them.
    if (mutant(Mutant::kSeqBeforeLock)) raise_heads(heads);
    Transaction transaction(connection_);
    if (!mutant(Mutant::kSeqBeforeLock)) raise_heads(heads);
    sync_point("das.after_lock");
    const bool all_there = read_heads(heads);
    std::size_t at = 0;
    const bool judged_now = std::ranges::all_of(items, [&](const AppendItem* item) {
      while (heads[at].conv != item->conv) ++at;
      return heads[at].member_version == item->member_version;
    });
    if (!all_there || !judged_now || !predecessors_stand(items)) {
      out.result = FastResult::kRolledBack;
      out.why = {Errc::kMembersChanged, "row by row", {}};
      return out;
    }
    insert_rows(items, heads, out.stored);
    sync_point("das.after_insert_before_commit");
    transaction.commit();
    out.result = FastResult::kStored;
    out.heads.reserve(heads.size());
    for (const Head& head : heads) out.heads.push_back({head.conv, Seq{head.seq}, head.ms});
  } catch (const CommitUnknown& e) {
    out = {FastResult::kUnknown, {}, {}, {Errc::kOutcomeUnknown, e.detail, {}}};
  } catch (const sql::SQLException& e) {
    const Failure failure = classify(e);
    if (ends_session(failure)) connection_.mark_broken();
    const bool row_by_row = failure == Failure::kDuplicate || failure == Failure::kRetry;
    out = {row_by_row ? FastResult::kRolledBack : FastResult::kFailed, {}, {}, to_error(e)};
  }
  return out;
}

Result<AppendedOne> MysqlMessageLog::append_one(const AppendItem& item) {
  return guarded(connection_, [&] { return append_under_lock(item); });
}

Result<AppendedOne> MysqlMessageLog::append_under_lock(const AppendItem& item) {
  Transaction transaction(connection_);
  sql::PreparedStatement& lock = connection_.prepared(text(sql_text::kLockHead));
  put_all(lock, item.conv);
  const auto row = connection_.query(lock);
  if (!row->next()) return fail(Errc::kMembersChanged, "no conversation row");
  const std::uint64_t head = row->getUInt64(1);
  const std::uint64_t countable_head = row->getUInt64(2);
  const std::int64_t head_ms = row->getInt64(3);
  const std::uint64_t member_version = row->getUInt64(4);
  const std::int64_t now = row->getInt64(5);

  sync_point("das.slow_after_lock");
  sql::PreparedStatement& known = connection_.prepared(text(sql_text::kKnownMessage));
  put_all(known, item.conv, item.sender, as_text(item.client_msg_id.bytes));
  if (const auto found = connection_.query(known);
      found->next() && !mutant(Mutant::kNoDeduplication)) {
    const Stored first{Seq{found->getUInt64(1)}, found->getInt64(2), true};
    if (bytes_of(found->getString(3)) != as_text(item.payload_hash) &&
        !mutant(Mutant::kPayloadHashIgnored))
      return fail(Errc::kConflict, "other payload under this id");
    std::int64_t ms = head_ms;
    if (now - first.server_ms > kOldRepeatMs) {
      sql::PreparedStatement& touch = connection_.prepared(text(sql_text::kTouchHead));
      put_all(touch, now, item.conv);
      touch.executeUpdate();
      ms = std::max(ms, now);
    }
    if (mutant(Mutant::kHeadRaisedForRepeat)) {
      sql::PreparedStatement& raise = connection_.prepared(text(sql_text::kSetHead));
      const std::uint64_t none = 0;
      put_all(raise, none, none, none, none, head + 1, countable_head, ms, item.conv);
      raise.executeUpdate();
    }
    transaction.commit();
    return AppendedOne{first, {item.conv, Seq{head}, ms}};
  }
  if (member_version != item.member_version) return fail(Errc::kMembersChanged);
  if (item.after && !item.after_proven && !is_known(item, *item.after))
    return fail(Errc::kGap, "the predecessor is not stored");

  const std::int64_t ms = std::max(head_ms, now);
  const std::uint64_t ordinal = countable_head + (item.countable ? 1 : 0);
  sql::PreparedStatement& raise = connection_.prepared(text(sql_text::kSetHead));
  const std::uint64_t low = is_low(item) ? head + 1 : 0;
  const std::uint64_t high = is_low(item) ? 0 : head + 1;
  put_all(raise, low, low, high, high, head + 1, ordinal, ms, item.conv);
  raise.executeUpdate();
  sql::PreparedStatement& insert = connection_.prepared(sql_text::insert_messages(1));
  unsigned index = 0;
  put_message(insert, index, item, head + 1, ordinal, ms);
  insert.executeUpdate();
  transaction.commit();
  return AppendedOne{{Seq{head + 1}, ms, false}, {item.conv, Seq{head + 1}, ms}};
}

Result<Slice> MysqlMessageLog::pull(const PullQuery& query) {
  if (query.last == 0 && query.to.value() > 0 && query.from > query.to)
    return fail(Errc::kRangeInvalid);
  return guarded(connection_, [&]() -> Result<Slice> {
    const std::uint64_t to = query.to.value() == 0 ? UINT64_MAX : query.to.value();
    const bool tail = query.last > 0;
    const std::uint64_t wanted =
        tail ? std::min(query.last, query.messages_max) : query.messages_max;
    sql::PreparedStatement& s =
        connection_.prepared(text(tail ? sql_text::kPullLast : sql_text::kPull));
    if (tail) {
      put_all(s, to, to, wanted, to, wanted, query.uid, query.conv, wanted);
    } else {
      put_all(s, std::max<std::uint64_t>(query.from.value(), 1), to, query.uid, query.conv,
              wanted + 1);
    }
    const auto row = connection_.query(s);
    if (!row->next()) return fail(Errc::kNotMember);
    Slice slice;
    slice.head = Seq{row->getUInt64(1)};
    slice.truncated_to = Seq{row->getUInt64(2) - 1};
    std::uint64_t bytes = 0;
    do {
      if (row->isNull(3)) break;
      Bytes body = bytes_of(row->getString(8));
      const bool fits = slice.messages.size() < wanted &&
                        (slice.messages.empty() || bytes + body.size() <= query.bytes_max);
      if (!fits) {
        slice.more = !tail;  // a cut tail leaves out the oldest
        break;
      }
      bytes += body.size();
      slice.messages.push_back({query.conv, Seq{row->getUInt64(3)}, Uid{row->getUInt64(4)},
                                id_of(row->getString(5)), row->getUInt(6), row->getInt64(7),
                                Body{std::move(body)}});
    } while (row->next());
    if (tail) std::ranges::reverse(slice.messages);
    return slice;
  });
}

Result<FoundMessage> MysqlMessageLog::find(const FindQuery& query) {
  return guarded(connection_, [&]() -> Result<FoundMessage> {
    const std::uint64_t peer = query.conv.is_group() ? 0 : query.conv.peer_of(query.uid).value();
    const bool by_seq = query.seq.value() > 0;
    sql::PreparedStatement& s =
        connection_.prepared(text(by_seq ? sql_text::kFind : sql_text::kFindById));
    if (by_seq) {
      put_all(s, query.seq, peer, query.uid, query.conv);
    } else {
      put_all(s, query.sender, as_text(query.client_msg_id.bytes), peer, query.uid, query.conv);
    }
    const auto row = connection_.query(s);
    if (!row->next()) return fail(Errc::kNotMember);
    if (row->isNull(1)) return fail(Errc::kMessageNotFound);
    FoundMessage found;
    found.message = {query.conv,
                     Seq{row->getUInt64(1)},
                     Uid{row->getUInt64(2)},
                     id_of(row->getString(3)),
                     row->getUInt(4),
                     row->getInt64(5),
                     {}};
    found.peer_read = Seq{row->getUInt64(6)};
    return found;
  });
}

}  // namespace hy::das::mysql
