#include "client/judge/revoked.h"

#include <fmt/format.h>

#include <algorithm>

namespace hy::judge {
namespace {

double seconds(Nanos span) {
  return static_cast<double>(span) / static_cast<double>(kSecond);
}

bool is_of(const Revocation& r, const DeviceKey& device) {
  return r.slot == Slot::kNone || r.slot == device.slot;
}

/// The sign-in of the slot that the operator ended: no later one has this number. 0: none was
/// there.
std::uint32_t ended_epoch(const Case& c, const Revocation& r, Slot slot) {
  std::uint32_t last = 0;
  for (const std::uint32_t h : c.devices_of(r.uid)) {
    if (c.history(h).device().slot != slot) continue;
    for (const Session& s : c.sessions(h)) {
      if (s.from < r.asked_at) last = std::max(last, s.epoch.auth);
    }
  }
  return last;
}

void check_answers(const Case& c, std::uint32_t h, std::uint32_t ended, Nanos bound, Report& out) {
  const History& history = c.history(h);
  std::uint32_t auth = 0;
  for (const Event& e : history.events()) {
    if (e.ev == Ev::kLoginOk) auth = e.epoch().auth;
    if (e.ev == Ev::kClose || e.ev == Ev::kRestart || e.ev == Ev::kNewStore) auth = 0;
    if (auth == 0 || auth > ended || e.ev != Ev::kSendOk || e.has(kRelayed) || e.has(kRepeat))
      continue;
    ++out.looked_at;
    if (e.at <= bound) continue;
    out.add({"",
             fmt::format("{}: message {} was STORED {:.1f} s after its sign-in had to be over",
                         c.name(h), e.cmid.to_hex(), seconds(e.at - bound)),
             history.device(), e.conv, e.seq, e.cmid});
  }
}

void check_sessions(const Case& c, std::uint32_t h, std::uint32_t ended, Nanos bound, Report& out) {
  const DeviceKey& device = c.history(h).device();
  const Nanos now = c.history(h).events().empty() ? 0 : c.history(h).events().back().at;
  for (const Session& s : c.sessions(h)) {
    if (s.epoch.auth > ended) continue;
    ++out.looked_at;
    const Nanos gone = bound + c.rules.revoked_gone_within;
    if (s.from > bound) {
      out.add({"",
               fmt::format("{}: connection {} was let in by a sign-in that the operator had ended",
                           c.name(h), s.connection),
               device,
               {},
               0,
               {}});
    } else if (std::min(s.to, now) > gone) {
      out.add({"",
               fmt::format("{}: connection {} outlived the end of its sign-in by {:.1f} s",
                           c.name(h), s.connection, seconds(std::min(s.to, now) - bound)),
               device,
               {},
               0,
               {}});
    }
  }
}

}  // namespace

Report check_revoke(const Case& c) {
  Report out("C-REVOKE", "answers and sessions of ended sign-ins");
  for (const Revocation& r : c.evidence.revocations) {
    const Nanos bound = std::max(r.told_at, r.reachable_from) + c.rules.revoke_within +
                        c.rules.link_carries + c.rules.clock_error;
    for (const std::uint32_t h : c.devices_of(r.uid)) {
      const DeviceKey& device = c.history(h).device();
      const std::uint32_t ended = is_of(r, device) ? ended_epoch(c, r, device.slot) : 0;
      if (ended == 0) continue;
      check_answers(c, h, ended, bound, out);
      check_sessions(c, h, ended, bound, out);
    }
  }
  return out;
}

}  // namespace hy::judge
