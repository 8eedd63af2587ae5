#include "client/judge/sessions.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace hy::judge {
namespace {

using OfSlot = std::pair<Uid, Slot>;

/// Sessions of each (person, slot), the largest epoch first.
std::map<OfSlot, std::vector<const Session*>> by_slot(const Case& c) {
  std::map<OfSlot, std::vector<const Session*>> out;
  for (std::uint32_t h = 0; h < c.histories(); ++h) {
    const DeviceKey& device = c.history(h).device();
    for (const Session& s : c.sessions(h)) out[{device.uid, device.slot}].push_back(&s);
  }
  for (auto& [slot, sessions] : out) {
    std::ranges::sort(sessions, std::ranges::greater{},
                      [](const Session* s) { return std::pair(s->epoch, s->from); });
  }
  return out;
}

struct SessionKey {
  std::uint32_t history = 0;
  std::uint32_t connection = 0;
  friend bool operator==(const SessionKey&, const SessionKey&) = default;
};
struct SessionHash {
  std::size_t operator()(const SessionKey& k) const noexcept {
    return mix64(std::uint64_t{k.history} << 32 | k.connection);
  }
};
/// When a session has to be over.
using Bounds = FlatMap<SessionKey, Nanos, SessionHash>;

void check_commits(const Case& c, std::uint32_t h, const Bounds& bounds, Report& out) {
  const History& history = c.history(h);
  Nanos bound = kNanosMax;
  for (const Event& e : history.events()) {
    if (e.ev == Ev::kLoginOk) {
      const auto at = bounds.find(SessionKey{h, e.number});
      bound = at == bounds.end() ? kNanosMax : at->second;
    }
    if (e.ev == Ev::kClose || e.ev == Ev::kRestart || e.ev == Ev::kNewStore) bound = kNanosMax;
    if (e.ev != Ev::kSendOk || e.has(kRelayed) || e.has(kRepeat)) continue;
    ++out.looked_at;
    if (e.at <= bound) continue;
    out.add({"",
             fmt::format("{}: message {} was STORED {:.1f} s after a newer login had to end "
                         "this session",
                         c.name(h), e.cmid.to_hex(),
                         static_cast<double>(e.at - bound) / static_cast<double>(kSecond)),
             history.device(), e.conv, e.seq, e.cmid});
  }
}

/// When the device that a row or an entry's session names was connected last; kNanosMax: it is
/// still. epoch: the session meant, {}: any.
Nanos last_connected(const Case& c, Uid uid, Slot slot, std::uint32_t device, Epoch epoch,
                     Nanos now) {
  Nanos last = std::numeric_limits<Nanos>::min();
  for (const std::uint32_t h : c.devices_of(uid)) {
    const DeviceKey& key = c.history(h).device();
    if (key.slot != slot || (device != 0 && key.device != device)) continue;
    for (const Session& s : c.sessions(h)) {
      if (epoch != Epoch{} && s.epoch != epoch) continue;
      if (s.from > now + c.rules.clock_error) continue;
      last = std::max(last, s.to);
    }
  }
  return last;
}

/// People who must be found at `now`: connected for a while, and not about to leave.
std::vector<const Session*> to_be_found(const Case& c, Nanos now) {
  std::vector<const Session*> out;
  for (std::uint32_t h = 0; h < c.histories(); ++h) {
    for (const Session& s : c.sessions(h)) {
      if (s.from + c.rules.presence_settles <= now && s.to > now + c.rules.clock_error)
        out.push_back(&s);
    }
  }
  return out;
}

void check_replica(const Case& c, const RouterDump& router, Nanos now, Report& out) {
  FlatSet<InConv> found;  // (person, slot)
  for (const PlacementRow& row : router.rows) {
    ++out.looked_at;
    found.insert(InConv{row.uid.value(), {0, static_cast<std::uint64_t>(row.slot)}});
    if (c.devices_of(row.uid).empty()) continue;  // nobody recorded this person
    const Nanos last = last_connected(c, row.uid, row.slot, row.device, row.epoch, now);
    if (last + c.rules.ghost_within >= now || last >= now) continue;
    out.add({"",
             fmt::format("{} has {} {} at entry {}, who is not connected", router.name,
                         row.uid.value(), slot_name(row.slot), row.entry.value()),
             {row.uid, row.slot, row.device},
             {},
             0,
             {}});
  }
  for (const Session* s : to_be_found(c, now)) {
    ++out.looked_at;
    const DeviceKey& device = c.history(s->history).device();
    if (found.contains(InConv{device.uid.value(), {0, static_cast<std::uint64_t>(device.slot)}}))
      continue;
    out.add({"",
             fmt::format("{} does not have {}, who is connected", router.name, device_text(device)),
             device,
             {},
             0,
             {}});
  }
}

void check_entries(const Case& c, Nanos now, Report& out) {
  for (const EntrySession& s : c.evidence.sessions) {
    ++out.looked_at;
    if (c.devices_of(s.uid).empty()) continue;
    const Nanos last = last_connected(c, s.uid, s.slot, s.device, s.epoch, now);
    if (last >= now || last + c.rules.ghost_within >= now) continue;
    out.add({"",
             fmt::format("entry {} holds a session of {} {}, who is not connected", s.entry.value(),
                         s.uid.value(), slot_name(s.slot)),
             {s.uid, s.slot, s.device},
             {},
             0,
             {}});
  }
}

void check_answer(const Case& c, std::uint32_t h, const Event& e, Report& out) {
  if (c.devices_of(e.uid).empty() || e.answer() == Answer::kUnknown) return;
  ++out.looked_at;
  const Nanos error = c.rules.clock_error;
  if (e.answer() == Answer::kOnline) {
    if (c.is_online_within(e.uid, e.at - c.rules.ghost_within - error, e.at + error)) return;
    out.add({"",
             fmt::format("{} was told that {} is online, who was not", c.name(h), e.uid.value()),
             c.history(h).device(),
             {},
             0,
             {}});
    return;
  }
  const Nanos from = e.at - c.rules.presence_settles - error;
  if (!c.is_online_throughout(e.uid, from, e.at + error)) return;
  if (c.is_cut(from, e.at)) return;  // servers that cannot reach each other know less
  out.add(
      {"",
       fmt::format("{} was told that {} is offline, who was connected", c.name(h), e.uid.value()),
       c.history(h).device(),
       {},
       0,
       {}});
}

}  // namespace

