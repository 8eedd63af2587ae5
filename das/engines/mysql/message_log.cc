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

bool MysqlMessageLog::raise_heads(std::span<Head> heads) {
  if (heads.size() >= kPackedRowsMin) return raise_packed(heads);
  // A statement for each number of rows: one round trip a batch is worth more than their memory.
  sql::PreparedStatement& s = of_size(raises_, heads.size(), [this](std::size_t rows) {
    return sql_text::raise_heads(rows) + raised_tail();
  });
  unsigned index = 0;
  for (const Head& head : heads) {
    put(s, ++index, head.conv);
    put(s, ++index, head.added);
    put(s, ++index, head.countable_added);
    put(s, ++index, head.low_place);
    put(s, ++index, head.high_place);
  }
  if (connection_.returns_rows()) return take_heads(s, heads);
  s.executeUpdate();
  return read_heads(heads);
}

std::string MysqlMessageLog::raised_tail() const {
  return connection_.returns_rows() ? text(sql_text::kReturningHeads) : std::string();
}

bool MysqlMessageLog::take_heads(sql::PreparedStatement& raise, std::span<Head> heads) {
  const auto result = connection_.query(raise);
  std::size_t found = 0;
  // Rows come back in the order in which they were raised.
  while (result->next()) {
    if (found == heads.size() || conv_of(result->getString(1)) != heads[found].conv) return false;
    take_head(*result, heads[found++]);
  }
  return found == heads.size();
}

void MysqlMessageLog::take_head(const sql::ResultSet& row, Head& head) {
  head.seq = row.getUInt64(2);
  head.countable = row.getUInt64(3);
  head.ms = row.getInt64(4);
  head.member_version = row.getUInt64(5);
}

bool MysqlMessageLog::raise_packed(std::span<Head> heads) {
  const std::span<PackedColumn> columns = std::span(columns_).first(5);
  for (PackedColumn& column : columns) column.clear();
  for (const Head& head : heads) {
    columns[0].add_id(head.conv);
    columns[1].add_number(head.added);
    columns[2].add_number(head.countable_added);
    columns[3].add_number(head.low_place);
    columns[4].add_number(head.high_place);
  }
  if (raise_packed_ == nullptr)
    raise_packed_ = &connection_.prepared(sql_text::raise_heads_packed() + raised_tail());
  put_packed(*raise_packed_, columns, heads.size());
  if (connection_.returns_rows()) return take_heads(*raise_packed_, heads);
  // An upsert that changes a row counts 2; one that makes it (no conversation there) counts 1.
  return raise_packed_->executeUpdate() == static_cast<int>(2 * heads.size()) && read_packed(heads);
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
    take_head(*result, *it);
    ++found;
  }
  return found == heads.size();
}

