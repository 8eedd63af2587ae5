#include "client/judge/receipts.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>

namespace hy::judge {
namespace {

/// The pushes of one connection, as its acks confirm them.
class Pushes {
 public:
  void arrived(const Event& e) {
    if (e.number <= largest_) return;  // again
    largest_ = e.number;
    waiting_.push_back(&e);
  }
  void connected() {
    largest_ = 0;
    waiting_.clear();
  }
  [[nodiscard]] std::uint32_t largest() const { return largest_; }
  template <class F>
  void acked(std::uint32_t n, F&& f) {
    for (; !waiting_.empty() && waiting_.front()->number <= n; waiting_.pop_front())
      f(*waiting_.front());
  }

 private:
  std::uint32_t largest_ = 0;
  std::deque<const Event*> waiting_;
};

void check_acks(const Case& c, std::uint32_t h, Report& out) {
  const History& history = c.history(h);
  FlatSet<RowKey> persisted;
  Pushes pushes;
  for (const Event& e : history.events()) {
    if (e.ev == Ev::kNewStore) persisted.clear();
    if (e.ev == Ev::kPersist) persisted.insert(RowKey{e.conv, e.uid, e.cmid});
    if (e.ev == Ev::kLoginOk) pushes.connected();
    if (e.ev == Ev::kRecv && e.via() == Via::kPush) pushes.arrived(e);
    if (e.ev != Ev::kAck) continue;
    ++out.looked_at;
    if (e.number > pushes.largest()) {
      out.add({"",
               fmt::format("{} acknowledged push {}, the last was {}", c.name(h), e.number,
                           pushes.largest()),
               history.device(),
               {},
               0,
               {}});
    }
    pushes.acked(e.number, [&](const Event& push) {
      if (persisted.contains(RowKey{push.conv, push.uid, push.cmid})) return;
      out.add({"",
               fmt::format("{} acknowledged push {} before message {} was on its disk", c.name(h),
                           push.number, push.cmid.to_hex()),
               history.device(), push.conv, push.seq, push.cmid});
    });
  }
}

/// When a person had a position on disk on some device, and how far the person had read.
class Marks {
 public:
  explicit Marks(const Case& c) {
    for (std::uint32_t h = 0; h < c.histories(); ++h) {
      const Uid uid = c.history(h).device().uid;
      for (const Event& e : c.history(h).events()) {
        const bool is_read = e.ev == Ev::kReadInvoke;
        if (!is_read && (e.ev != Ev::kPersist || e.seq == 0)) continue;
        auto& marks = is_read ? read_ : persisted_;
        marks[InConv{uid.value(), e.conv}].emplace_back(e.at, e.seq);
      }
    }
    for (auto* marks : {&read_, &persisted_}) {
      for (auto& [key, list] : *marks) rise(list);
    }
  }
  /// The largest position of `uid` by `at`.
  [[nodiscard]] std::uint64_t largest(bool read, Uid uid, const ConversationId& conv,
                                      Nanos at) const {
    const auto& marks = read ? read_ : persisted_;
    const auto found = marks.find(InConv{uid.value(), conv});
    if (found == marks.end()) return 0;
    const auto after =
        std::ranges::upper_bound(found->second, at, {}, &std::pair<Nanos, std::uint64_t>::first);
    return after == found->second.begin() ? 0 : std::prev(after)->second;
  }

 private:
  using List = std::vector<std::pair<Nanos, std::uint64_t>>;
  static void rise(List& list) {
    std::ranges::sort(list);
    std::uint64_t largest = 0;
    for (auto& [at, seq] : list) largest = seq = std::max(largest, seq);
  }
  FlatMap<InConv, List> read_;
  FlatMap<InConv, List> persisted_;
};

void check_receipts(const Case& c, const Marks& marks, std::uint32_t h, Report& out) {
  const History& history = c.history(h);
  for (const Event& e : history.events()) {
    if (e.ev != Ev::kReceipt || c.devices_of(e.uid).empty()) continue;
    ++out.looked_at;
    const bool is_read = e.has(kReadMark);
    const std::uint64_t had = marks.largest(is_read, e.uid, e.conv, e.at + c.rules.clock_error);
    if (had >= e.seq) continue;
    out.add({"",
             fmt::format("{} was told that {} has {} up to {}, it was {}", c.name(h), e.uid.value(),
                         is_read ? "read" : "on disk", e.seq, had),
             history.device(),
             e.conv,
             e.seq,
             {}});
  }
}

/// The read marks of one device as the server confirmed them. Answers may overtake each other: each
/// is held against what was confirmed when its READ left, and against what it asked for.
class ReadMarks {
 public:
  void asked(const Event& e) { asked_[e.number] = {e.seq, largest_[e.conv]}; }
  /// The smallest mark that this answer may name.
  [[nodiscard]] std::uint64_t least(const Event& answer) {
    const auto at = asked_.find(answer.number);
    if (at == asked_.end()) return largest_[answer.conv];
    return std::max(at->second.seq, at->second.confirmed);
  }
  void answered(const Event& e) {
    std::uint64_t& largest = largest_[e.conv];
    largest = std::max(largest, e.seq);
  }