Report check_kick(const Case& c) {
  Report out("C-KICK", "sessions, and answers in them");
  Bounds bounds;
  for (const auto& [slot, sessions] : by_slot(c)) {
    Nanos newer = kNanosMax;  // first login of a larger epoch
    Nanos same = kNanosMax;
    for (std::size_t i = 0; i < sessions.size(); ++i) {
      const Session& s = *sessions[i];
      if (i > 0 && sessions[i - 1]->epoch != s.epoch) newer = std::min(newer, same);
      same = std::min(same, s.from);
      ++out.looked_at;
      if (newer == kNanosMax) continue;
      // A login that was answered after the newer one is measured from its own answer.
      const Nanos from = std::max(newer, s.from);
      const Nanos bound =
          c.connected_after(from, c.rules.kick_within) + c.rules.link_carries + c.rules.clock_error;
      bounds[SessionKey{s.history, s.connection}] = bound;
      if (s.to <= bound) continue;
      const DeviceKey& device = c.history(s.history).device();
      out.add({"",
               fmt::format("{}: connection {} outlived a newer login by more than the bound",
                           device_text(device), s.connection),
               device,
               {},
               0,
               {}});
    }
  }
  for (std::uint32_t h = 0; h < c.histories(); ++h) check_commits(c, h, bounds, out);
  return out;
}

Report check_pres(const Case& c) {
  Report out("C-PRES", "rows, sessions and answers");
  const Nanos now = c.evidence.dumped_at;
  if (c.evidence.has_placement && now != 0) {
    for (const RouterDump& router : c.evidence.routers) {
      if (router.is_live) check_replica(c, router, now, out);
    }
    check_entries(c, now, out);
  }
  for (std::uint32_t h = 0; h < c.histories(); ++h) {
    for (const Event& e : c.history(h).events()) {
      if (e.ev == Ev::kPresence) check_answer(c, h, e, out);
    }
  }
  return out;
}

}  // namespace hy::judge
