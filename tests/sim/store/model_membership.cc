#include <algorithm>

#include "common/base/test_hooks.h"
#include "tests/sim/store/model_session.h"

/// das/storage/membership.h and user_log.h over the model store.
namespace hy::sim {
namespace {

struct PairState {
  das::PairFacts facts;
  bool complete = false;  ///< all rows are there
};

PairState read_pair(const Transaction& in, Uid a, Uid b) {
  const ConversationId conv = ConversationId::pair(a, b);
  PairState state;
  state.facts.a_exists = in.users.find(a) != nullptr;
  state.facts.b_exists = in.users.find(b) != nullptr;
  state.facts.a_blocks_b = in.blacklist.find({a, b}) != nullptr;
  state.facts.b_blocks_a = in.blacklist.find({b, a}) != nullptr;
  const ConversationState* row = in.conversations.find(conv);
  if (row != nullptr) state.facts.member_version = row->member_version;
  state.complete = row != nullptr && in.user_convs.find({a, conv}) != nullptr &&
                   in.user_convs.find({b, conv}) != nullptr;
  return state;
}

}  // namespace

Status ModelSession::make_pair(Transaction& transaction, Uid a, Uid b) {
  const ConversationId conv = ConversationId::pair(a, b);
  HY_TRY(const ConversationState* row, lock(transaction, conv));
  const bool before_first_message = row == nullptr || row->head_seq == 0;
  if (row == nullptr) {
    ConversationState made;
    made.head_ms = begun_ms();
    made.member_version = 1;
    transaction.conversations.put(conv, made);
  }
  for (const Uid uid : {a, b}) {
    if (uid == b && before_first_message && mutant(Mutant::kUserConvAfterAppend)) continue;
    if (transaction.user_convs.find({uid, conv}) == nullptr)
      transaction.user_convs.put({uid, conv}, {});
  }
  return {};
}

void ModelSession::add_event(Transaction& transaction, Uid uid, das::UserEvent event, Useq& useq) {
  UserState user = transaction.users.get(uid);
  useq = Useq{++user.useq_head};
  transaction.users.put(uid, std::move(user));
  event.useq = useq;
  transaction.events.put({uid, useq}, event);
}

Result<std::vector<das::PairFacts>> ModelSession::open_pairs(std::span<const das::UidPair> pairs) {
  std::vector<das::PairFacts> facts(pairs.size());
  std::vector<std::size_t> missing;
  // The common case writes nothing and takes no lock.
  const auto seen = view([&](const Tables&) -> Status {
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      const PairState state = read_pair(Transaction(store_.tables_), pairs[i].a, pairs[i].b);
      facts[i] = state.facts;
      if (!state.facts.a_exists || !state.facts.b_exists)
        facts[i].member_version = 0;
      else if (!state.complete)
        missing.push_back(i);
    }
    return {};
  });
  if (!seen) return std::unexpected(seen.error());
  if (missing.empty()) return facts;
  // Ascending, as every writer of these rows.
  std::ranges::sort(missing, {},
                    [&](std::size_t i) { return ConversationId::pair(pairs[i].a, pairs[i].b); });
  return write([&](Transaction& transaction) -> Result<std::vector<das::PairFacts>> {
    for (const std::size_t i : missing) {
      HY_TRY_VOID(make_pair(transaction, pairs[i].a, pairs[i].b));
      facts[i] = read_pair(transaction, pairs[i].a, pairs[i].b).facts;
    }
    return facts;
  });
}

Result<das::PairFacts> ModelSession::set_block(Uid uid, Uid peer, bool on) {
  return write([&](Transaction& transaction) -> Result<das::PairFacts> {
    das::PairFacts facts = read_pair(transaction, uid, peer).facts;
    if (!facts.a_exists || !facts.b_exists) {
      facts.member_version = 0;
      return facts;
    }
    const ConversationId conv = ConversationId::pair(uid, peer);
    HY_TRY_VOID(make_pair(transaction, uid, peer));
    // Judged under the lock: whoever held it may have changed it.
    if ((transaction.blacklist.find({uid, peer}) != nullptr) != on) {
      if (on)
        transaction.blacklist.put({uid, peer}, begun_ms());
      else
        transaction.blacklist.erase({uid, peer});
      ConversationState head = transaction.conversations.get(conv);
      ++head.member_version;
      transaction.conversations.put(conv, head);
      HY_TRY_VOID(lock(transaction, uid));
      das::UserEvent event;
      event.kind = das::UserEventKind::kBlock;
      event.peer = peer;
      event.on = on;
      Useq useq;
      add_event(transaction, uid, event, useq);
    }
    return read_pair(transaction, uid, peer).facts;
  });
}

