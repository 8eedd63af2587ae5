#include <algorithm>

#include "common/base/test_hooks.h"
#include "das/storage/group_rules.h"
#include "tests/sim/store/model_session.h"

/// das/storage/message_log.h over the model store.
namespace hy::sim {
namespace {

using das::AppendItem;

constexpr std::int64_t kOldRepeatMs = 10'000;

das::StoredMessage message_of(const ConversationId& conv, const LogRow& row) {
  return {conv, Seq{row.seq}, row.sender, row.client_msg_id, row.kind, row.server_ms, {}};
}

struct Member {
  Seq head;  ///< the newest that he may see
  Seq visible_from;
};

Result<Member> member_of(const Tables& tables, Uid uid, const ConversationId& conv) {
  const auto member = tables.user_convs.find({uid, conv});
  const auto head = tables.conversations.find(conv);
  if (member == tables.user_convs.end() || head == tables.conversations.end())
    return fail(Errc::kNotMember);
  return Member{das::visible_head(Seq{head->second.head_seq}, Seq{member->second.leave_seq}),
                Seq{member->second.visible_from}};
}

/// A store without the unique key: what two of the mutants take away.
bool key_is_gone() {
  return mutant(Mutant::kNoDeduplication) || mutant(Mutant::kDeduplicationInCacheOnly);
}

}  // namespace

void insert_row(Transaction& transaction, const AppendItem& item, ConversationState& head,
                std::int64_t ms) {
  ++head.head_seq;
  if (item.countable) ++head.countable_head;
  if (!item.conv.is_group())
    (item.conv.hi == item.sender.value() ? head.low_last : head.high_last) = head.head_seq;
  LogRow row;
  row.seq = head.head_seq;
  row.sender = item.sender;
  row.client_msg_id = item.client_msg_id;
  row.payload_hash = item.payload_hash;
  row.kind = item.kind;
  row.countable = item.countable;
  row.ordinal = head.countable_head;
  row.server_ms = ms;
  row.body = item.body.bytes;
  transaction.insert(item.conv, std::move(row));
}

Status ModelSession::append_run(Transaction& transaction, std::span<const AppendItem* const> items,
                                das::FastAppend& out) {
  const ConversationId& conv = items.front()->conv;
  const ConversationState* locked = transaction.conversations.find(conv);
  if (locked == nullptr) return fail(Errc::kMembersChanged, "no such conversation");
  // The heads were raised when they were locked; positions are counted from where they stood.
  ConversationState head = *locked;
  head.head_seq -= items.size();
  const std::int64_t ms = head.head_ms;
  for (std::size_t i = 0; i < items.size(); ++i) {
    const AppendItem& item = *items[i];
    if (item.member_version != head.member_version && !mutant(Mutant::kMemberVersionIgnored))
      return fail(Errc::kMembersChanged);
    if (item.after && !item.after_proven &&
        transaction.find_message(conv, item.sender, *item.after) == nullptr)
      return fail(Errc::kGap);
    if (!key_is_gone() &&
        transaction.find_message(conv, item.sender, item.client_msg_id) != nullptr)
      return fail(Errc::kConflict, "duplicate key");
    insert_row(transaction, item, head, ms);
    out.stored.push_back({Seq{head.head_seq}, ms, false});
  }
  transaction.conversations.put(conv, head);
  out.heads.push_back({conv, Seq{head.head_seq}, ms});
  return {};
}

das::FastAppend ModelSession::append_fast(std::span<const AppendItem* const> items) {
  auto done = write([&](Transaction& transaction) -> Result<das::FastAppend> {
    das::FastAppend out;
    std::vector<std::span<const AppendItem* const>> runs;
    for (std::size_t from = 0; from < items.size();) {
      std::size_t to = from + 1;
      while (to < items.size() && items[to]->conv == items[from]->conv) ++to;
      runs.push_back(items.subspan(from, to - from));
      from = to;
    }
    const std::int64_t now = begun_ms();
    // As the server does it: first all heads are raised, each under its lock, then rows follow.
    for (const auto& run : runs) {
      HY_TRY(const ConversationState* row, lock(transaction, run.front()->conv));
      if (row == nullptr) return fail(Errc::kMembersChanged, "no such conversation");
      ConversationState head = *row;
      head.head_seq += run.size();
      head.head_ms = new_head_ms(head, now);
      transaction.conversations.put(run.front()->conv, head);
    }
    if (mutant(Mutant::kSeqBeforeLock)) {
      // The numbers are given for good before the transaction that uses them.
      auto given = std::make_unique<Transaction>(store_.tables_);
      for (const auto& run : runs) {
        ConversationState head = given->conversations.get(run.front()->conv);
        head.head_seq += run.size();
        given->conversations.put(run.front()->conv, head);
      }
      given->apply();
    }
    HY_TRY_VOID(room(transaction));
    for (const auto& run : runs) HY_TRY_VOID(append_run(transaction, run, out));
    out.result = das::FastResult::kStored;
    return out;
  });
  if (done) return *std::move(done);
  das::FastAppend out;
  out.why = done.error();
  switch (out.why.code) {
    case Errc::kOutcomeUnknown: out.result = das::FastResult::kUnknown; break;
    case Errc::kConflict:
    case Errc::kGap:
    case Errc::kMembersChanged:
    case Errc::kOverloaded: out.result = das::FastResult::kRolledBack; break;
    default: out.result = das::FastResult::kFailed; break;
  }
  return out;
}

Result<das::AppendedOne> ModelSession::append_one(const AppendItem& item) {
  return write([&](Transaction& transaction) -> Result<das::AppendedOne> {
    HY_TRY(const ConversationState* row, lock(transaction, item.conv));
    if (row == nullptr) return fail(Errc::kMembersChanged, "no such conversation");
    ConversationState head = *row;
    const std::int64_t now = begun_ms();
    const LogRow* known =
        mutant(Mutant::kNoDeduplication)
            ? nullptr
            : transaction.find_message(item.conv, item.sender, item.client_msg_id);
    if (known != nullptr) {
      if (known->payload_hash != item.payload_hash && !mutant(Mutant::kPayloadHashIgnored))
        return fail(Errc::kConflict, "other payload under this id");
      const std::int64_t age = now - known->server_ms;
      const bool stepped = store_.flavour() == StoreFlavour::kOneWriter && age < 0;
      if (age > kOldRepeatMs || stepped) head.head_ms = new_head_ms(head, now);
      if (mutant(Mutant::kHeadRaisedForRepeat)) ++head.head_seq;
      transaction.conversations.put(item.conv, head);
      return das::AppendedOne{{Seq{known->seq}, known->server_ms, true},
                              {item.conv, Seq{head.head_seq}, head.head_ms}};
    }
    if (item.member_version != head.member_version && !mutant(Mutant::kMemberVersionIgnored))
      return fail(Errc::kMembersChanged);
    if (item.after && !item.after_proven &&
        transaction.find_message(item.conv, item.sender, *item.after) == nullptr)
      return fail(Errc::kGap, "the predecessor is not stored");
    HY_TRY_VOID(room(transaction));
    head.head_ms = new_head_ms(head, now);
    insert_row(transaction, item, head, head.head_ms);
    transaction.conversations.put(item.conv, head);
    return das::AppendedOne{{Seq{head.head_seq}, head.head_ms, false},
                            {item.conv, Seq{head.head_seq}, head.head_ms}};
  });
}

Result<das::Slice> ModelSession::pull(const das::PullQuery& query) {
  if (query.to.value() > 0 && query.from > query.to && query.last == 0)
    return fail(Errc::kRangeInvalid);
  return view([&](const Tables& tables) -> Result<das::Slice> {
    HY_TRY(const Member member, member_of(tables, query.uid, query.conv));
    das::Slice slice;
    slice.head = member.head;
    const bool backwards = query.last > 0;
    const Seq to = query.to.value() == 0 ? member.head : std::min(query.to, member.head);
    Seq from = std::max(query.from, Seq{1});
    const std::uint32_t limit =
        backwards ? std::min(query.last, query.messages_max) : query.messages_max;
    if (backwards) from = Seq{to.value() >= limit ? to.value() - limit + 1 : 1};
    if (from < member.visible_from) {
      slice.truncated_to = Seq{member.visible_from.value() - 1};
      from = member.visible_from;
    }
    const auto found = tables.logs.find(query.conv);
    if (from > to || found == tables.logs.end()) return slice;
    std::size_t bytes = 0;
    // False: it does not fit any more.
    const auto take = [&](const LogRow& row) {
      bytes += row.body.size();
      const bool fits =
          slice.messages.size() < limit && (slice.messages.empty() || bytes <= query.bytes_max);
      if (!fits) return false;
      slice.messages.push_back(message_of(query.conv, row));
      slice.messages.back().body.bytes = row.body;
      return true;
    };
    const auto first = found->second.from(from.value());
    const auto end = found->second.from(to.value() + 1);
    if (backwards) {
      for (auto it = end; it != first && take(*(it - 1));) --it;
      std::ranges::reverse(slice.messages);
    } else {
      for (auto it = first; it != end && take(*it);) ++it;
      slice.more = !slice.messages.empty() && slice.messages.back().seq < to;
    }
    return slice;
  });
}

Result<das::FoundMessage> ModelSession::find(const das::FindQuery& query) {
  return view([&](const Tables& tables) -> Result<das::FoundMessage> {
    HY_TRY(const Member member, member_of(tables, query.uid, query.conv));
    const auto log = tables.logs.find(query.conv);
    const LogRow* row = nullptr;
    if (log != tables.logs.end())
      row = query.seq.value() > 0 ? log->second.at(query.seq.value())
                                  : log->second.find(query.sender, query.client_msg_id);
    if (row == nullptr || Seq{row->seq} < member.visible_from || Seq{row->seq} > member.head)
      return fail(Errc::kMessageNotFound);
    das::FoundMessage out{message_of(query.conv, *row), {}};
    if (query.conv.is_group()) return out;
    const auto peer = tables.user_convs.find({query.conv.peer_of(query.uid), query.conv});
    if (peer != tables.user_convs.end()) out.peer_read = Seq{peer->second.read_seq};
    return out;
  });
}

}  // namespace hy::sim