 private:
  struct Asked {
    std::uint64_t seq = 0;
    std::uint64_t confirmed = 0;  ///< when it was asked
  };
  FlatMap<std::uint32_t, Asked> asked_;
  FlatMap<ConversationId, std::uint64_t> largest_;
};

/// Read marks and states of one device; `confirmed`: the largest mark of each person that any of
/// the devices was confirmed.
void check_falls(const Case& c, std::uint32_t h, FlatMap<InConv, std::uint64_t>& confirmed,
                 Report& out) {
  const History& history = c.history(h);
  ReadMarks mine;
  FlatMap<ClientMsgId, std::uint8_t> states;
  for (const Event& e : history.events()) {
    if (e.ev == Ev::kReadAsk) mine.asked(e);
    if (e.ev == Ev::kReadOk) {
      ++out.looked_at;
      if (const std::uint64_t least = mine.least(e); e.seq < least) {
        out.add({"",
                 fmt::format("{}: the read mark fell from {} to {}", c.name(h), least, e.seq),
                 history.device(),
                 e.conv,
                 e.seq,
                 {}});
      }
      mine.answered(e);
      std::uint64_t& all = confirmed[InConv{history.device().uid.value(), e.conv}];
      all = std::max(all, e.seq);
    }
    if (e.ev != Ev::kState) continue;
    std::uint8_t& before = states[e.cmid];
    const bool is_receipt = before >= static_cast<std::uint8_t>(Shown::kStored) &&
                            before <= static_cast<std::uint8_t>(Shown::kRead);
    if (is_receipt && e.to < before) {
      out.add(
          {"",
           fmt::format("{}: message {} fell from read or delivered", c.name(h), e.cmid.to_hex()),
           history.device(), e.conv, 0, e.cmid});
    }
    before = e.to;
  }
}

/// What the counter of a person in a conversation is, by hand; -1: it counts rows that have
/// expired. Writing into a group marks nothing as read.
std::int64_t unread_by_hand(const Case& c, Uid uid, const Conversation& conversation) {
  const MemberRow* const m = c.member(uid, conversation.conv);
  std::uint64_t from = m == nullptr ? 0 : m->read_seq;
  for (const std::uint32_t r : conversation.rows) {
    if (c.row(r).sender == uid && !conversation.conv.is_group())
      from = std::max(from, c.row(r).seq);
  }
  if (from + 1 < conversation.kept_from) return -1;
  std::int64_t count = 0;
  for (const std::uint32_t r : conversation.rows) {
    const MessageRow& row = c.row(r);
    if (row.seq > from && row.countable && !row.recalled && c.sees(uid, row.conv, row.seq)) ++count;
  }
  return count;
}

}  // namespace

Report check_receipt(const Case& c) {
  Report out("C-RECEIPT", "acks, receipts and marks");
  const Marks marks(c);
  FlatMap<InConv, std::uint64_t> confirmed;
  for (std::uint32_t h = 0; h < c.histories(); ++h) {
    check_acks(c, h, out);
    check_receipts(c, marks, h, out);
    check_falls(c, h, confirmed, out);
  }
  for (const MemberRow& m : c.evidence.store.members) {
    const auto at = confirmed.find(InConv{m.uid.value(), m.conv});
    if (at == confirmed.end() || m.read_seq >= at->second) continue;
    out.add({"",
             fmt::format("the read mark of {} was confirmed up to {}, the log has {}",
                         m.uid.value(), at->second, m.read_seq),
             {m.uid, Slot::kNone, 0},
             m.conv,
             m.read_seq,
             {}});
  }
  return out;
}

Report check_unread(const Case& c) {
  Report out("C-UNREAD", "counters");
  FlatMap<InConv, std::int64_t> counted;
  const auto by_hand = [&](Uid uid, const ConversationId& conv) -> std::int64_t {
    const auto [at, is_new] = counted.try_emplace(InConv{uid.value(), conv}, 0);
    const Conversation* const conversation = c.conversation(conv);
    if (is_new && conversation != nullptr) at->second = unread_by_hand(c, uid, *conversation);
    return at->second;
  };
  for (std::uint32_t h = 0; h < c.histories(); ++h) {
    const History& history = c.history(h);
    const DeviceKey& device = history.device();
    FlatMap<ConversationId, std::size_t> last;
    for (std::size_t i = 0; i < history.events().size(); ++i) {
      const Event& e = history.events()[i];
      if (e.ev != Ev::kUnread) continue;
      ++out.looked_at;
      // Of a device that could not ask again after the faults nothing is known about the end.
      if (e.at >= c.evidence.healed_at) last[e.conv] = i;
      if (e.count() >= 0) continue;
      out.add(
          {"", fmt::format("{} showed {} unread", c.name(h), e.count()), device, e.conv, 0, {}});
    }
    if (!history.is_drained()) continue;
    for (const std::uint32_t number : c.conversations_of(device.uid)) {
      const ConversationId& conv = c.conversations()[number].conv;
      const auto at = last.find(conv);
      if (at == last.end()) continue;
      // No list names a group that its person has left: what was shown is from before that.
      const MemberRow* const m = c.member(device.uid, conv);
      if (m != nullptr && m->leave_seq != 0) continue;
      const std::int64_t shown = history.events()[at->second].count();
      const std::int64_t right = by_hand(device.uid, conv);
      if (shown < 0 || right < 0 || shown == right) continue;
      out.add({"",
               fmt::format("{} shows {} unread, it is {}", c.name(h), shown, right),
               device,
               conv,
               0,
               {}});
    }
  }
  for (const MemberRow& m : c.evidence.store.members) {
    if (m.unread < 0) continue;
    ++out.looked_at;
    const std::int64_t right = by_hand(m.uid, m.conv);
    if (right < 0 || m.unread == right) continue;
    out.add({"",
             fmt::format("das counts {} unread of {}, it is {}", m.unread, m.uid.value(), right),
             {m.uid, Slot::kNone, 0},
             m.conv,
             0,
             {}});
  }
  return out;
}

}  // namespace hy::judge