bool MysqlMessageLog::read_packed(std::span<Head> heads) {
  columns_[0].clear();
  for (const Head& head : heads) columns_[0].add_id(head.conv);
  if (read_packed_ == nullptr)
    read_packed_ = &connection_.prepared(text(sql_text::kReadHeadsPacked));
  put_packed(*read_packed_, std::span(columns_).first(1), heads.size());
  const auto result = connection_.query(*read_packed_);
  std::size_t found = 0;
  while (result->next()) {
    take_head(*result, heads[result->getUInt(1) - 1]);
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

std::vector<MysqlMessageLog::Placed> MysqlMessageLog::place(
    std::span<const AppendItem* const> items, std::span<const Head> heads) {
  // Positions are counted from where the head stood before the batch.
  std::vector<Placed> placed;
  placed.reserve(items.size());
  std::size_t head = 0;
  std::uint64_t seq = 0;
  std::uint64_t countable = 0;
  for (std::size_t at = 0; at < items.size(); ++at) {
    const AppendItem& item = *items[at];
    if (at == 0 || item.conv != items[at - 1]->conv) {
      head += at == 0 ? 0 : 1;
      seq = heads[head].seq - heads[head].added;
      countable = heads[head].countable - heads[head].countable_added;
    }
    ++seq;
    if (item.countable) ++countable;
    placed.push_back({seq, countable, heads[head].ms});
  }
  return placed;
}

bool MysqlMessageLog::insert_packed(std::span<const AppendItem* const> items,
                                    std::span<const Placed> placed) {
  auto& [conv, seq, sender, id, hash, kind, countable, ordinal, ms, body, body_at, body_size] =
      columns_;
  for (PackedColumn& column : columns_) column.clear();
  for (std::size_t i = 0; i < items.size(); ++i) {
    const AppendItem& item = *items[i];
    conv.add_id(item.conv);
    seq.add_number(placed[i].seq);
    sender.add_number(item.sender.value());
    id.add_id(item.client_msg_id.bytes);
    hash.add_id(item.payload_hash);
    kind.add_number(item.kind);
    countable.add_number(item.countable ? 1 : 0);
    ordinal.add_number(placed[i].ordinal);
    ms.add_number(static_cast<std::uint64_t>(placed[i].ms));
    body_at.add_number(body.bytes().size() + 1);
    body_size.add_number(item.body.bytes.size());
    body.add_bytes(item.body.bytes);
  }
  if (insert_packed_ == nullptr)
    insert_packed_ = &connection_.prepared(text(sql_text::kInsertMessagesPacked));
  put_packed(*insert_packed_, columns_, items.size());
  return insert_packed_->executeUpdate() == static_cast<int>(items.size());
}

bool MysqlMessageLog::insert_rows(std::span<const AppendItem* const> items,
                                  std::span<const Placed> placed) {
  while (!items.empty()) {
    std::size_t chunk = 0;
    std::size_t bytes = 0;
    for (; chunk < std::min(items.size(), kPackedRowsMax); ++chunk) {
      bytes += items[chunk]->body.bytes.size();
      if (chunk > 0 && bytes > kPackedBodiesMax) break;
    }
    if (chunk >= kPackedRowsMin) {
      if (!insert_packed(items.first(chunk), placed.first(chunk))) return false;
    } else {
      sql::PreparedStatement& s = of_size(inserts_, chunk, sql_text::insert_messages);
      unsigned index = 0;
      for (std::size_t at = 0; at < chunk; ++at)
        put_message(s, index, *items[at], placed[at].seq, placed[at].ordinal, placed[at].ms);
      s.executeUpdate();
    }
    items = items.subspan(chunk);
    placed = placed.subspan(chunk);
  }
  return true;
}

FastAppend MysqlMessageLog::append_fast(std::span<const AppendItem* const> items) {
  std::vector<Head> heads;
  heads.reserve(items.size());
  for (const AppendItem* item : items) {
    if (heads.empty() || heads.back().conv != item->conv) heads.push_back({.conv = item->conv});
    ++heads.back().added;
    if (item->countable) ++heads.back().countable_added;
    if (item->conv.is_group()) continue;
    (is_low(*item) ? heads.back().low_place : heads.back().high_place) = heads.back().added;
  }
  FastAppend out;
  try {
    // Mutant: the numbers are given for good before the transaction that uses them.
    bool raised = !mutant(Mutant::kSeqBeforeLock) || raise_heads(heads);
    Transaction transaction(connection_);
    if (!mutant(Mutant::kSeqBeforeLock)) raised = raise_heads(heads);
    sync_point("das.after_lock");
    std::size_t at = 0;
    const bool judged_now = std::ranges::all_of(items, [&](const AppendItem* item) {
      while (heads[at].conv != item->conv) ++at;
      return heads[at].member_version == item->member_version ||
             mutant(Mutant::kMemberVersionIgnored);
    });
    if (!raised || !judged_now || !predecessors_stand(items)) {
      out.result = FastResult::kRolledBack;
      out.why = {Errc::kMembersChanged, "row by row", {}};
      return out;
    }
    const std::vector<Placed> placed = place(items, heads);
    if (!insert_rows(items, placed)) {
      out.result = FastResult::kRolledBack;
      out.why = {Errc::kInternal, "batch_place is not whole", {}};
      return out;
    }
    sync_point("das.after_insert_before_commit");
    transaction.commit();
    out.result = FastResult::kStored;
    out.stored.reserve(items.size());
    for (const Placed& one : placed) out.stored.push_back({Seq{one.seq}, one.ms, false});
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
  if (member_version != item.member_version && !mutant(Mutant::kMemberVersionIgnored))
    return fail(Errc::kMembersChanged);
  if (item.after && !item.after_proven && !is_known(item, *item.after))
    return fail(Errc::kGap, "the predecessor is not stored");

  const std::int64_t ms = std::max(head_ms, now);
  const std::uint64_t ordinal = countable_head + (item.countable ? 1 : 0);
  sql::PreparedStatement& raise = connection_.prepared(text(sql_text::kSetHead));
  const bool group = item.conv.is_group();
  const std::uint64_t low = !group && is_low(item) ? head + 1 : 0;
  const std::uint64_t high = !group && !is_low(item) ? head + 1 : 0;
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
