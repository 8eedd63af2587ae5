#include "client/judge/reads.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace hy::judge {
namespace {

using Acked = FlatMap<Place, Nanos>;

Acked acked_places(const Case& c) {
  Acked acked;
  for (const Send& send : c.sends()) {
    if (!send.is_stored()) continue;
    Nanos& at = acked.try_emplace(Place{send.key.conv, send.seq}, kNanosMax).first->second;
    at = std::min(at, send.stored_at);
  }
  return acked;
}

/// One answered PULL. `invoked`: when it was asked.
void check_pull(const Case& c, std::uint32_t h, const Event& e, Nanos invoked, const Acked& acked,
                Report& out) {
  const History& history = c.history(h);
  const Uid uid = history.device().uid;
  const auto rows = history.items(e);
  std::size_t next = 0;
  const std::uint64_t from = std::max(e.low, e.has(kTruncated) ? e.phash + 1 : 0);
  for (std::uint64_t seq = from; seq <= e.seq; ++seq) {
    while (next < rows.size() && rows[next].seq < seq) ++next;
    if (next < rows.size() && rows[next].seq == seq) continue;
    const auto at = acked.find(Place{e.conv, seq});
    if (at == acked.end() || at->second + c.rules.clock_error >= invoked) continue;
    if (!c.sees(uid, e.conv, seq)) continue;
    out.add({"",
             fmt::format("{} pulled {} … {} after seq {} was STORED and did not get it", c.name(h),
                         e.low, e.seq, seq),
             history.device(),
             e.conv,
             seq,
             {}});
  }
}

void check_heads(const Case& c, std::uint32_t h, const Event& e, Report& out) {
  for (const Item& item : c.history(h).items(e)) {
    const ConversationId& conv = e.ev == Ev::kPullOk ? e.conv : item.conv;
    const Conversation* const conversation = c.conversation(conv);
    if (item.seq == 0 || (conversation != nullptr && item.seq <= conversation->head)) continue;
    out.add({"",
             fmt::format("{}: {} speaks of seq {}, the head is {}", c.name(h), event_name(e.ev),
                         item.seq, conversation == nullptr ? 0 : conversation->head),
             c.history(h).device(), conv, item.seq, item.cmid});
  }
}

/// A message that was answered STORED.
struct Change {
  Nanos at = 0;
  std::int64_t server_ms = 0;
  std::uint32_t conversation = 0;
  std::uint64_t seq = 0;
};
struct Asked {
  Nanos at = 0;
  std::uint32_t history = 0;
  const Event* invoke = nullptr;
  const Event* ok = nullptr;
  std::uint64_t clock_steps = 0;  ///< that the device knew when it asked
};

std::vector<Change> changes_of(const Case& c) {
  std::vector<Change> out;
  out.reserve(c.sends().size());
  for (const Send& send : c.sends()) {
    const std::uint32_t r = c.row_of(send.key);
    const Conversation* const conversation = c.conversation(send.key.conv);
    if (!send.is_stored() || r == kNone || conversation == nullptr) continue;
    out.push_back({send.stored_at, c.row(r).server_ms,
                   static_cast<std::uint32_t>(conversation - c.conversations().data()),
                   c.row(r).seq});
  }
  std::ranges::sort(out, {}, &Change::at);
  return out;
}

std::vector<Asked> syncs_of(const Case& c) {
  std::vector<Asked> out;
  for (std::uint32_t h = 0; h < c.histories(); ++h) {
    const Event* invoke = nullptr;
    std::uint64_t steps = 0;
    for (const Event& e : c.history(h).events()) {
      if (e.ev == Ev::kSyncInvoke) invoke = &e;
      if (e.ev != Ev::kSyncOk || invoke == nullptr || invoke->number != e.number) continue;
      if (!e.has(kTooFar)) out.push_back({invoke->at, h, invoke, &e, steps});
      steps = e.phash;
      invoke = nullptr;
    }
  }
  std::ranges::sort(out, {}, [](const Asked& a) { return std::pair(a.at, a.history); });
  return out;
}

/// Who sees a conversation: index of conversations() → people.
std::vector<std::vector<Uid>> people_of(const Case& c) {
  std::vector<std::vector<Uid>> out(c.conversations().size());
  if (c.evidence.store.members.empty()) {
    for (std::size_t i = 0; i < out.size(); ++i) {
      const ConversationId& conv = c.conversations()[i].conv;
      if (!conv.is_group()) out[i] = {Uid{conv.hi}, Uid{conv.lo}};
    }
    return out;
  }
  for (const MemberRow& m : c.evidence.store.members) {
    const Conversation* const conversation = c.conversation(m.conv);
    out[static_cast<std::size_t>(conversation - c.conversations().data())].push_back(m.uid);
  }
  return out;
}

/// The conversations of one person by the time of their last change.
class Changed {
 public:
  void raise(std::uint32_t conversation, std::int64_t ms) {
    const auto [at, is_new] = last_.try_emplace(conversation, ms);
    if (!is_new) {
      if (at->second >= ms) return;
      by_time_.erase({at->second, conversation});
      at->second = ms;
    }
    by_time_.insert({ms, conversation});
  }
  template <class F>
  void since(std::int64_t ms, F&& f) const {
    for (auto at = by_time_.lower_bound({ms, 0}); at != by_time_.end(); ++at) f(at->second);
  }

