#include "tests/judge/planting.h"

namespace hy::judge {
namespace {

// ── reads ───────────────────────────────────────────────────────────────────────────────────────

bool stale_read(Evidence& e, Random& random) {
  const auto at = pick(e, random, [&](const History& h, const Event& ev) {
    if (ev.ev != Ev::kPullOk) return false;
    return std::ranges::any_of(h.items(ev), [&](const Item& row) {
      // Answered before this device asked.
      return std::ranges::any_of(e.histories, [&](const History& o) {
        return std::ranges::any_of(o.events(), [&](const Event& a) {
          return is_first_answer(a) && a.cmid == row.cmid && a.at + kSecond / 10 < ev.at;
        });
      });
    });
  });
  if (!at) return false;
  Event& pull = event(e, *at);
  auto& items = e.histories[at->h].all_items();
  const auto& events = e.histories[at->h].events();
  for (std::uint32_t k = 0; k < pull.list_count; ++k) {
    Item& item = items[pull.list_first + k];
    for (const History& o : e.histories) {
      for (const Event& a : o.events()) {
        if (!is_first_answer(a) || a.cmid != item.cmid || a.at + kSecond / 10 >= pull.at) continue;
        // The rows behind it close up: the answer is shorter and still speaks for its range.
        for (std::uint32_t j = k; j + 1 < pull.list_count; ++j)
          items[pull.list_first + j] = items[pull.list_first + j + 1];
        --pull.list_count;
        return !events.empty();
      }
    }
  }
  return false;
}

bool sync_above_the_head(Evidence& e, Random& random) {
  const auto at = pick(e, random, [](const History&, const Event& ev) {
    return ev.ev == Ev::kSyncOk && ev.list_count > 0;
  });
  if (!at) return false;
  const Event& sync = event(e, *at);
  Item& item = e.histories[at->h].all_items()[sync.list_first + random.below(sync.list_count)];
  item.seq = head_of(e, item.conv).head + 1 + random.below(5);
  return true;
}

bool pull_above_the_head(Evidence& e, Random& random) {
  const auto at = pick(e, random, [&](const History&, const Event& ev) {
    return ev.ev == Ev::kPullOk && ev.list_count > 0 && ev.seq == head_of(e, ev.conv).head;
  });
  if (!at) return false;
  const Event& pull = event(e, *at);
  e.histories[at->h].all_items()[pull.list_first + pull.list_count - 1].seq += 1;
  return true;
}

bool changed_conversation_not_named(Evidence& e, Random& random) {
  struct Candidate {
    At at;
    std::uint32_t k;
  };
  std::optional<Candidate> chosen;
  std::uint64_t seen = 0;
  for (std::size_t h = 0; h < e.histories.size(); ++h) {
    const History& history = e.histories[h];
    const Event* invoke = nullptr;
    for (std::size_t i = 0; i < history.events().size(); ++i) {
      const Event& ev = history.events()[i];
      if (ev.ev == Ev::kSyncInvoke) invoke = &ev;
      if (ev.ev != Ev::kSyncOk || invoke == nullptr) continue;
      for (std::uint32_t k = 0; k < ev.list_count; ++k) {
        const Item& item = history.items(ev)[k];
        const bool is_due = std::ranges::any_of(e.histories, [&](const History& o) {
          return std::ranges::any_of(o.events(), [&](const Event& a) {
            if (!is_first_answer(a) || a.conv != item.conv || a.at >= invoke->at) return false;
            const MessageRow* const row = row_of(e, a.cmid);
            const bool sees = std::ranges::any_of(e.store.members, [&](const MemberRow& m) {
              return m.uid == history.device().uid && m.conv == a.conv && a.seq >= m.join_seq &&
                     (m.leave_seq == 0 || a.seq < m.leave_seq);
            });
            return row != nullptr && sees &&
                   row->server_ms >= static_cast<std::int64_t>(invoke->low);
          });
        });
        if (is_due && random.below(++seen) == 0) chosen = Candidate{{h, i}, k};
      }
    }
  }
  if (!chosen) return false;
  Event& sync = event(e, chosen->at);
  auto& items = e.histories[chosen->at.h].all_items();
  for (std::uint32_t j = chosen->k; j + 1 < sync.list_count; ++j)
    items[sync.list_first + j] = items[sync.list_first + j + 1];
  --sync.list_count;
  return true;
}

// ── cursors and gaps ────────────────────────────────────────────────────────────────────────────

bool seq_back(Evidence& e, Random& random) {
  const auto at = pick(e, random, [](const History&, const Event& ev) {
    return ev.ev == Ev::kCursor && ev.seq > 1;
  });
  if (!at) return false;
  Event back = event(e, *at);
  back.seq -= 1;
  insert_after(e, *at, back);
  insert_after(e, {at->h, at->i + 1}, event(e, *at));
  return true;
}

bool skip(Evidence& e, Random& random) {
  // The cursor is the largest seq that came, not the end of the run.
  const auto at =
      pick(e, random, [](const History&, const Event& ev) { return ev.ev == Ev::kCursor; });
  if (!at) return false;
  Event ahead = event(e, *at);
  ahead.seq += 1 + random.below(3);
  auto& events = e.histories[at->h].events();
  events[at->i] = ahead;
  // What it says afterwards is as large at least.
  for (std::size_t i = at->i + 1; i < events.size() && events[i].ev != Ev::kNewStore; ++i) {
    if (events[i].ev == Ev::kCursor && events[i].conv == ahead.conv)
      events[i].seq = std::max(events[i].seq, ahead.seq);
  }
  return true;
}

bool server_ahead_of_the_device(Evidence& e, Random& random) {
  if (e.store.cursors.empty()) return false;
  e.store.cursors[random.below(e.store.cursors.size())].seq += 1 + random.below(4);
  return true;
}

bool hole_in_user_events(Evidence& e, Random& random) {
  const auto at = pick(e, random, [](const History& h, const Event& ev) {
    if (ev.ev != Ev::kUserEvent) return false;
    const auto i = static_cast<std::size_t>(&ev - h.events().data());
    bool is_known = false;
    for (std::size_t k = 0; k < h.events().size(); ++k) {
      const Event& o = h.events()[k];
      if (o.ev == Ev::kNewStore) is_known = false;
      const bool is_about = o.ev == Ev::kUserEvent || o.ev == Ev::kSyncOk;
      if (k < i && is_about) is_known = true;
      if (k > i && is_about) return is_known;
      if (k > i && o.ev == Ev::kNewStore) return false;
    }
    return false;
  });
  if (at) remove(e, *at);
  return at.has_value();
}

bool gap_that_did_not_expire(Evidence& e, Random& random) {
  const auto at = pick(e, random, [&](const History&, const Event& ev) {
    return ev.ev == Ev::kRecv && ev.via() == Via::kPull && ev.seq >= head_of(e, ev.conv).kept_from;
  });
  if (!at) return false;
  const Event row = event(e, *at);
  insert_after(
      e, *at,
      {.conv = row.conv, .seq = row.seq, .low = row.seq, .code = Errc::kOk, .ev = Ev::kGap});
  return true;
}

bool gap_not_announced(Evidence& e, Random& random) {
  const auto at = pick(e, random, [](const History& h, const Event& ev) {
    return ev.ev == Ev::kGap && h.is_drained() &&
           std::ranges::none_of(
               h.events(), [&](const Event& o) { return o.ev == Ev::kNewStore && o.at > ev.at; });
  });
  if (at) remove(e, *at);
  return at.has_value();
}

// ── receipts and marks ──────────────────────────────────────────────────────────────────────────

bool acked_and_not_persisted(Evidence& e, Random& random) {
  const auto at = pick(e, random, [](const History& h, const Event& ev) {
    if (ev.ev != Ev::kRecv || ev.via() != Via::kPush) return false;
    const auto i = static_cast<std::size_t>(&ev - h.events().data());
    return std::ranges::none_of(
        h.events().begin(), h.events().begin() + static_cast<std::ptrdiff_t>(i),
        [&](const Event& o) { return o.ev == Ev::kPersist && o.cmid == ev.cmid; });
  });
  if (!at) return false;
  Event ack;
  ack.ev = Ev::kAck;
  ack.number = event(e, *at).number;
  insert_after(e, *at, ack);
  return true;
}

bool acked_what_never_came(Evidence& e, Random& random) {
  const auto at =
      pick(e, random, [](const History&, const Event& ev) { return ev.ev == Ev::kAck; });
  if (!at) return false;
  Event ack = event(e, *at);
  ack.number += 50;
  insert_after(e, *at, ack);
  return true;
}

/// A receipt of `ev` told to its observer long before it was true.
bool early_receipt(Evidence& e, Random& random, bool read) {
  const auto at = pick(e, random, [&](const History&, const Event& ev) {
    return ev.ev == Ev::kReceipt && ev.has(kReadMark) == read;
  });
  if (!at) return false;
  const Event early = event(e, *at);
  // Right after the first login: nothing was on any disk, nothing was read.
  auto& events = e.histories[at->h].events();
  for (std::size_t i = 0; i < events.size(); ++i) {
    if (events[i].ev != Ev::kLoginOk) continue;
    const bool was_true = std::ranges::any_of(e.histories, [&](const History& o) {
      return o.device().uid == early.uid && std::ranges::any_of(o.events(), [&](const Event& p) {
               return p.ev == (read ? Ev::kReadInvoke : Ev::kPersist) && p.conv == early.conv &&
                      p.seq >= early.seq && p.at <= events[i].at;
             });
    });
    if (was_true) return false;
    insert_after(e, {at->h, i}, early);
    return true;
  }
  return false;
}
bool delivered_before_it_was(Evidence& e, Random& random) {
  return early_receipt(e, random, false);
}
bool read_before_it_was(Evidence& e, Random& random) {
  return early_receipt(e, random, true);
}

bool read_back(Evidence& e, Random& random) {
  const auto at = pick(e, random, [](const History&, const Event& ev) {
    return ev.ev == Ev::kReadOk && ev.seq > 1;
  });
  if (!at) return false;
  Event back = event(e, *at);
  back.seq = random.below(back.seq);
  insert_after(e, *at, back);
  return true;
}

/// As read_back, and the question that it answers asked for as little: only what was confirmed
/// before tells that it is wrong.
bool read_back_for_a_later_question(Evidence& e, Random& random) {
  const auto at = pick(e, random, [](const History&, const Event& ev) {
    return ev.ev == Ev::kReadOk && ev.seq > 1;
  });
  if (!at) return false;
  Event ask = event(e, *at);
  ask.ev = Ev::kReadAsk;
  ask.number += 1'000'000;
  ask.seq = 1 + random.below(ask.seq - 1);
  Event back = ask;
  back.ev = Ev::kReadOk;
  insert_after(e, *at, ask);
  insert_after(e, {at->h, at->i + 1}, back);
  return true;
}

bool read_back_in_the_log(Evidence& e, Random& random) {
  std::vector<MemberRow*> rows;
  for (MemberRow& m : e.store.members) {
    if (m.read_seq > 0) rows.push_back(&m);
  }
  if (rows.empty()) return false;
  rows[random.below(rows.size())]->read_seq -= 1;
  return true;
}

bool state_back(Evidence& e, Random& random) {
  const auto at = pick(e, random, [](const History&, const Event& ev) {
    return ev.ev == Ev::kState && ev.to_state() == Shown::kRead;
  });
  if (!at) return false;
  Event back = event(e, *at);
  back.from = static_cast<std::uint8_t>(Shown::kRead);
  back.to = static_cast<std::uint8_t>(Shown::kDelivered);
  insert_after(e, *at, back);
  return true;
}

// ── unread ──────────────────────────────────────────────────────────────────────────────────────

/// The last counter of a conversation on a drained device whose person is still in it.
std::optional<At> last_counter(Evidence& e, Random& random, std::int64_t at_least) {
  return pick(e, random, [&](const History& h, const Event& ev) {
    if (ev.ev != Ev::kUnread || !h.is_drained() || ev.count() < at_least) return false;
    const bool has_left = std::ranges::any_of(e.store.members, [&](const MemberRow& m) {
      return m.uid == h.device().uid && m.conv == ev.conv && m.leave_seq != 0;
    });
    if (has_left) return false;
    return std::ranges::none_of(h.events(), [&](const Event& o) {
      return o.ev == Ev::kUnread && o.conv == ev.conv && o.at > ev.at;
    });
  });
}
bool change_counter(Evidence& e, Random& random, std::int64_t by) {
  const auto at = last_counter(e, random, by < 0 ? -by : 0);
  if (at) event(e, *at).seq += static_cast<std::uint64_t>(by);
  return at.has_value();
}
bool unread_one_more(Evidence& e, Random& random) {
  return change_counter(e, random, 1);
}
bool unread_one_less(Evidence& e, Random& random) {
  return change_counter(e, random, -1);
}
bool unread_negative(Evidence& e, Random& random) {
  const auto at =
      pick(e, random, [](const History&, const Event& ev) { return ev.ev == Ev::kUnread; });
  if (!at) return false;
  Event wrong = event(e, *at);
  wrong.seq = static_cast<std::uint64_t>(std::int64_t{-1});
  insert_before(e, *at, wrong);
  return true;
}
bool own_message_unread(Evidence& e, Random& random) {
  const auto at = last_counter(e, random, 0);
  if (!at) return false;
  Event& counter = event(e, *at);
  const DeviceKey device = e.histories[at->h].device();
  std::uint64_t read = 0;
  for (const MemberRow& m : e.store.members) {
    if (m.uid == device.uid && m.conv == counter.conv) read = m.read_seq;
  }
  std::uint64_t own = 0;
  for (const MessageRow& row : e.store.messages) {
    if (row.conv == counter.conv && row.sender == device.uid && row.seq > read && row.countable)
      ++own;
  }
  counter.seq += own;
  return own > 0;
}
bool unread_wrong_in_das(Evidence& e, Random& random) {
  std::vector<MemberRow*> rows;
  for (MemberRow& m : e.store.members) {
    if (m.unread >= 0) rows.push_back(&m);
  }
  if (rows.empty()) return false;
  rows[random.below(rows.size())]->unread += 1;
  return true;
}

}  // namespace

std::vector<Plant> plants_of_marks() {
  return {
      {"stale read", "C-RYW", {}, stale_read},
      {"SYNC above the head", "C-RYW", {}, sync_above_the_head},
      {"PULL above the head", "C-RYW", {"C-AGREE"}, pull_above_the_head},
      {"changed conversation not named", "C-SYNC", {}, changed_conversation_not_named},
      {"seq back", "C-CURSOR", {}, seq_back},
      {"skip", "C-CURSOR", {}, skip},
      {"server ahead of the device", "C-CURSOR", {}, server_ahead_of_the_device},
      {"hole in user events", "C-CURSOR", {}, hole_in_user_events},
      {"gap that did not expire", "C-GAP", {}, gap_that_did_not_expire},
      {"gap not announced", "C-GAP", {"C-CURSOR", "C-LOSS"}, gap_not_announced},
      {"acked and not persisted", "C-RECEIPT", {}, acked_and_not_persisted},
      {"acked what never came", "C-RECEIPT", {}, acked_what_never_came},
      {"delivered before it was", "C-RECEIPT", {}, delivered_before_it_was},
      {"read before it was", "C-RECEIPT", {}, read_before_it_was},
      {"read back", "C-RECEIPT", {}, read_back},
      {"read back for a later question", "C-RECEIPT", {}, read_back_for_a_later_question},
      {"read back in the log", "C-RECEIPT", {"C-UNREAD"}, read_back_in_the_log},
      {"state back", "C-RECEIPT", {}, state_back},
      {"unread one more", "C-UNREAD", {}, unread_one_more},
      {"unread one less", "C-UNREAD", {}, unread_one_less},
      {"unread negative", "C-UNREAD", {}, unread_negative},
      {"own message unread", "C-UNREAD", {}, own_message_unread},
      {"unread wrong in das", "C-UNREAD", {}, unread_wrong_in_das},
  };
}

}  // namespace hy::judge
