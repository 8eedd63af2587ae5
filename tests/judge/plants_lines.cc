#include "tests/judge/planting.h"

namespace hy::judge {
namespace {

using Kind = TappedFrame::Kind;
constexpr std::size_t kEphemeral = 32;

std::vector<TappedFrame>& some_way(Evidence& e, Random& random) {
  TappedConnection& tap = e.wire->taps[random.below(e.wire->taps.size())];
  return random.below(2) == 0 ? tap.to_server : tap.to_client;
}
TappedFrame& some_frame(Evidence& e, Random& random, Kind kind) {
  for (;;) {
    auto& way = some_way(e, random);
    TappedFrame& frame = way[random.below(way.size())];
    if (frame.kind == kind) return frame;
  }
}

// ── what the lines carry ────────────────────────────────────────────────────────────────────────

bool put_word(Evidence& e, Random& random, Kind kind) {
  TappedFrame& frame = some_frame(e, random, kind);
  const auto& canaries = e.wire->canaries;
  // Behind the ephemeral key of a handshake, and behind what may begin alike in a record.
  const std::size_t from = kind == Kind::kHandshake ? kEphemeral : 8;
  frame.body.insert(from + random.below(frame.body.size() - from + 1),
                    canaries[random.below(canaries.size())].bytes);
  return true;
}
bool word_in_a_record(Evidence& e, Random& random) {
  return put_word(e, random, Kind::kData);
}
bool word_in_a_handshake(Evidence& e, Random& random) {
  return put_word(e, random, Kind::kHandshake);
}

bool clear_frame_behind_a_record(Evidence& e, Random& random) {
  constexpr std::array kKinds{Kind::kHello, Kind::kOther};
  some_way(e, random).push_back({kKinds[random.below(kKinds.size())], "in clear"});
  return true;
}

bool record_before_the_handshake(Evidence& e, Random& random) {
  auto& way = some_way(e, random);
  const auto data = std::ranges::find(way, Kind::kData, &TappedFrame::kind);
  const TappedFrame first = *data;
  way.erase(data);
  way.insert(way.begin(), first);
  return true;
}

bool key_and_number_twice(Evidence& e, Random& random) {
  const TappedFrame& first = some_frame(e, random, Kind::kData);
  TappedFrame& second = some_frame(e, random, Kind::kData);
  if (&first == &second) return false;
  second.body.replace(0, 8, first.body.substr(0, 8));
  return true;
}

bool record_twice(Evidence& e, Random& random) {
  const TappedFrame again = some_frame(e, random, Kind::kData);
  some_way(e, random).push_back(again);
  return true;
}

bool ephemeral_key_twice(Evidence& e, Random& random) {
  const TappedFrame& first = some_frame(e, random, Kind::kHandshake);
  TappedFrame& second = some_frame(e, random, Kind::kHandshake);
  if (&first == &second) return false;
  second.body.replace(0, kEphemeral, first.body.substr(0, kEphemeral));
  return true;
}

// ── what playing it again does ──────────────────────────────────────────────────────────────────

Playback& some_playback(Evidence& e, Random& random) {
  return e.wire->playbacks[random.below(e.wire->playbacks.size())];
}
bool playback_answered(Evidence& e, Random& random) {
  some_playback(e, random).data_frames = 1;
  return true;
}
bool playback_left_open(Evidence& e, Random& random) {
  some_playback(e, random).has_ended = false;
  return true;
}
bool playback_logged_in(Evidence& e, Random& random) {
  e.wire->after.logins += 1 + random.below(3);
  return true;
}
bool playback_kicked(Evidence& e, Random& random) {
  auto& sessions = e.wire->after.sessions;
  if (sessions.empty()) return false;
  sessions.erase(sessions.begin() + static_cast<std::ptrdiff_t>(random.below(sessions.size())));
  return true;
}
bool playback_placed(Evidence& e, Random& random) {
  auto& rows = e.wire->after.routers[random.below(e.wire->after.routers.size())].rows;
  if (rows.empty()) return false;
  ++rows[random.below(rows.size())].epoch.conn;
  return true;
}
bool playback_stored(Evidence& e, Random& random) {
  auto& rows = e.wire->after.store.messages;
  MessageRow again = rows[random.below(rows.size())];
  again.seq = head_of(e, again.conv).head + 1;
  again.cmid = fresh_id(random);
  rows.push_back(again);
  return true;
}
bool playback_removed(Evidence& e, Random& random) {
  auto& rows = e.wire->after.store.messages;
  rows.erase(rows.begin() + static_cast<std::ptrdiff_t>(random.below(rows.size())));
  return true;
}
bool playback_overwrote(Evidence& e, Random& random) {
  auto& rows = e.wire->after.store.messages;
  ++rows[random.below(rows.size())].phash;
  return true;
}
bool playback_marked_read(Evidence& e, Random& random) {
  auto& members = e.wire->after.store.members;
  ++members[random.below(members.size())].read_seq;
  return true;
}

}  // namespace

std::vector<Plant> plants_of_lines() {
  return {
      {"word in a record", "C-WIRE", {}, word_in_a_record, "can be read"},
      {"word in a handshake", "C-WIRE", {}, word_in_a_handshake, "can be read"},
      {"clear frame behind a record", "C-WIRE", {}, clear_frame_behind_a_record, "not sealed"},
      {"record before the handshake", "C-WIRE", {}, record_before_the_handshake, "before a"},
      {"key and number twice", "C-WIRE", {}, key_and_number_twice, "a record begins"},
      {"record twice", "C-WIRE", {}, record_twice, "a record begins"},
      {"ephemeral key twice", "C-WIRE", {}, ephemeral_key_twice, "the same ephemeral"},
      {"playback answered", "C-REPLAY", {}, playback_answered, "was answered"},
      {"playback left open", "C-REPLAY", {}, playback_left_open, "was left open"},
      {"playback logged in", "C-REPLAY", {}, playback_logged_in, "logins"},
      {"playback kicked", "C-REPLAY", {}, playback_kicked, "not there after"},
      {"playback placed", "C-REPLAY", {}, playback_placed, "not there before"},
      {"playback stored", "C-REPLAY", {}, playback_stored, "was stored"},
      {"playback removed", "C-REPLAY", {}, playback_removed, "are missing"},
      {"playback overwrote", "C-REPLAY", {}, playback_overwrote, "changed a message"},
      {"playback marked read", "C-REPLAY", {}, playback_marked_read, "has read"},
  };
}

}  // namespace hy::judge
