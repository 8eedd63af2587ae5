#include "tests/judge/planting.h"

namespace hy::judge {
namespace {

bool is_tail(const Evidence& e, const MessageRow& row) {
  return std::ranges::any_of(e.store.conversations, [&](const ConversationRow& c) {
    return c.conv == row.conv && c.head == row.seq;
  });
}
void erase_row(Evidence& e, std::size_t r) {
  e.store.messages.erase(e.store.messages.begin() + static_cast<std::ptrdiff_t>(r));
}

bool lost(Evidence& e, Random& random) {
  const auto r = pick_row(e, random, [&](const MessageRow& row) {
    return row.seq > head_of(e, row.conv).kept_from && !is_tail(e, row);
  });
  if (r) erase_row(e, *r);
  return r.has_value();
}

bool taken_back_by_a_crash(Evidence& e, Random& random) {
  const auto r = pick_row(e, random, [&](const MessageRow& row) {
    return is_tail(e, row) && row.seq > head_of(e, row.conv).kept_from;
  });
  if (!r) return false;
  --head_of(e, e.store.messages[*r].conv).head;
  erase_row(e, *r);
  return true;
}

bool not_shown_on_one_device(Evidence& e, Random& random) {
  const auto at = pick(e, random, [](const History& h, const Event& ev) {
    // A display after a restart is not needed: only what came in the last life of the app counts.
    return h.is_drained() && ev.ev == Ev::kShow && !ev.has(kProvisional) &&
           std::ranges::none_of(h.events(), [&](const Event& o) {
             return (o.ev == Ev::kRestart || o.ev == Ev::kNewStore) && o.at > ev.at;
           });
  });
  if (at && row_of(e, event(e, *at).cmid) == nullptr) return false;
  if (at) remove(e, *at);
  return at.has_value();
}

bool never_arrived_on_one_device(Evidence& e, Random& random) {
  const auto at = pick(e, random, [](const History& h, const Event& ev) {
    return h.is_drained() && ev.ev == Ev::kPersist && ev.seq > 0 && ev.uid != h.device().uid &&
           std::ranges::none_of(h.events(), [](const Event& o) { return o.ev == Ev::kNewStore; });
  });
  if (!at) return false;
  const Event gone = event(e, *at);
  if (row_of(e, gone.cmid) == nullptr) return false;
  // The device believes that it is complete: it only says so less often.
  remove_all(e, at->h, [&](const Event& ev) {
    const bool is_it = ev.cmid == gone.cmid;
    return is_it && (ev.ev == Ev::kPersist || ev.ev == Ev::kShow || ev.ev == Ev::kMove ||
                     ev.ev == Ev::kRecv);
  });
  remove_all(e, at->h, [&](const Event& ev) {
    return ev.ev == Ev::kAck || (ev.ev == Ev::kCursor && ev.conv == gone.conv);
  });
  std::erase_if(e.store.cursors, [&](const DeviceCursorRow& row) {
    return row.device == e.histories[at->h].device() && row.conv == gone.conv;
  });
  return true;
}

bool shown_twice(Evidence& e, Random& random) {
  const auto at =
      pick(e, random, [](const History&, const Event& ev) { return ev.ev == Ev::kShow; });
  if (at) insert_after(e, *at, event(e, *at));
  return at.has_value();
}

bool shown_again_after_a_restart(Evidence& e, Random& random) {
  const auto at = pick(e, random, [](const History& h, const Event& ev) {
    return ev.ev == Ev::kRestart && std::ranges::any_of(h.events(), [&](const Event& o) {
             return o.ev == Ev::kShow && !o.has(kProvisional) && o.at < ev.at;
           });
  });
  if (!at) return false;
  const auto& events = e.histories[at->h].events();
  for (std::size_t i = at->i; i-- > 0;) {
    if (events[i].ev != Ev::kShow || events[i].has(kProvisional)) continue;
    insert_after(e, *at, events[i]);
    return true;
  }
  return false;
}

bool provisional_shown_as_another(Evidence& e, Random& random) {
  const auto at =
      pick(e, random, [](const History&, const Event& ev) { return ev.ev == Ev::kMove; });
  if (at) event(e, *at).ev = Ev::kShow;
  return at.has_value();
}

bool moved_twice(Evidence& e, Random& random) {
  const auto at =
      pick(e, random, [](const History&, const Event& ev) { return ev.ev == Ev::kMove; });
  if (at) insert_after(e, *at, event(e, *at));
  return at.has_value();
}

bool never_moved(Evidence& e, Random& random) {
  const auto at = pick(e, random, [](const History& h, const Event& ev) {
    return ev.ev == Ev::kMove && h.is_drained() &&
           std::ranges::none_of(h.events(), [](const Event& o) { return o.ev == Ev::kNewStore; });
  });
  if (at) remove(e, *at);
  return at.has_value();
}

bool stored_twice(Evidence& e, Random& random) {
  const auto r = pick_row(e, random, [](const MessageRow&) { return true; });
  if (!r) return false;
  MessageRow copy = e.store.messages[*r];
  copy.seq = ++head_of(e, copy.conv).head;
  e.store.messages.push_back(copy);
  return true;
}

bool two_rows_at_one_seq(Evidence& e, Random& random) {
  const auto r = pick_row(e, random, [](const MessageRow&) { return true; });
  if (!r) return false;
  MessageRow other = e.store.messages[*r];
  other.cmid = fresh_id(random);
  e.store.messages.push_back(other);
  return true;
}

bool swapped_on_one_device(Evidence& e, Random& random) {
  const auto at = pick(e, random, [](const History& h, const Event& ev) {
    return ev.ev == Ev::kShow && ev.seq > 0 && std::ranges::any_of(h.events(), [&](const Event& o) {
             return o.ev == Ev::kShow && o.conv == ev.conv && o.seq == ev.seq + 1 && o.at > ev.at;
           });
  });
  if (!at) return false;
  auto& events = e.histories[at->h].events();
  const Event first = event(e, *at);
  for (std::size_t i = at->i + 1; i < events.size(); ++i) {
    Event& second = events[i];
    if (second.ev == Ev::kNewStore) return false;
    if (second.ev != Ev::kShow || second.conv != first.conv || second.seq != first.seq + 1)
      continue;
    std::swap(events[at->i], second);
    std::swap(events[at->i].at, second.at);
    return true;
  }
  return false;
}

bool swapped_in_the_log(Evidence& e, Random& random) {
  const auto a = pick_row(e, random, [&](const MessageRow& row) { return !is_tail(e, row); });
  if (!a) return false;
  MessageRow& first = e.store.messages[*a];
  for (MessageRow& second : e.store.messages) {
    if (second.conv != first.conv || second.seq != first.seq + 1) continue;
    std::swap(first.seq, second.seq);
    return true;
  }
  return false;
}

bool hole_in_seq(Evidence& e, Random& random) {
  // Rows behind it were given one seq too many, and everybody agrees.
  const auto r = pick_row(
      e, random, [&](const MessageRow& row) { return row.seq > head_of(e, row.conv).kept_from; });
  if (!r) return false;
  const MessageRow from = e.store.messages[*r];
  const auto raise = [&](const ConversationId& conv, std::uint64_t& seq) {
    if (conv == from.conv && seq >= from.seq) ++seq;
  };
  for (MessageRow& row : e.store.messages) raise(row.conv, row.seq);
  ++head_of(e, from.conv).head;
  for (MemberRow& m : e.store.members) {
    raise(m.conv, m.read_seq);
    raise(m.conv, m.join_seq);
    raise(m.conv, m.leave_seq);
  }
  for (DeviceCursorRow& row : e.store.cursors) raise(row.conv, row.seq);
  for (History& history : e.histories) {
    for (Event& ev : history.events()) {
      if (ev.ev == Ev::kUnread) continue;
      if (ev.conv == from.conv && ev.seq > 0) raise(ev.conv, ev.seq);
      if (ev.ev == Ev::kGap || ev.ev == Ev::kPullInvoke || ev.ev == Ev::kPullOk)
        raise(ev.conv, ev.low);
    }
    for (Item& item : history.all_items()) raise(item.conv, item.seq);
  }
  return true;
}

bool written_by_nobody(Evidence& e, Random& random) {
  const auto r = pick_row(e, random, [](const MessageRow&) { return true; });
  if (!r) return false;
  MessageRow stranger = e.store.messages[*r];
  stranger.cmid = fresh_id(random);
  stranger.seq = ++head_of(e, stranger.conv).head;
  e.store.messages.push_back(stranger);
  return true;
}

bool content_changed_in_the_log(Evidence& e, Random& random) {
  const auto r = pick_row(e, random, [](const MessageRow&) { return true; });
  if (r) e.store.messages[*r].phash ^= 1;
  return r.has_value();
}

bool content_changed_on_the_way(Evidence& e, Random& random) {
  const auto at = pick(e, random, [&](const History&, const Event& ev) {
    return ev.ev == Ev::kRecv && ev.seq > head_of(e, ev.conv).kept_from;
  });
  if (at) event(e, *at).phash ^= 1;
  return at.has_value();
}

bool another_message_at_a_place(Evidence& e, Random& random) {
  const auto at = pick(e, random, [&](const History&, const Event& ev) {
    return ev.ev == Ev::kShow && ev.seq > head_of(e, ev.conv).kept_from;
  });
  if (!at) return false;
  Event other = event(e, *at);
  other.cmid = fresh_id(random);
  insert_after(e, *at, other);
  return true;
}

bool sender_order_broken(Evidence& e, Random& random) {
  // Two messages that waited in one outbox: written in the other order than they stand.
  const auto at = pick(e, random, [](const History& h, const Event& ev) {
    if (ev.ev != Ev::kSendInvoke) return false;
    const auto& events = h.events();
    for (auto i = static_cast<std::size_t>(&ev - events.data()) + 1; i < events.size(); ++i) {
      if (events[i].ev == Ev::kSendInvoke) return events[i].conv == ev.conv;
      if (events[i].ev != Ev::kRecv && events[i].ev != Ev::kState) return false;
    }
    return false;
  });
  if (!at) return false;
  auto& events = e.histories[at->h].events();
  for (std::size_t i = at->i + 1; i < events.size(); ++i) {
    if (events[i].ev != Ev::kSendInvoke) continue;
    for (const std::size_t k : {at->i, i}) {
      const MessageRow* const row = row_of(e, events[k].cmid);
      if (row == nullptr || row->seq == 0) return false;
    }
    std::swap(events[at->i].cmid, events[i].cmid);
    std::swap(events[at->i].phash, events[i].phash);
    events[at->i].low = events[i].low = 0;
    return true;
  }
  return false;
}

bool quotes_a_later_one(Evidence& e, Random& random) {
  const auto at = pick(e, random, [&](const History&, const Event& ev) {
    return ev.ev == Ev::kSendInvoke && row_of(e, ev.cmid) != nullptr;
  });
  if (at) event(e, *at).low = row_of(e, event(e, *at).cmid)->seq + random.below(2);
  return at.has_value();
}

// ── honesty ─────────────────────────────────────────────────────────────────────────────────────

Event state_of(const ClientMsgId& id, Shown from, Shown to) {
  return {.cmid = id,
          .ev = Ev::kState,
          .from = static_cast<std::uint8_t>(from),
          .to = static_cast<std::uint8_t>(to)};
}

bool relayed_shown_as_saved(Evidence& e, Random& random) {
  const auto at = pick(e, random, [](const History&, const Event& ev) {
    return ev.ev == Ev::kSendOk && ev.has(kRelayed);
  });
  if (at) insert_after(e, *at, state_of(event(e, *at).cmid, Shown::kOutbox, Shown::kStored));
  return at.has_value();
}

bool saved_shown_before_the_answer(Evidence& e, Random& random) {
  const auto at =
      pick(e, random, [](const History&, const Event& ev) { return ev.ev == Ev::kSendInvoke; });
  if (at) insert_after(e, *at, state_of(event(e, *at).cmid, Shown::kOutbox, Shown::kStored));
  return at.has_value();
}

bool saved_without_a_row(Evidence& e, Random& random) {
  const auto at =
      pick(e, random, [](const History&, const Event& ev) { return is_first_answer(ev); });
  if (!at) return false;
  Event ok = event(e, *at);
  ok.cmid = fresh_id(random);
  ok.seq = head_of(e, ok.conv).head + 1;
  Event invoke = ok;
  invoke.ev = Ev::kSendInvoke;
  invoke.low = 0;
  insert_after(e, *at, state_of(ok.cmid, Shown::kOutbox, Shown::kStored));
  insert_after(e, *at, ok);
  insert_after(e, *at, invoke);
  return true;
}

bool relayed_before_anybody_had_it(Evidence& e, Random& random) {
  const auto at =
      pick(e, random, [](const History&, const Event& ev) { return ev.ev == Ev::kSendInvoke; });
  if (!at) return false;
  Event relayed = event(e, *at);
  relayed.ev = Ev::kSendOk;
  relayed.flags = kRelayed;
  insert_after(e, *at, relayed);
  return true;
}

bool forget_outcome(Evidence& e, Random& random, bool relayed) {
  const auto at = pick(e, random, [&](const History& h, const Event& ev) {
    return h.is_drained() && ev.ev == Ev::kSendOk && ev.has(kRelayed) == relayed;
  });
  if (!at) return false;
  const ClientMsgId id = event(e, *at).cmid;
  if (!relayed && row_of(e, id) == nullptr) return false;
  remove_all(e, at->h, [&](const Event& ev) {
    if (ev.cmid != id) return false;
    const bool is_saved_state = ev.ev == Ev::kState && ev.to_state() != Shown::kRelayed;
    return is_first_answer(ev) || ev.ev == Ev::kPersist || ev.ev == Ev::kShow || is_saved_state ||
           ev.ev == Ev::kSendFail;
  });
  return true;
}
bool relayed_and_never_stored(Evidence& e, Random& random) {
  return forget_outcome(e, random, true);
}
bool thrown_away(Evidence& e, Random& random) {
  return forget_outcome(e, random, false);
}

/// A STORED becomes a refusal for good; `is_met`: and the device finds the message in the log
/// later.
bool refused_and_stored(Evidence& e, Random& random, bool is_met) {
  const auto at = pick(e, random, [&](const History& h, const Event& ev) {
    return is_first_answer(ev) && !ev.has(kRepeat) && row_of(e, ev.cmid) != nullptr &&
           std::ranges::none_of(h.events(), [&](const Event& o) {
             return o.cmid == ev.cmid && (o.ev == Ev::kSendInfo || o.ev == Ev::kSendFail);
           });
  });
  if (!at) return false;
  Event& answer = event(e, *at);
  const ClientMsgId id = answer.cmid;
  answer.ev = Ev::kSendFail;
  answer.flags = kFinal;
  answer.code = Errc::kForbidden;
  Event met{.at = answer.at,
            .conv = answer.conv,
            .cmid = id,
            .seq = row_of(e, id)->seq,
            .uid = e.histories[at->h].device().uid,
            .ev = Ev::kPersist};
  remove_all(e, at->h, [&](const Event& ev) {
    return ev.cmid == id && (ev.ev == Ev::kState || ev.ev == Ev::kPersist || ev.ev == Ev::kShow);
  });
  if (is_met) {
    const auto refusal = find_event(e, at->h, Ev::kSendFail, id);
    met.at += 1;
    insert_at(e, refusal->h, met);
  }
  return true;
}
bool refused_stored_alone(Evidence& e, Random& random) {
  return refused_and_stored(e, random, false);
}
bool refused_stored_and_met(Evidence& e, Random& random) {
  return refused_and_stored(e, random, true);
}

bool answered_with_two_seqs(Evidence& e, Random& random) {
  const auto at =
      pick(e, random, [](const History&, const Event& ev) { return is_first_answer(ev); });
  if (!at) return false;
  Event again = event(e, *at);
  again.flags = kRepeat;
  again.seq = again.seq > 1 ? again.seq - 1 : again.seq + 1;
  insert_after(e, *at, again);
  return true;
}

bool saved_and_then_not(Evidence& e, Random& random) {
  const auto at = pick(e, random, [](const History&, const Event& ev) {
    return ev.ev == Ev::kState && ev.to_state() == Shown::kStored;
  });
  if (at) insert_after(e, *at, state_of(event(e, *at).cmid, Shown::kStored, Shown::kUnsure));
  return at.has_value();
}

}  // namespace

std::vector<Plant> plants_of_messages() {
  return {
      {"lost", "C-LOSS", {"C-AGREE", "C-HONEST", "C-UNREAD"}, lost},
      {"STORED that a crash took back",
       "C-LOSS",
       {"C-AGREE", "C-GAP", "C-HONEST", "C-RYW", "C-UNREAD"},
       taken_back_by_a_crash},
      {"not shown on one device", "C-LOSS", {"C-PROMPT"}, not_shown_on_one_device},
      {"never arrived on one device",
       "C-GAP",
       {"C-FLOW", "C-HONEST", "C-LOSS", "C-PROMPT", "C-RECEIPT"},
       never_arrived_on_one_device},
      {"shown twice", "C-DUP", {"C-ORDER"}, shown_twice},
      {"shown again after a restart", "C-DUP", {"C-ORDER"}, shown_again_after_a_restart},
      {"provisional shown as another message", "C-DUP", {"C-ORDER"}, provisional_shown_as_another},
      {"provisional moved twice", "C-DUP", {"C-ORDER"}, moved_twice},
      {"provisional never moved", "C-ORDER", {}, never_moved},
      {"stored twice", "C-DUP", {"C-GAP", "C-LOSS", "C-UNREAD"}, stored_twice},
      {"two rows at one seq", "C-DUP", {"C-AGREE", "C-LOSS", "C-UNREAD"}, two_rows_at_one_seq},
      {"swapped on one device", "C-ORDER", {"C-PROMPT"}, swapped_on_one_device},
      {"swapped in the log",
       "C-AGREE",
       {"C-FIFO", "C-HONEST", "C-LOSS", "C-SYNC", "C-UNREAD"},
       swapped_in_the_log},
      {"hole in seq", "C-AGREE", {"C-CURSOR", "C-GAP"}, hole_in_seq},
      {"written by nobody", "C-AGREE", {"C-ACL", "C-GAP", "C-LOSS", "C-UNREAD"}, written_by_nobody},
      {"content changed in the log", "C-HONEST", {"C-AGREE"}, content_changed_in_the_log},
      {"content changed on the way", "C-AGREE", {}, content_changed_on_the_way},
      {"another message at a place",
       "C-DUP",
       {"C-AGREE", "C-ORDER", "C-PROMPT"},
       another_message_at_a_place},
      {"sender order broken", "C-FIFO", {}, sender_order_broken},
      {"quotes a later message", "C-FIFO", {}, quotes_a_later_one},
      {"RELAYED shown as saved", "C-HONEST", {"C-RECEIPT"}, relayed_shown_as_saved},
      {"saved shown before the answer", "C-HONEST", {"C-RECEIPT"}, saved_shown_before_the_answer},
      {"saved without a row", "C-HONEST", {"C-AGREE", "C-LOSS", "C-PROMPT"}, saved_without_a_row},
      {"RELAYED before anybody had it", "C-HONEST", {}, relayed_before_anybody_had_it},
      {"RELAYED and never stored",
       "C-HONEST",
       {"C-CURSOR", "C-FLOW", "C-GAP", "C-LOSS", "C-RECOVER"},
       relayed_and_never_stored},
      {"thrown away",
       "C-HONEST",
       {"C-AVAIL", "C-CURSOR", "C-FLOW", "C-GAP", "C-LOSS", "C-RECOVER"},
       thrown_away},
      {"refused and stored", "C-HONEST", {"C-CURSOR", "C-GAP", "C-LOSS"}, refused_stored_alone},
      {"refused, and met in the log",
       "C-HONEST",
       {"C-CURSOR", "C-GAP", "C-LOSS"},
       refused_stored_and_met},
      {"answered with two seqs", "C-HONEST", {"C-AGREE"}, answered_with_two_seqs},
      {"saved and then not", "C-HONEST", {}, saved_and_then_not},
  };
}

}  // namespace hy::judge