Result<das::ReadMarked> ModelSession::move_mark(Transaction& transaction,
                                                const das::ReadMark& mark) {
  HY_TRY_VOID(lock(transaction, mark.uid));
  const UserConvState* row = transaction.user_convs.find({mark.uid, mark.conv});
  const ConversationState* head = transaction.conversations.find(mark.conv);
  if (row == nullptr || head == nullptr) return fail(Errc::kNotMember);
  das::ReadMarked out;
  out.read_seq = Seq{row->read_seq};
  const Seq target =
      std::min(mark.seq, das::visible_head(Seq{head->head_seq}, Seq{row->leave_seq}));
  if (target <= out.read_seq) return out;
  UserConvState moved = *row;
  moved.read_seq = target.value();
  transaction.user_convs.put({mark.uid, mark.conv}, moved);
  das::UserEvent event;
  event.kind = das::UserEventKind::kRead;
  event.conv = mark.conv;
  event.seq = target;
  add_event(transaction, mark.uid, event, out.useq);
  out.read_seq = target;
  out.changed = true;
  return out;
}

Result<std::vector<Result<das::ReadMarked>>> ModelSession::mark_read(
    std::span<const das::ReadMark> marks) {
  return write([&](Transaction& transaction) -> Result<std::vector<Result<das::ReadMarked>>> {
    std::vector<Result<das::ReadMarked>> answers;
    for (const das::ReadMark& mark : marks) {
      auto answer = move_mark(transaction, mark);
      if (!answer && answer.error().code != Errc::kNotMember)
        return std::unexpected(std::move(answer).error());
      answers.push_back(std::move(answer));
    }
    return answers;
  });
}

Result<das::ConversationPage> ModelSession::list_conversations(const das::ListQuery& query) {
  return view([&](const Tables& tables) -> Result<das::ConversationPage> {
    das::ConversationPage page;
    page.store_ms = store_.now_ms();
    const auto user = tables.users.find(query.uid);
    if (user == tables.users.end()) return fail(Errc::kUnknownUser);
    page.useq_head = Useq{user->second.useq_head};
    const ConversationId after = query.page_after.value_or(ConversationId{});
    using Member = decltype(tables.user_convs.begin());
    std::vector<Member> mine;
    for (auto it = tables.user_convs.lower_bound({query.uid, ConversationId{}});
         it != tables.user_convs.end() && it->first.first == query.uid; ++it) {
      const auto head = tables.conversations.find(it->first.second);
      if (head == tables.conversations.end() || head->second.head_seq == 0 ||
          (query.newest_first && it->second.leave_seq != 0))
        continue;
      const std::int64_t ms = head->second.head_ms;
      const bool wanted = query.newest_first ? query.before_ms == 0 || ms < query.before_ms
                                             : (query.since_ms == 0 || ms >= query.since_ms) &&
                                                   (!query.page_after || it->first.second > after);
      if (wanted) mine.push_back(it);
    }
    std::size_t keep = std::min<std::size_t>(query.limit, mine.size());
    if (query.newest_first) {
      const auto ms_of = [&](const Member& member) {
        return tables.conversations.at(member->first.second).head_ms;
      };
      std::ranges::sort(mine, {}, [&](const Member& member) {
        return std::pair(-ms_of(member), member->first.second);
      });
      while (keep > 0 && keep < mine.size() && keep < 2UL * query.limit &&
             ms_of(mine[keep]) == ms_of(mine[keep - 1]))
        ++keep;
    }
    page.more = keep < mine.size();
    for (std::size_t i = 0; i < keep; ++i)
      page.rows.push_back(
          conversation_row(tables, query.uid, mine[i]->first.second, query.last_body_bytes_max));
    return page;
  });
}

Result<das::UserEvents> ModelSession::read(Uid uid, Useq after, std::uint32_t limit) {
  return view([&](const Tables& tables) -> Result<das::UserEvents> {
    const auto user = tables.users.find(uid);
    if (user == tables.users.end()) return fail(Errc::kUnknownUser);
    das::UserEvents out;
    out.head = Useq{user->second.useq_head};
    if (after > out.head) {
      out.too_far = true;
      return out;
    }
    for (auto it = tables.events.upper_bound({uid, after});
         it != tables.events.end() && it->first.first == uid && out.events.size() < limit; ++it)
      out.events.push_back(it->second);
    const Useq next{after.value() + 1};
    if (after < out.head && (out.events.empty() || out.events.front().useq != next)) {
      out.events.clear();
      out.too_far = true;
      return out;
    }
    out.more = !out.events.empty() && out.events.back().useq < out.head;
    return out;
  });
}

}  // namespace hy::sim
