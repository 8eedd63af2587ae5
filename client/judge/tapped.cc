#include "client/judge/tapped.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <string_view>
#include <tuple>

namespace hy::judge {
namespace {

using Kind = TappedFrame::Kind;

/// The header inside of a record begins with as much that may say the same in two of them.
constexpr std::size_t kLikeBytes = 8;
constexpr std::size_t kEphemeralBytes = 32;

struct Line {
  const TappedConnection& tap;
  const std::vector<TappedFrame>& frames;
  std::string_view way;
};

void add(Report& out, const Line& line, std::string what) {
  out.add({"", fmt::format("{} {}: {}", line.tap.name, line.way, std::move(what)), {}, {}, 0, {}});
}

void check_words(const Case& c, const Line& line, Report& out) {
  for (const TappedFrame& frame : line.frames) {
    for (const Canary& canary : c.evidence.wire->canaries) {
      if (frame.body.find(canary.bytes) != Bytes::npos)
        add(out, line, fmt::format("{} can be read", canary.what));
    }
  }
}

/// HELLO and handshakes first, as many as a line may have, then records.
void check_shape(const Line& line, Report& out) {
  bool has_record = false;
  std::size_t handshakes = 0;
  for (const TappedFrame& frame : line.frames) {
    ++out.looked_at;
    if (frame.kind == Kind::kHandshake) ++handshakes;
    if (frame.kind != Kind::kData && has_record)
      add(out, line, "something that is not sealed behind a record");
    if (frame.kind == Kind::kData && handshakes == 0) add(out, line, "a record before a handshake");
    has_record = has_record || frame.kind == Kind::kData;
  }
}

/// Where something was seen first.
using Seen = std::map<std::string_view, const Line*>;

void check_once(const Line& line, Seen& seen, Report& out) {
  for (const TappedFrame& frame : line.frames) {
    const bool is_data = frame.kind == Kind::kData;
    if (!is_data && frame.kind != Kind::kHandshake) continue;
    const std::size_t n = is_data ? kLikeBytes : kEphemeralBytes;
    if (frame.body.size() < n) continue;
    const auto [first, is_new] = seen.emplace(std::string_view(frame.body).substr(0, n), &line);
    if (is_new) continue;
    add(out, line,
        fmt::format("{} as on {} {}", is_data ? "a record begins" : "the same ephemeral key",
                    first->second->tap.name, first->second->way));
  }
}

// ── C-REPLAY ────────────────────────────────────────────────────────────────────────────────────

using Held = std::set<std::tuple<std::string, std::uint64_t, int, std::uint64_t, std::uint64_t>>;

std::uint64_t of(Epoch epoch) {
  return std::uint64_t{epoch.auth} << 32 | epoch.conn;
}

Held held_by(const ServerState& state) {
  Held out;
  for (const RouterDump& router : state.routers) {
    for (const PlacementRow& row : router.rows)
      out.insert({router.name, row.uid.value(), static_cast<int>(row.slot), row.entry.value(),
                  of(row.epoch)});
  }
  for (const EntrySession& s : state.sessions) {
    out.insert({fmt::format("entry {}", s.entry.value()), s.uid.value(), static_cast<int>(s.slot),
                s.entry.value(), of(s.epoch)});
  }
  return out;
}

void check_held(const ServerState& before, const ServerState& after, Report& out) {
  const Held was = held_by(before);
  const Held is = held_by(after);
  const auto say = [&](const Held& a, const Held& b, std::string_view what) {
    for (const auto& row : a) {
      ++out.looked_at;
      if (b.contains(row)) continue;
      out.add({"",
               fmt::format("{}: {} slot {} {} the playbacks", std::get<0>(row), std::get<1>(row),
                           std::get<2>(row), what),
               {},
               {},
               0,
               {}});
    }
  };
  say(was, is, "is not there after");
  say(is, was, "was not there before");
}

void check_log(const ServerState& before, const ServerState& after, Report& out) {
  using Key = std::pair<ConversationId, std::uint64_t>;  // and seq, or uid
  using Row = std::tuple<Bytes, Uid, std::uint64_t>;     // id, sender, content
  const auto row_of = [](const MessageRow& row) {
    return Row{Bytes(as_text(row.cmid.bytes)), row.sender, row.phash};
  };
  std::map<Key, Row> rows;
  for (const MessageRow& row : before.store.messages)
    rows.emplace(Key{row.conv, row.seq}, row_of(row));
  for (const MessageRow& row : after.store.messages) {
    ++out.looked_at;
    const auto at = rows.find({row.conv, row.seq});
    if (at == rows.end()) {
      out.add({"", "a playback was stored", {}, row.conv, row.seq, row.cmid});
    } else if (at->second != row_of(row)) {
      out.add({"", "a playback changed a message", {}, row.conv, row.seq, row.cmid});
    }
  }
  if (after.store.messages.size() < before.store.messages.size())
    out.add({"", "messages are missing after the playbacks", {}, {}, 0, {}});
  std::map<Key, std::array<std::uint64_t, 3>> members;
  for (const MemberRow& m : before.store.members)
    members[{m.conv, m.uid.value()}] = {m.join_seq, m.leave_seq, m.read_seq};
  for (const MemberRow& m : after.store.members) {
    ++out.looked_at;
    const auto at = members.find({m.conv, m.uid.value()});
    if (at == members.end() || at->second != std::array{m.join_seq, m.leave_seq, m.read_seq}) {
      out.add({"",
               fmt::format("a playback moved what {} is and has read there", m.uid.value()),
               {},
               m.conv,
               m.read_seq,
               {}});
    }
  }
}

}  // namespace

Report check_wire(const Case& c) {
  Report out("C-WIRE", "frames on tapped lines");
  if (!c.evidence.wire) return out;
  std::vector<Line> lines;
  for (const TappedConnection& tap : c.evidence.wire->taps) {
    lines.push_back({tap, tap.to_server, "to the server"});
    lines.push_back({tap, tap.to_client, "to the device"});
  }
  Seen seen;
  for (const Line& line : lines) {
    check_words(c, line, out);
    check_shape(line, out);
    check_once(line, seen, out);
  }
  return out;
}

Report check_replay(const Case& c) {
  Report out("C-REPLAY", "playbacks, and rows after them");
  if (!c.evidence.wire) return out;
  const WireEvidence& wire = *c.evidence.wire;
  for (const Playback& played : wire.playbacks) {
    ++out.looked_at;
    if (played.data_frames > 0)
      out.add({"", fmt::format("{} was answered", played.what), {}, {}, 0, {}});
    if (!played.has_ended)
      out.add({"", fmt::format("{} was left open", played.what), {}, {}, 0, {}});
  }
  check_held(wire.before, wire.after, out);
  check_log(wire.before, wire.after, out);
  if (wire.after.logins != wire.before.logins) {
    out.add({"",
             fmt::format("{} logins were counted before the playbacks and {} after them",
                         wire.before.logins, wire.after.logins),
             {},
             {},
             0,
             {}});
  }
  return out;
}

}  // namespace hy::judge
