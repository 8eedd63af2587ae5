#include "tests/judge/planting.h"

namespace hy::judge {
namespace {

// ── presence ────────────────────────────────────────────────────────────────────────────────────

bool ghost_in_a_router(Evidence& e, Random& random) {
  const History& whose = e.histories[random.below(e.histories.size())];
  e.routers[random.below(e.routers.size())].rows.push_back(
      {whose.device().uid, Slot::kPad, 0, EntryId{2}, {1, 1}});
  return true;
}

bool ghost_of_an_old_session(Evidence& e, Random& random) {
  // The row of the phone that was signed out stays beside the new one's.
  for (const History& history : e.histories) {
    if (history.device().uid != Uid{2} || history.is_drained()) continue;
    for (const Event& ev : history.events()) {
      if (ev.ev != Ev::kLoginOk) continue;
      e.routers[random.below(e.routers.size())].rows.push_back(
          {Uid{2}, Slot::kPhone, 0, EntryId{1}, ev.epoch()});
      return true;
    }
  }
  return false;
}

bool ghost_at_an_entry(Evidence& e, Random& random) {
  const History& whose = e.histories[random.below(e.histories.size())];
  e.sessions.push_back({EntryId{2}, whose.device().uid, Slot::kWeb, 0, {1, 1}});
  return true;
}

bool missing_in_a_router(Evidence& e, Random& random) {
  auto& rows = e.routers[random.below(e.routers.size())].rows;
  if (rows.empty()) return false;
  rows.erase(rows.begin() + static_cast<std::ptrdiff_t>(random.below(rows.size())));
  return true;
}

/// Some presence answer becomes one about `uid` at `from` … `to`.
bool answer_about(Evidence& e, Random& random, Uid uid, Nanos from, Nanos to, Answer answer) {
  if (from >= to) return false;
  Event told;
  told.at = from + static_cast<Nanos>(random.below(static_cast<std::uint64_t>(to - from)));
  told.uid = uid;
  told.ev = Ev::kPresence;
  told.from = static_cast<std::uint8_t>(answer);
  insert_at(e, 0, told);
  return true;
}

bool ghost_in_an_answer(Evidence& e, Random& random) {
  // The fifth person signs in late.
  for (const History& history : e.histories) {
    if (history.device().uid != Uid{5}) continue;
    for (const Event& ev : history.events()) {
      if (ev.ev == Ev::kLoginOk)
        return answer_about(e, random, Uid{5}, 2 * kSecond, ev.at - kSecond, Answer::kOnline);
    }
  }
  return false;
}

bool early_offline(Evidence& e, Random& random) {
  std::vector<std::pair<std::size_t, At>> places;
  for (std::size_t h = 0; h < e.histories.size(); ++h) {
    const auto& events = e.histories[h].events();
    for (std::size_t i = 0; i < events.size(); ++i) {
      if (events[i].ev == Ev::kLoginOk) places.push_back({h, {h, i}});
    }
  }
  while (!places.empty()) {
    const auto n = static_cast<std::ptrdiff_t>(random.below(places.size()));
    const At at = places[static_cast<std::size_t>(n)].second;
    places.erase(places.begin() + n);
    const auto& events = e.histories[at.h].events();
    std::size_t end = at.i + 1;
    while (end + 1 < events.size() && events[end].ev != Ev::kClose &&
           events[end].ev != Ev::kRestart && events[end].ev != Ev::kLoginOk)
      ++end;
    const Nanos from = events[at.i].at + 11 * kSecond;
    const Nanos to = events[end].at - kSecond;
    const bool is_cut = std::ranges::any_of(e.faults, [&](const FaultWindow& f) {
      return f.hits == Hits::kReach && f.to + 11 * kSecond >= from && f.from <= to;
    });
    if (from >= to || is_cut) continue;
    return answer_about(e, random, e.histories[at.h].device().uid, from, to, Answer::kOffline);
  }
  return false;
}

// ── fences ──────────────────────────────────────────────────────────────────────────────────────

/// The phone that was signed out does not notice for so long.
std::optional<At> outlive(Evidence& e, Random& random, Errc why = Errc::kKicked) {
  for (std::size_t h = 0; h < e.histories.size(); ++h) {
    auto& events = e.histories[h].events();
    for (std::size_t i = 0; i < events.size(); ++i) {
      if (events[i].ev != Ev::kClose || events[i].code != why) continue;
      Event close = events[i];
      close.at += 9 * kSecond + static_cast<Nanos>(random.below(2 * kSecond));
      events.erase(events.begin() + static_cast<std::ptrdiff_t>(i));
      insert_at(e, h, close);
      for (std::size_t k = 0; k < events.size(); ++k) {
        if (events[k].ev == Ev::kClose && events[k].code == why) return At{h, k};
      }
    }
  }
  return std::nullopt;
}

bool two_live_sessions(Evidence& e, Random& random) {
  return outlive(e, random).has_value();
}

bool late_commit(Evidence& e, Random& random, Errc why) {
  const auto close = outlive(e, random, why);
  if (!close) return false;
  const auto& events = e.histories[close->h].events();
  for (std::size_t i = close->i; i-- > 0;) {
    if (!is_first_answer(events[i]) || row_of(e, events[i].cmid) == nullptr) continue;
    Event late = events[i];
    late.flags = 0;
    insert_before(e, *close, late);
    return true;
  }
  return false;
}

bool late_commit_of_an_old_epoch(Evidence& e, Random& random) {
  return late_commit(e, random, Errc::kKicked);
}

bool outlived_its_sign_in(Evidence& e, Random& random) {
  return outlive(e, random, Errc::kRevoked).has_value();
}

bool stored_for_an_ended_sign_in(Evidence& e, Random& random) {
  return late_commit(e, random, Errc::kRevoked);
}

/// The token of the sign-in that was ended opened the next connection.
bool let_in_by_an_ended_sign_in(Evidence& e, Random& /*random*/) {
  for (History& history : e.histories) {
    bool is_ended = false;
    for (Event& ev : history.events()) {
      if (ev.ev == Ev::kClose && ev.code == Errc::kRevoked) is_ended = true;
      if (!is_ended || ev.ev != Ev::kLoginOk) continue;
      ev.phash -= std::uint64_t{1} << 32;
      return true;
    }
  }
  return false;
}

bool shown_after_removal(Evidence& e, Random& random) {
  for (const MemberRow& m : e.store.members) {
    if (m.leave_seq == 0) continue;
    const auto row = pick_row(
        e, random, [&](const MessageRow& r) { return r.conv == m.conv && r.seq >= m.leave_seq; });
    if (!row) return false;
    const MessageRow& r = e.store.messages[*row];
    for (std::size_t h = 0; h < e.histories.size(); ++h) {
      if (e.histories[h].device().uid != m.uid) continue;
      Event shown;
      shown.at = e.histories[h].events().back().at;
      shown.conv = r.conv;
      shown.seq = r.seq;
      shown.uid = r.sender;
      shown.cmid = r.cmid;
      shown.ev = Ev::kShow;
      insert_at(e, h, shown);
      return true;
    }
  }
  return false;
}

bool shown_before_joining(Evidence& e, Random& random) {
  for (const MemberRow& m : e.store.members) {
    if (m.join_seq <= 1) continue;
    const auto row = pick_row(
        e, random, [&](const MessageRow& r) { return r.conv == m.conv && r.seq < m.join_seq; });
    if (!row) return false;
    const MessageRow& r = e.store.messages[*row];
    for (std::size_t h = 0; h < e.histories.size(); ++h) {
      if (e.histories[h].device().uid != m.uid) continue;
      auto& events = e.histories[h].events();
      for (std::size_t i = 0; i < events.size(); ++i) {
        if (events[i].ev != Ev::kLoginOk) continue;
        Event recv;
        recv.conv = r.conv;
        recv.seq = r.seq;
        recv.uid = r.sender;
        recv.cmid = r.cmid;
        recv.phash = r.phash;
        recv.ev = Ev::kRecv;
        recv.from = static_cast<std::uint8_t>(Via::kPull);
        insert_after(e, {h, i}, recv);
        return true;
      }
    }
  }
  return false;
}

// ── times ───────────────────────────────────────────────────────────────────────────────────────

/// The answer, and what the device says about the message from then on, come at `at`.
void answer_later(Evidence& e, std::size_t h, const ClientMsgId& id, Nanos at) {
  std::vector<Event> late;
  const auto is_late = [&](const Event& ev) {
    const bool is_about = is_first_answer(ev) || ev.ev == Ev::kState || ev.ev == Ev::kPersist ||
                          ev.ev == Ev::kSendFail || ev.ev == Ev::kSendInfo || ev.ev == Ev::kShow;
    return ev.cmid == id && is_about && ev.at < at && !(ev.ev == Ev::kState && !ev.to);
  };
  for (const Event& ev : e.histories[h].events()) {
    if (is_late(ev) && ev.ev != Ev::kPersist && ev.ev != Ev::kShow) late.push_back(ev);
  }
  // Persisted is persisted: the row came by other ways, and would settle the message. It goes.
  remove_all(e, h, is_late);
  for (Event& ev : late) {
    ev.at = at;
    insert_at(e, h, ev);
  }
}

bool is_calm(const Evidence& e, Nanos at) {
  return std::ranges::none_of(e.faults, [&](const FaultWindow& f) {
    return at >= f.from - 4 * kSecond && at <= f.to + 6 * kSecond;
  });
}

bool slow_answers(Evidence& e, Random& random) {
  const auto at = pick(e, random, [&](const History& h, const Event& ev) {
    if (ev.ev != Ev::kSendInvoke || !is_calm(e, ev.at)) return false;
    const auto first = std::ranges::find_if(
        h.events(), [&](const Event& o) { return is_first_answer(o) && o.cmid == ev.cmid; });
    return first != h.events().end() && first->at < ev.at + kSecond / 20;
  });
  if (!at) return false;
  const Event invoke = event(e, *at);
  answer_later(e, at->h, invoke.cmid, invoke.at + 5 * kSecond);
  return true;
}

/// Where nothing is broken a push comes as one that nobody has saved.
bool not_saved_in_calm(Evidence& e, Random& random) {
  const auto at = pick(e, random, [&](const History&, const Event& o) {
    const auto in = [&](const CalmWindow& w) { return o.at >= w.from && o.at <= w.to; };
    return o.ev == Ev::kRecv && o.via() == Via::kPush && !o.has(kProvisional) &&
           std::ranges::any_of(e.calm, in);
  });
  if (!at) return false;
  event(e, *at).flags |= kProvisional;
  return true;
}

bool without_the_store_not_shown(Evidence& e, Random& random) {
  // Half a percent may be late; here every second one is.
  std::size_t hidden = 0;
  for (History& history : e.histories) {
    auto& events = history.events();
    std::vector<ClientMsgId> late;
    for (const Event& ev : events) {
      if (ev.ev == Ev::kShow && ev.has(kProvisional) && random.below(2) == 0)
        late.push_back(ev.cmid);
    }
    for (const ClientMsgId& id : late) {
      const auto moved = std::ranges::find_if(
          events, [&](const Event& o) { return o.ev == Ev::kMove && o.cmid == id; });
      if (moved == events.end()) continue;
      moved->ev = Ev::kShow;
      std::erase_if(events, [&](const Event& o) {
        return o.ev == Ev::kShow && o.has(kProvisional) && o.cmid == id;
      });
      ++hidden;
    }
  }
  return hidden >= 4;
}

bool stored_long_after_the_return(Evidence& e, Random& random) {
  for (const FaultWindow& f : e.faults) {
    if (f.hits != Hits::kStoreDown) continue;
    const auto at = pick(e, random, [&](const History& h, const Event& ev) {
      return h.is_drained() && ev.ev == Ev::kSendOk && ev.has(kRelayed);
    });
    if (!at) return false;
    answer_later(e, at->h, event(e, *at).cmid, f.to + 61 * kSecond);
    return true;
  }
  return false;
}

bool not_settled_after_the_repair(Evidence& e, Random& random) {
  const auto at = pick(e, random, [&](const History& h, const Event& ev) {
    return h.is_drained() && ev.ev == Ev::kSendInvoke && row_of(e, ev.cmid) != nullptr;
  });
  if (!at) return false;
  answer_later(e, at->h, event(e, *at).cmid, e.healed_at + 70 * kSecond);
  return true;
}

/// A message of a calm window is found by the next heartbeat on one device that was there.
bool found_by_a_heartbeat(Evidence& e, Random& random) {
  const Nanos late = 2 * kSecond + kSecond / 10 + static_cast<Nanos>(random.below(kSecond));
  const auto told = [&](const ClientMsgId& id) {  // when its sender saw the tick
    Nanos first = kNanosMax;
    for (const History& h : e.histories) {
      for (const Event& ev : h.events()) {
        if (is_first_answer(ev) && ev.cmid == id) first = std::min(first, ev.at);
      }
    }
    return first;
  };
  const auto at = pick(e, random, [&](const History& h, const Event& ev) {
    if (ev.ev != Ev::kShow || ev.conv.is_group() || !h.is_drained()) return false;
    const auto in = [&](const CalmWindow& w) {
      return ev.at > w.from + 2 * kSecond && ev.at < w.to && told(ev.cmid) + 4 * kSecond < w.to;
    };
    if (std::ranges::none_of(e.calm, in)) return false;
    return std::ranges::none_of(h.events(), [&](const Event& o) {  // no order is broken
      return o.ev == Ev::kShow && o.conv == ev.conv && o.seq > ev.seq &&
             o.at <= ev.at + 5 * kSecond;
    });
  });
  if (!at) return false;
  Event shown = event(e, *at);
  remove(e, *at);
  shown.at = std::max(shown.at, told(shown.cmid)) + late;
  insert_at(e, at->h, shown);
  return true;
}

bool never_back(Evidence& e, Random& random) {
  std::vector<std::size_t> places;
  for (std::size_t h = 0; h < e.histories.size(); ++h) {
    if (e.histories[h].is_drained()) places.push_back(h);
  }
  if (places.empty()) return false;
  const std::size_t h = places[random.below(places.size())];
  auto& events = e.histories[h].events();
  Event close;
  close.at = events.back().at;
  close.ev = Ev::kClose;
  close.from = static_cast<std::uint8_t>(ClosedBy::kNetwork);
  insert_at(e, h, close);
  return true;
}

}  // namespace

std::vector<Plant> plants_of_sessions() {
  return {
      {"ghost in a router", "C-PRES", {}, ghost_in_a_router},
      {"ghost of an old session", "C-PRES", {}, ghost_of_an_old_session},
      {"ghost at an entry", "C-PRES", {}, ghost_at_an_entry},
      {"missing in a router", "C-PRES", {}, missing_in_a_router},
      {"ghost in an answer", "C-PRES", {}, ghost_in_an_answer},
      {"early offline", "C-PRES", {}, early_offline},
      {"two live sessions", "C-KICK", {}, two_live_sessions},
      {"late commit of an old epoch",
       "C-KICK",
       {},
       late_commit_of_an_old_epoch,
       "had to end this session"},
      {"outlived the end of its sign-in", "C-REVOKE", {}, outlived_its_sign_in, "outlived the end"},
      {"stored for an ended sign-in",
       "C-REVOKE",
       {},
       stored_for_an_ended_sign_in,
       "sign-in had to be over"},
      {"let in by an ended sign-in",
       "C-REVOKE",
       {"C-PRES"},
       let_in_by_an_ended_sign_in,
       "was let in"},
      {"shown after removal", "C-ACL", {}, shown_after_removal},
      {"shown before joining", "C-ACL", {}, shown_before_joining},
      {"slow answers", "C-AVAIL", {"C-CURSOR", "C-GAP", "C-LOSS"}, slow_answers},
      {"not shown without the store", "C-FLOW", {}, without_the_store_not_shown},
      {"pushed as not saved in calm", "C-FLOW", {}, not_saved_in_calm},
      {"stored long after the return",
       "C-FLOW",
       {"C-CURSOR", "C-GAP", "C-LOSS"},
       stored_long_after_the_return},
      {"not settled after the repair",
       "C-RECOVER",
       {"C-AVAIL", "C-CURSOR", "C-FLOW", "C-GAP", "C-LOSS"},
       not_settled_after_the_repair},
      {"never back", "C-RECOVER", {}, never_back},
      {"found by a heartbeat", "C-PROMPT", {}, found_by_a_heartbeat},
  };
}

}  // namespace hy::judge
