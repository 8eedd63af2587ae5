#include "client/judge/case.h"

#include <algorithm>

#include "common/base/error.h"

namespace hy::judge {
namespace {

/// Sorts and joins what overlaps.
void merge(std::vector<std::pair<Nanos, Nanos>>& spans) {
  std::ranges::sort(spans);
  std::size_t last = 0;
  for (std::size_t i = 1; i < spans.size(); ++i) {
    if (spans[i].first <= spans[last].second) {
      spans[last].second = std::max(spans[last].second, spans[i].second);
    } else {
      spans[++last] = spans[i];
    }
  }
  if (!spans.empty()) spans.resize(last + 1);
}

const std::vector<std::uint32_t> kNobody;

}  // namespace

Case::Case(const Evidence& given, const Rules& by) : evidence(given), rules(by) {
  read_store();
  sessions_.resize(evidence.histories.size());
  for (std::uint32_t h = 0; h < histories(); ++h) read_history(h);
  for (auto& [uid, spans] : online_) merge(spans);
  for (const FaultWindow& fault : evidence.faults) {
    if (fault.hits == Hits::kReach) reach_.emplace_back(fault.from, fault.to);
    faults_.emplace_back(fault.from, fault.to);
  }
  merge(reach_);
  merge(faults_);
}

Conversation& Case::conversation_for(const ConversationId& conv) {
  const auto [at, is_new] =
      conversation_of_.try_emplace(conv, static_cast<std::uint32_t>(conversations_.size()));
  if (is_new) conversations_.push_back({conv, 0, 1, {}});
  return conversations_[at->second];
}

void Case::read_store() {
  const StoreDump& store = evidence.store;
  for (const ConversationRow& row : store.conversations) {
    Conversation& c = conversation_for(row.conv);
    c.head = row.head;
    c.kept_from = row.kept_from;
  }
  row_of_.reserve(store.messages.size());
  row_at_.reserve(store.messages.size());
  for (std::uint32_t r = 0; r < store.messages.size(); ++r) {
    const MessageRow& m = store.messages[r];
    row_of_.try_emplace(RowKey{m.conv, m.sender, m.cmid}, r);
    row_at_.try_emplace(Place{m.conv, m.seq}, r);
    conversation_for(m.conv).rows.push_back(r);
  }
  for (Conversation& c : conversations_) {
    const auto seq_of = [&](std::uint32_t r) { return store.messages[r].seq; };
    if (!std::ranges::is_sorted(c.rows, {}, seq_of)) std::ranges::sort(c.rows, {}, seq_of);
  }
  for (std::uint32_t m = 0; m < store.members.size(); ++m) {
    const MemberRow& row = store.members[m];
    member_of_.try_emplace(InConv{row.uid.value(), row.conv}, m);
    (void)conversation_for(row.conv);
    conversations_of_[row.uid].push_back(conversation_of_.at(row.conv));
  }
  for (std::uint32_t s = 0; s < store.stints.size(); ++s)
    stints_of_[InConv{store.stints[s].uid.value(), store.stints[s].conv}].push_back(s);
  if (!store.members.empty()) return;
  for (std::uint32_t c = 0; c < conversations_.size(); ++c) {
    const ConversationId& conv = conversations_[c].conv;
    if (conv.is_group()) continue;
    conversations_of_[Uid{conv.hi}].push_back(c);
    conversations_of_[Uid{conv.lo}].push_back(c);
  }
}

void Case::read_history(std::uint32_t h) {
  const History& history = evidence.histories[h];
  devices_of_[history.device().uid].push_back(h);
  own_.clear();
  for (const Event& e : history.events()) read_event(h, e);
  auto& online = online_[history.device().uid];
  for (const Session& s : sessions_[h]) online.emplace_back(s.from, s.to);
}

void Case::read_event(std::uint32_t h, const Event& e) {
  const Uid uid = history(h).device().uid;
  switch (e.ev) {
    case Ev::kSendInvoke:
    case Ev::kSendOk:
    case Ev::kSendFail:
    case Ev::kSendInfo:
    case Ev::kState: read_send(h, e); break;
    case Ev::kPersist:
    case Ev::kShow: {
      if (e.uid == uid) {
        const auto at = own_.find(e.cmid);
        if (at == own_.end() || e.seq == 0) break;
        Send& send = sends_[at->second];
        send.logged_at = std::min(send.logged_at, e.at);
        break;
      }
      Elsewhere& other = elsewhere_[RowKey{e.conv, e.uid, e.cmid}];
      other.persisted = std::min(other.persisted, e.at);
      if (e.ev == Ev::kShow) other.shown = std::min(other.shown, e.at);
      break;
    }
    case Ev::kLoginOk:
      end_session(h, e.at, ClosedBy::kNetwork);
      sessions_[h].push_back({h, e.number, e.epoch(), e.at, kNanosMax, ClosedBy::kNone});
      break;
    case Ev::kClose: end_session(h, e.at, e.closed_by()); break;
    case Ev::kRestart:
    case Ev::kNewStore: end_session(h, e.at, ClosedBy::kProcess); break;
    default: break;
  }
}

void Case::read_send(std::uint32_t h, const Event& e) {
  if (e.ev == Ev::kSendInvoke) {
    const RowKey key{e.conv, history(h).device().uid, e.cmid};
    const auto number = static_cast<std::uint32_t>(sends_.size());
    const auto [at, is_new] = send_of_.try_emplace(key, number);
    if (is_new) {
      sends_.push_back(
          {.key = key, .history = h, .invoked_at = e.at, .phash = e.phash, .quoted = e.low});
    }
    own_.try_emplace(e.cmid, at->second);
    ++sends_[at->second].invokes;
    return;
  }
  const auto at = own_.find(e.cmid);
  if (at == own_.end()) return;
  Send& send = sends_[at->second];
  if (e.ev == Ev::kSendOk && e.has(kRelayed)) {
    send.relayed_at = std::min(send.relayed_at, e.at);
  } else if (e.ev == Ev::kSendOk && !send.is_stored()) {
    send.stored_at = e.at;
    send.seq = e.seq;
  } else if (e.ev == Ev::kSendFail && e.has(kFinal)) {
    send.refused_at = std::min(send.refused_at, e.at);
    // Nobody asks again, and the answer itself left open what was done.
    if (error_info(e.code).outcome == Outcome::kUnknown) send.has_unknown_try = true;
  } else if (e.ev == Ev::kSendInfo ||
             (e.ev == Ev::kSendFail && error_info(e.code).outcome == Outcome::kUnknown)) {
    send.has_unknown_try = true;
  } else if (e.ev == Ev::kState && e.to_state() == Shown::kUnsure) {
    send.unsure_at = std::min(send.unsure_at, e.at);
  }
}

void Case::end_session(std::uint32_t h, Nanos at, ClosedBy by) {
  if (sessions_[h].empty() || sessions_[h].back().to != kNanosMax) return;
  sessions_[h].back().to = at;
  sessions_[h].back().by = by;
}

std::uint32_t Case::row_of(const RowKey& key) const {
  const auto at = row_of_.find(key);
  return at == row_of_.end() ? kNone : at->second;
}

std::uint32_t Case::row_at(const Place& place) const {
  const auto at = row_at_.find(place);
  return at == row_at_.end() ? kNone : at->second;
}

const Conversation* Case::conversation(const ConversationId& conv) const {
  const auto at = conversation_of_.find(conv);
  return at == conversation_of_.end() ? nullptr : &conversations_[at->second];
}

const std::vector<std::uint32_t>& Case::conversations_of(Uid uid) const {
  const auto at = conversations_of_.find(uid);
  return at == conversations_of_.end() ? kNobody : at->second;
}

const MemberRow* Case::member(Uid uid, const ConversationId& conv) const {
  const auto at = member_of_.find(InConv{uid.value(), conv});
  return at == member_of_.end() ? nullptr : &evidence.store.members[at->second];
}

bool Case::sees(Uid uid, const ConversationId& conv, std::uint64_t seq) const {
  const MemberRow* const m = member(uid, conv);
  if (m == nullptr) return !conv.is_group() && conv.has(uid);
  return seq >= m->join_seq && (m->leave_seq == 0 || seq < m->leave_seq);
}

bool Case::saw(Uid uid, const ConversationId& conv, std::uint64_t seq) const {
  const auto at = stints_of_.find(InConv{uid.value(), conv});
  if (at == stints_of_.end()) return sees(uid, conv, seq);
  return std::ranges::any_of(at->second, [&](std::uint32_t s) {
    const StintRow& stint = evidence.store.stints[s];
    return seq >= stint.from && (stint.to == 0 || seq < stint.to);
  });
}

std::uint64_t Case::first_seen(Uid uid, const ConversationId& conv) const {
  const auto at = stints_of_.find(InConv{uid.value(), conv});
  if (at != stints_of_.end()) return evidence.store.stints[at->second.front()].from;
  const MemberRow* const m = member(uid, conv);
  return m == nullptr ? 1 : std::max<std::uint64_t>(1, m->join_seq);
}

const Send* Case::send_of(const RowKey& key) const {
  const auto at = send_of_.find(key);
  return at == send_of_.end() ? nullptr : &sends_[at->second];
}

const std::vector<std::uint32_t>& Case::devices_of(Uid uid) const {
  const auto at = devices_of_.find(uid);
  return at == devices_of_.end() ? kNobody : at->second;
}

bool Case::is_connected(std::uint32_t h, Nanos from, Nanos to) const {
  const auto after = std::ranges::upper_bound(sessions_[h], from, {}, &Session::from);
  return after != sessions_[h].begin() && std::prev(after)->to >= to;
}

bool Case::is_online_throughout(Uid uid, Nanos from, Nanos to) const {
  const auto at = online_.find(uid);
  if (at == online_.end()) return false;
  const auto& spans = at->second;
  auto after = std::ranges::upper_bound(spans, from, {}, &std::pair<Nanos, Nanos>::first);
  return after != spans.begin() && std::prev(after)->second >= to;
}

bool Case::is_online_within(Uid uid, Nanos from, Nanos to) const {
  const auto at = online_.find(uid);
  if (at == online_.end()) return false;
  const auto& spans = at->second;
  auto after = std::ranges::upper_bound(spans, to, {}, &std::pair<Nanos, Nanos>::first);
  return after != spans.begin() && std::prev(after)->second >= from;
}

Nanos Case::persisted_elsewhere(const RowKey& key) const {
  const auto at = elsewhere_.find(key);
  return at == elsewhere_.end() ? kNanosMax : at->second.persisted;
}

Nanos Case::shown_elsewhere(const RowKey& key) const {
  const auto at = elsewhere_.find(key);
  return at == elsewhere_.end() ? kNanosMax : at->second.shown;
}

Nanos Case::connected_after(Nanos from, Nanos span) const {
  if (from == kNanosMax) return kNanosMax;
  for (const auto& [begin, end] : reach_) {
    if (end <= from) continue;
    const Nanos free = std::max<Nanos>(0, begin - from);
    if (free >= span) break;
    span -= free;
    from = std::max(from, end);
  }
  return from + span;
}

bool Case::is_cut(Nanos from, Nanos to) const {
  const auto after = std::ranges::upper_bound(reach_, to, {}, &std::pair<Nanos, Nanos>::first);
  return after != reach_.begin() && std::prev(after)->second >= from;
}

bool Case::is_disturbed(Nanos at, Nanos settle) const {
  const auto after = std::ranges::upper_bound(faults_, at, {}, &std::pair<Nanos, Nanos>::first);
  return after != faults_.begin() && at <= std::prev(after)->second + settle;
}

}  // namespace hy::judge
