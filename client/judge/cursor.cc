#include "client/judge/cursor.h"

#include <fmt/format.h>

#include <utility>

#include "client/judge/seq_set.h"

namespace hy::judge {
namespace {

/// What one device has of one conversation.
struct Have {
  SeqSet rows;  ///< persisted, and announced gaps
  std::uint64_t cursor = 0;
};
using Haves = FlatMap<ConversationId, Have>;

/// Takes what an event says about rows; false: the event is about something else.
bool take_rows(const Event& e, Haves& haves) {
  switch (e.ev) {
    case Ev::kPersist:
      if (e.seq > 0) haves[e.conv].rows.insert(e.seq);
      return true;
    case Ev::kGap: haves[e.conv].rows.insert(e.low, e.seq); return true;
    case Ev::kReset:
      if (e.conv == ConversationId{})
        haves.clear();
      else
        haves.erase(e.conv);
      return true;
    case Ev::kNewStore: haves.clear(); return true;
    default: return false;
  }
}

/// The user's own log as one device applies it.
class UserLog {
 public:
  /// Empty: in order.
  std::string take(const Event& e) {
    if (e.ev == Ev::kNewStore || e.ev == Ev::kReset) is_known_ = false;
    if (e.ev == Ev::kUserEvent) {
      const std::uint64_t before = std::exchange(last_, is_known_ ? std::max(last_, e.seq) : e.seq);
      const bool was_known = std::exchange(is_known_, true);
      if (was_known && e.seq > before + 1)
        return fmt::format("user event {} follows {}", e.seq, before);
    }
    if (e.ev == Ev::kSyncOk) {
      const std::uint64_t before = std::exchange(last_, e.seq);
      const bool was_known = std::exchange(is_known_, true);
      if (was_known && !e.has(kTooFar) && e.seq > before)
        return fmt::format("SYNC speaks of user event {}, the last one that came is {}", e.seq,
                           before);
    }
    return "";
  }

 private:
  bool is_known_ = false;
  std::uint64_t last_ = 0;
};

void check_device(const Case& c, std::uint32_t h, Haves& haves, Report& out) {
  const History& history = c.history(h);
  const DeviceKey& device = history.device();
  UserLog user_log;
  for (const Event& e : history.events()) {
    if (const std::string what = user_log.take(e); !what.empty())
      out.add({"", c.name(h) + ": " + what, device, {}, e.seq, {}});
    if (take_rows(e, haves) || e.ev != Ev::kCursor) continue;
    ++out.looked_at;
    Have& have = haves[e.conv];
    if (e.seq < have.cursor) {
      out.add({"",
               fmt::format("{}: the cursor fell from {} to {}", c.name(h), have.cursor, e.seq),
               device,
               e.conv,
               e.seq,
               {}});
    }
    // Up to the last cursor it was checked then.
    const std::uint64_t first = std::max(have.cursor + 1, c.first_seen(device.uid, e.conv));
    if (const auto hole = have.rows.first_missing(first, e.seq)) {
      out.add({"",
               fmt::format("{}: the cursor is {} and seq {} is not on the device", c.name(h), e.seq,
                           *hole),
               device,
               e.conv,
               *hole,
               {}});
    }
    have.cursor = e.seq;
  }
}

/// A position that the log keeps and the person is to see.
bool hides_something(const Case& c, Uid uid, const Conversation& of, const Event& gap) {
  const std::uint64_t last = of.conv.is_group() ? std::min(gap.seq, of.head) : gap.seq;
  for (std::uint64_t seq = std::max(gap.low, of.kept_from); seq <= last; ++seq)
    if (c.sees(uid, of.conv, seq)) return true;
  return false;
}

void check_gap_event(const Case& c, std::uint32_t h, const Event& e, Report& out) {
  const Conversation* const conversation = c.conversation(e.conv);
  ++out.looked_at;
  const DeviceKey& device = c.history(h).device();
  const auto fault = [&](std::string_view what) {
    out.add({"",
             fmt::format("{}: the gap {} … {} {}", c.name(h), e.low, e.seq, what),
             device,
             e.conv,
             e.low,
             {}});
  };
  if (conversation == nullptr) {
    fault("is of a conversation that the log does not know");
  } else if (e.code == Errc::kTooFar) {
    if (e.seq + c.rules.first_tail > conversation->head) fault("reaches into the tail");
  } else if (hides_something(c, device.uid, *conversation, e)) {
    fault(fmt::format("was called expired, the log has rows from {}", conversation->kept_from));
  }
}

}  // namespace

Report check_cursor(const Case& c) {
  Report out("C-CURSOR", "moves of cursors");
  FlatMap<DeviceKey, std::uint32_t> numbers;
  std::vector<Haves> all(c.histories());
  for (std::uint32_t h = 0; h < c.histories(); ++h) {
    numbers[c.history(h).device()] = h;
    check_device(c, h, all[h], out);
  }
  for (const DeviceCursorRow& row : c.evidence.store.cursors) {
    const auto at = numbers.find(row.device);
    if (at == numbers.end()) continue;
    ++out.looked_at;
    const auto have = all[at->second].find(row.conv);
    const std::uint64_t cursor = have == all[at->second].end() ? 0 : have->second.cursor;
    if (row.seq <= cursor) continue;
    out.add({"",
             fmt::format("the server thinks {} has everything up to {}, it has {}",
                         device_text(row.device), row.seq, cursor),
             row.device,
             row.conv,
             row.seq,
             {}});
  }
  return out;
}

Report check_gap(const Case& c) {
  Report out("C-GAP", "conversations of drained devices, and gaps");
  for (std::uint32_t h = 0; h < c.histories(); ++h) {
    const History& history = c.history(h);
    const Uid uid = history.device().uid;
    Haves haves;
    for (const Event& e : history.events()) {
      (void)take_rows(e, haves);
      if (e.ev == Ev::kGap) check_gap_event(c, h, e, out);
    }
    if (!history.is_drained()) continue;
    for (const std::uint32_t number : c.conversations_of(uid)) {
      const Conversation& conversation = c.conversations()[number];
      const MemberRow* const m = c.member(uid, conversation.conv);
      std::uint64_t last = conversation.head;
      if (m != nullptr && m->leave_seq != 0) last = std::min(last, m->leave_seq - 1);
      // Of an earlier stint the store shows nothing any more.
      const std::uint64_t first = m == nullptr ? 1 : std::max<std::uint64_t>(1, m->join_seq);
      ++out.looked_at;
      const auto hole = haves[conversation.conv].rows.first_missing(first, last);
      if (!hole) continue;
      out.add({"",
               fmt::format("{}: seq {} is not there and no gap was announced", c.name(h), *hole),
               history.device(),
               conversation.conv,
               *hole,
               {}});
    }
  }
  return out;
}

}  // namespace hy::judge
