#include "client/judge/display.h"

#include <fmt/format.h>

namespace hy::judge {
namespace {

Violation at_event(const Case& c, std::uint32_t h, const Event& e, std::string_view what) {
  return {"",
          fmt::format("{}: message {} (seq {}) {}", c.name(h), e.cmid.to_hex(), e.seq, what),
          c.history(h).device(),
          e.conv,
          e.seq,
          e.cmid};
}

/// What one device has on its screen.
struct Screen {
  static constexpr std::uint8_t kIsProvisional = 1;
  static constexpr std::uint8_t kIsPlaced = 2;
  FlatMap<RowKey, std::uint8_t> rows;
  FlatMap<Place, ClientMsgId> places;
};

void check_screen(const Case& c, std::uint32_t h, Report& out) {
  Screen screen;
  for (const Event& e : c.history(h).events()) {
    if (e.ev == Ev::kNewStore) screen = {};
    // The log was set back: positions may have been given anew, ids are known still.
    if (e.ev == Ev::kReset) screen.places.clear();
    if (e.ev != Ev::kShow && e.ev != Ev::kMove) continue;
    ++out.looked_at;
    std::uint8_t& row = screen.rows[RowKey{e.conv, e.uid, e.cmid}];
    if (e.ev == Ev::kShow && row != 0) {
      out.add(at_event(c, h, e, "was displayed twice"));
    } else if (e.ev == Ev::kMove && (row & Screen::kIsPlaced) != 0) {
      out.add(at_event(c, h, e, "took its place twice"));
    }
    row |= e.has(kProvisional) ? Screen::kIsProvisional : Screen::kIsPlaced;
    if (e.seq == 0) continue;
    const auto [at, is_new] = screen.places.try_emplace(Place{e.conv, e.seq}, e.cmid);
    if (!is_new && at->second != e.cmid)
      out.add(at_event(c, h, e, "stands where " + at->second.to_hex() + " was displayed"));
  }
}

void check_log(const Case& c, Report& out) {
  FlatMap<RowKey, std::uint64_t> keys;
  FlatMap<Place, ClientMsgId> places;
  keys.reserve(c.evidence.store.messages.size());
  places.reserve(c.evidence.store.messages.size());
  for (const MessageRow& row : c.evidence.store.messages) {
    ++out.looked_at;
    const auto [key, is_new] = keys.try_emplace(RowKey{row.conv, row.sender, row.cmid}, row.seq);
    if (!is_new) {
      out.add({"",
               fmt::format("message {} is in the log at seq {} and at seq {}", row.cmid.to_hex(),
                           key->second, row.seq),
               {},
               row.conv,
               row.seq,
               row.cmid});
    }
    if (!places.try_emplace(Place{row.conv, row.seq}, row.cmid).second) {
      out.add({"",
               fmt::format("the log has two rows at seq {}", row.seq),
               {},
               row.conv,
               row.seq,
               row.cmid});
    }
  }
}

}  // namespace

Report check_dup(const Case& c) {
  Report out("C-DUP", "displays and rows");
  for (std::uint32_t h = 0; h < c.histories(); ++h) check_screen(c, h, out);
  check_log(c, out);
  return out;
}

Report check_order(const Case& c) {
  Report out("C-ORDER", "displays");
  for (std::uint32_t h = 0; h < c.histories(); ++h) {
    const History& history = c.history(h);
    FlatMap<ConversationId, std::uint64_t> last;
    FlatMap<RowKey, const Event*> provisional;
    for (const Event& e : history.events()) {
      if (e.ev == Ev::kNewStore) {
        last.clear();
        provisional.clear();
      }
      if (e.ev == Ev::kReset) {
        if (e.conv == ConversationId{})
          last.clear();
        else
          last.erase(e.conv);
      }
      if (e.ev != Ev::kShow && e.ev != Ev::kMove) continue;
      ++out.looked_at;
      if (e.has(kProvisional)) {
        provisional.try_emplace(RowKey{e.conv, e.uid, e.cmid}, &e);
        continue;
      }
      if (e.ev == Ev::kMove) provisional.erase(RowKey{e.conv, e.uid, e.cmid});
      std::uint64_t& largest = last[e.conv];
      if (e.seq <= largest)
        out.add(at_event(c, h, e, fmt::format("was displayed after seq {}", largest)));
      largest = std::max(largest, e.seq);
    }
    if (!history.is_drained()) continue;
    for (const Event& e : history.events()) {
      if (e.ev != Ev::kShow || !e.has(kProvisional)) continue;
      const RowKey key{e.conv, e.uid, e.cmid};
      if (provisional.contains(key) && c.row_of(key) != kNone)
        out.add(at_event(c, h, e, "was displayed as provisional and never took its place"));
    }
  }
  return out;
}

namespace {

/// Who wrote into a group was in it, and the rows of its members say what its log tells.
void check_groups(const Case& c, Report& out) {
  const StoreDump& store = c.evidence.store;
  for (const MessageRow& row : store.messages) {
    if (!row.conv.is_group()) continue;
    ++out.looked_at;
    if (c.saw(row.sender, row.conv, row.seq)) continue;
    out.add({"",
             fmt::format("message {} (seq {}) is of {}, who was no member then", row.cmid.to_hex(),
                         row.seq, row.sender.value()),
             {row.sender, Slot::kNone, 0},
             row.conv,
             row.seq,
             row.cmid});
  }
  for (std::size_t i = 0; i < store.stints.size(); ++i) {
    const StintRow& s = store.stints[i];
    const bool is_last = i + 1 == store.stints.size() || store.stints[i + 1].uid != s.uid ||
                         store.stints[i + 1].conv != s.conv;
    if (!is_last) continue;
    ++out.looked_at;
    const MemberRow* const m = c.member(s.uid, s.conv);
    if (m != nullptr && m->join_seq == s.from && m->leave_seq == s.to) continue;
    out.add(
        {"",
         fmt::format("{} is in from seq {} to {} by the log, the row of the member says {} to {}",
                     s.uid.value(), s.from, s.to, m == nullptr ? 0 : m->join_seq,
                     m == nullptr ? 0 : m->leave_seq),
         {s.uid, Slot::kNone, 0},
         s.conv,
         s.from,
         {}});
  }
}

}  // namespace

Report check_acl(const Case& c) {
  Report out("C-ACL", "rows received or displayed");
  if (c.evidence.store.members.empty()) return out;
  check_groups(c, out);
  for (std::uint32_t h = 0; h < c.histories(); ++h) {
    const History& history = c.history(h);
    const Uid uid = history.device().uid;
    for (const Event& e : history.events()) {
      if (e.ev != Ev::kRecv && e.ev != Ev::kShow && e.ev != Ev::kPullOk) continue;
      const auto judge = [&](std::uint64_t seq) {
        ++out.looked_at;
        if (seq == 0 || c.saw(uid, e.conv, seq)) return;
        Event of = e;
        of.seq = seq;
        out.add(at_event(c, h, of, "came to somebody who was no member then"));
      };
      if (e.ev != Ev::kPullOk) judge(e.seq);
      for (const Item& row : history.items(e)) judge(row.seq);
    }
  }
  return out;
}

}  // namespace hy::judge
