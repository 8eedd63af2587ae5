#include "client/judge/speed.h"

#include <fmt/format.h>

#include <algorithm>

namespace hy::judge {
namespace {

double seconds(Nanos span) {
  return static_cast<double>(span) / static_cast<double>(kSecond);
}

/// `bad` of `all` are more than the share `good` allows.
bool is_too_many(std::uint64_t bad, std::uint64_t all, double good) {
  return static_cast<double>(bad) > (1 - good) * static_cast<double>(all) + 1e-9;
}

Violation of_send(const Case& c, const Send& send, std::string text) {
  return {"",       std::move(text), c.history(send.history).device(), send.key.conv,
          send.seq, send.key.cmid};
}

void check_answers(const Case& c, Report& out) {
  std::uint64_t all = 0;
  std::uint64_t bad = 0;
  const Send* first_bad = nullptr;
  for (const Send& send : c.sends()) {
    if (send.invokes > 1 || send.is_refused()) continue;
    // The outcome may fall into a fault too; then the fault is to blame.
    const Nanos due = send.invoked_at + c.rules.answer_within;
    if (c.is_disturbed(send.invoked_at, c.rules.settle_after_fault) || c.is_disturbed(due, 0))
      continue;
    if (!c.is_connected(send.history, send.invoked_at, send.invoked_at)) continue;
    ++all;
    if (send.stored_at <= due) continue;
    ++bad;
    if (first_bad == nullptr) first_bad = &send;
  }
  out.looked_at += all;
  if (all < c.rules.samples_min || !is_too_many(bad, all, c.rules.available)) return;
  out.add(of_send(c, *first_bad,
                  fmt::format("{} of {} sends outside of faults were not STORED within {:.1f} s",
                              bad, all, seconds(c.rules.answer_within))));
}

/// The end of the fault that `at` lies in or behind by less than the settling time; else `at`.
Nanos fault_end(const Case& c, Nanos at) {
  Nanos end = at;
  for (const FaultWindow& f : c.evidence.faults) {
    if (at >= f.from && at <= f.to + c.rules.settle_after_fault) end = std::max(end, f.to);
  }
  return end;
}

void check_returns(const Case& c, Report& out) {
  std::uint64_t all = 0;
  std::uint64_t bad = 0;
  std::uint32_t whose = 0;
  for (std::uint32_t h = 0; h < c.histories(); ++h) {
    const auto& sessions = c.sessions(h);
    for (std::size_t i = 0; i + 1 < sessions.size(); ++i) {
      if (sessions[i].by == ClosedBy::kApp || sessions[i].by == ClosedBy::kProcess) continue;
      ++all;
      const Nanos due = fault_end(c, sessions[i].to) + c.rules.back_within;
      if (sessions[i + 1].from <= due || c.is_disturbed(due, 0)) continue;
      ++bad;
      whose = h;
    }
  }
  out.looked_at += all;
  if (all < c.rules.samples_min || !is_too_many(bad, all, 0.99)) return;
  out.add({"",
           fmt::format("{} of {} lost connections were not back within {:.0f} s", bad, all,
                       seconds(c.rules.back_within)),
           c.history(whose).device(),
           {},
           0,
           {}});
}

/// A person other than the sender who reads the conversation on a connected device.
bool has_reader(const Case& c, const Send& send, Nanos from, Nanos to) {
  const ConversationId& conv = send.key.conv;
  if (conv.is_group()) return false;
  return c.is_online_throughout(conv.peer_of(send.key.sender), from, to);
}

void check_window(const Case& c, const FaultWindow& window, Report& out) {
  std::uint64_t all = 0;
  std::uint64_t bad = 0;
  std::uint64_t unmarked = 0;
  const Send* first_bad = nullptr;
  const Send* first_unmarked = nullptr;
  const Nanos first = window.from + c.rules.mode_entered_within;
  const Nanos last = window.to - c.rules.relayed_shown_within;
  for (const Send& send : c.sends()) {
    if (send.invoked_at < window.to && !send.is_refused() && !send.is_logged() &&
        send.stored_at > window.to + c.rules.stored_after_return &&
        c.history(send.history).is_drained()) {
      out.add(of_send(c, send,
                      fmt::format("message {} was not STORED within {:.0f} s of the "
                                  "store's return",
                                  send.key.cmid.to_hex(), seconds(c.rules.stored_after_return))));
    }
    if (send.invoked_at < first || send.invoked_at > last) continue;
    const Nanos due = send.invoked_at + c.rules.relayed_shown_within;
    if (!c.is_connected(send.history, send.invoked_at, due)) continue;
    if (!has_reader(c, send, send.invoked_at, due)) continue;
    ++all;
    if (c.shown_elsewhere(send.key) > due) {
      ++bad;
      if (first_bad == nullptr) first_bad = &send;
    } else if (send.relayed_at > window.to) {
      ++unmarked;
      if (first_unmarked == nullptr) first_unmarked = &send;
    }
  }
  out.looked_at += all;
  if (all < c.rules.samples_min) return;
  if (is_too_many(bad, all, c.rules.relayed_shown)) {
    out.add(of_send(c, *first_bad,
                    fmt::format("without the store {} of {} messages were not displayed within "
                                "{:.1f} s",
                                bad, all, seconds(c.rules.relayed_shown_within))));
  }
  if (is_too_many(unmarked, all, c.rules.relayed_shown)) {
    out.add(of_send(c, *first_unmarked,
                    fmt::format("without the store {} of {} displayed messages were not marked "
                                "RELAYED at their senders",
                                unmarked, all)));
  }
}

/// Where nothing was broken nothing is shown as not saved: nobody may see what the log may never
/// have while the log could be asked (G14; guarantees.md §6: commit, then push).
void check_marks(const Case& c, Report& out) {
  if (c.evidence.calm.empty()) return;
  for (std::uint32_t h = 0; h < c.histories(); ++h) {
    for (const Event& e : c.history(h).events()) {
      if (e.ev != Ev::kRecv || e.via() != Via::kPush) continue;
      const auto has = [&](const CalmWindow& w) { return e.at >= w.from && e.at <= w.to; };
      if (std::ranges::none_of(c.evidence.calm, has)) continue;
      ++out.looked_at;
      if (!e.has(kProvisional)) continue;
      out.add({"",
               fmt::format("{} got message {} as not saved, and the store was there", c.name(h),
                           e.cmid.to_hex()),
               c.history(h).device(), e.conv, 0, e.cmid});
    }
  }
}

}  // namespace

Report check_avail(const Case& c) {
  Report out("C-AVAIL", "sends and returns outside of faults");
  if (!c.rules.judges_speed) return out;
  check_answers(c, out);
  check_returns(c, out);
  return out;
}

Report check_flow(const Case& c) {
  Report out("C-FLOW", "sends without the store, and pushes with it");
  check_marks(c, out);
  if (!c.rules.judges_speed) return out;
  for (const FaultWindow& window : c.evidence.faults) {
    if (window.hits == Hits::kStoreDown) check_window(c, window, out);
  }
  return out;
}

Report check_recover(const Case& c) {
  Report out("C-RECOVER", "messages and devices after the last repair");
  if (!c.rules.judges_speed) return out;
  for (const Send& send : c.sends()) {
    if (!c.history(send.history).is_drained() || send.invokes > 1) continue;
    ++out.looked_at;
    const Nanos due = std::max(c.evidence.healed_at, send.invoked_at) + c.rules.recovered_within;
    const Nanos settled =
        std::min({send.stored_at, send.logged_at, send.refused_at, send.unsure_at});
    if (settled <= due) continue;
    out.add(of_send(c, send,
                    fmt::format("message {} had no outcome {:.0f} s after the last repair",
                                send.key.cmid.to_hex(), seconds(c.rules.recovered_within))));
  }
  for (std::uint32_t h = 0; h < c.histories(); ++h) {
    const History& history = c.history(h);
    const auto& sessions = c.sessions(h);
    if (!history.is_drained() || sessions.empty()) continue;
    ++out.looked_at;
    // Whoever left on purpose needs no connection.
    if (sessions.back().by == ClosedBy::kApp) continue;
    const bool is_back = sessions.back().to == kNanosMax &&
                         sessions.back().from <= c.evidence.healed_at + c.rules.recovered_within;
    // A connection lost and found again later is C-AVAIL's.
    const bool was_back = std::ranges::any_of(sessions, [&](const Session& s) {
      return s.from <= c.evidence.healed_at + c.rules.recovered_within &&
             s.to > c.evidence.healed_at;
    });
    if (is_back || (was_back && sessions.back().to == kNanosMax)) continue;
    out.add({"",
             fmt::format("{} was not connected again {:.0f} s after the last repair", c.name(h),
                         seconds(c.rules.recovered_within)),
             history.device(),
             {},
             0,
             {}});
  }
  return out;
}

}  // namespace hy::judge