 private:
  FlatMap<std::uint32_t, std::int64_t> last_;
  std::set<std::pair<std::int64_t, std::uint32_t>> by_time_;
};

}  // namespace

Report check_ryw(const Case& c) {
  Report out("C-RYW", "answered reads");
  const Acked acked = acked_places(c);
  for (std::uint32_t h = 0; h < c.histories(); ++h) {
    FlatMap<std::uint32_t, Nanos> asked;
    for (const Event& e : c.history(h).events()) {
      if (e.ev == Ev::kPullInvoke) asked[e.number] = e.at;
      if (e.ev != Ev::kPullOk && e.ev != Ev::kSyncOk) continue;
      ++out.looked_at;
      check_heads(c, h, e, out);
      const auto at = e.ev == Ev::kPullOk ? asked.find(e.number) : asked.end();
      if (at == asked.end()) continue;
      check_pull(c, h, e, at->second, acked, out);
      asked.erase(at);
    }
  }
  return out;
}

/// The store's clock had stepped back, which the device learned soon after, and compared
/// everything: until then its `since` is of a time that is not there any more (guarantees.md §6).
bool is_made_good(const Case& c, const Asked& sync) {
  const History& history = c.history(sync.history);
  const Nanos until = sync.at + c.rules.sync_stale;
  const Event* full = nullptr;
  for (const Event* e = sync.ok; e != history.events().data() + history.events().size(); ++e) {
    if (e->ev == Ev::kSyncInvoke && e->at > until) return false;
    if (e->ev == Ev::kSyncInvoke) full = e->low == 0 ? e : nullptr;
    const bool answers = e->ev == Ev::kSyncOk && full != nullptr && full->number == e->number;
    if (answers && e->phash != sync.clock_steps) return true;
  }
  return false;
}

Report check_sync(const Case& c) {
  Report out("C-SYNC", "changed conversations");
  const std::vector<Change> changes = changes_of(c);
  const auto people = people_of(c);
  FlatMap<Uid, Changed> changed;
  std::size_t next = 0;
  for (const Asked& sync : syncs_of(c)) {
    const Nanos known = sync.at - c.rules.clock_error - c.rules.sync_stale;
    for (; next < changes.size() && changes[next].at < known; ++next) {
      const Change& change = changes[next];
      for (const Uid uid : people[change.conversation]) {
        if (c.sees(uid, c.conversations()[change.conversation].conv, change.seq))
          changed[uid].raise(change.conversation, change.server_ms);
      }
    }
    const DeviceKey& device = c.history(sync.history).device();
    const auto mine = changed.find(device.uid);
    if (mine == changed.end()) continue;
    FlatSet<ConversationId> named;
    for (const Item& item : c.history(sync.history).items(*sync.ok)) named.insert(item.conv);
    const auto since = static_cast<std::int64_t>(sync.invoke->low);
    mine->second.since(since, [&](std::uint32_t number) {
      ++out.looked_at;
      const ConversationId& conv = c.conversations()[number].conv;
      if (named.contains(conv) || is_made_good(c, sync)) return;
      out.add({"",
               fmt::format("{}: a SYNC since {} does not name a conversation that had changed",
                           c.name(sync.history), since),
               device,
               conv,
               0,
               {}});
    });
  }
  return out;
}

}  // namespace hy::judge
