#include "client/judge/prompt.h"

#include <fmt/format.h>

#include <algorithm>

namespace hy::judge {
namespace {

/// When a device first had a message on its screen: (history, message) → time.
struct OnDevice {
  RowKey key;
  std::uint32_t history = 0;
  friend bool operator==(const OnDevice&, const OnDevice&) = default;
};
struct OnDeviceHash {
  std::size_t operator()(const OnDevice& o) const noexcept {
    return std::hash<RowKey>{}(o.key) ^ mix64(o.history);
  }
};
using Screens = FlatMap<OnDevice, Nanos, OnDeviceHash>;

Screens screens_of(const Case& c, Nanos from) {
  Screens out;
  for (std::uint32_t h = 0; h < c.histories(); ++h) {
    for (const Event& e : c.history(h).events()) {
      if (e.at < from || e.ev != Ev::kShow) continue;
      out.try_emplace(OnDevice{{e.conv, e.uid, e.cmid}, h}, e.at);
    }
  }
  return out;
}

/// Whose devices are to show a message.
std::vector<Uid> people_of(const Case& c, const Send& send) {
  const ConversationId& conv = send.key.conv;
  if (!conv.is_group()) return {send.key.sender, conv.peer_of(send.key.sender)};
  std::vector<Uid> out;
  for (const MemberRow& m : c.evidence.store.members)
    if (m.conv == conv && c.sees(m.uid, conv, send.seq)) out.push_back(m.uid);
  return out;
}

/// An operator had ended its sign-in: it gets nothing more, and is told so at its next word
/// (C-REVOKE).
bool is_revoked(const Case& c, const Session& s, const DeviceKey& device, Nanos by) {
  return std::ranges::any_of(c.evidence.revocations, [&](const Revocation& r) {
    return r.uid == device.uid && (r.slot == Slot::kNone || r.slot == device.slot) &&
           s.from < r.asked_at && r.asked_at <= by;
  });
}

void check_device(const Case& c, const Send& send, std::uint32_t h, Nanos end,
                  const Screens& screens, Report& out) {
  for (const Session& s : c.sessions(h)) {
    const Nanos from = std::max(send.stored_at, s.from);
    const Nanos due = from + c.rules.shown_within + c.rules.clock_error;
    if (s.from > end || due > end || s.to <= due) continue;
    if (is_revoked(c, s, c.history(h).device(), due)) continue;
    ++out.looked_at;
    const auto at = screens.find(OnDevice{send.key, h});
    if (at != screens.end() && at->second <= due) continue;
    const std::string late =
        at == screens.end() ? "never"
                            : fmt::format("{:.1f} s later", static_cast<double>(at->second - from) /
                                                                static_cast<double>(kSecond));
    out.add({"",
             fmt::format("message {} came {} to {}, who was connected all the time", send.seq, late,
                         c.name(h)),
             c.history(h).device(), send.key.conv, send.seq, send.key.cmid});
    return;  // later sessions tell the same
  }
}

}  // namespace

Report check_prompt(const Case& c) {
  Report out("C-PROMPT", "messages at connected devices in calm");
  if (c.evidence.calm.empty()) return out;
  const Nanos first = std::ranges::min(c.evidence.calm, {}, &CalmWindow::from).from;
  const Screens screens = screens_of(c, first);
  for (const Send& send : c.sends()) {
    if (!send.is_stored() || send.invoked_at < first) continue;
    if (c.row_of(send.key) == kNone) continue;  // C-LOSS and C-HONEST speak of that
    for (const CalmWindow& calm : c.evidence.calm) {
      if (send.invoked_at < calm.from || send.stored_at > calm.to) continue;
      for (const Uid uid : people_of(c, send)) {
        for (const std::uint32_t h : c.devices_of(uid)) {
          if (h != send.history) check_device(c, send, h, calm.to, screens, out);
        }
      }
    }
  }
  return out;
}

}  // namespace hy::judge
