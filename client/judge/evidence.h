#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "client/judge/history.h"

namespace hy::judge {

// Rows of the stores after the run. A list that the run cannot give stays empty and its `has_`
// flag false: what needs it is then not checked, or no verdict is given (Rules).

struct ConversationRow {
  ConversationId conv{};
  std::uint64_t head = 0;       ///< head_seq
  std::uint64_t kept_from = 1;  ///< lowest seq that retention left; 1: nothing expired
  std::int64_t head_ms = 0;     ///< clock of the store
};
struct MessageRow {
  ConversationId conv{};
  std::uint64_t seq = 0;
  Uid sender{};
  ClientMsgId cmid{};
  std::uint64_t phash = 0;
  std::int64_t server_ms = 0;
  bool countable = true;
  bool recalled = false;
  bool by_server = false;  ///< tells of a change of its group's members; nobody sent it
};
/// user_conv: a person is a member of [join, leave).
struct MemberRow {
  Uid uid{};
  ConversationId conv{};
  std::uint64_t join_seq = 0;   ///< sees seq ≥ this; 0: everything
  std::uint64_t leave_seq = 0;  ///< 0: still a member
  std::uint64_t read_seq = 0;
  std::int64_t unread = -1;  ///< as das computes it; -1: not asked
};
/// A time in which a person was in a group, as the messages in its log tell it: who comes back has
/// several, and MemberRow knows the last alone.
struct StintRow {
  Uid uid{};
  ConversationId conv{};
  std::uint64_t from = 0;  ///< seq of the message that brought the person in
  std::uint64_t to = 0;    ///< sees seq below; 0: still in
};
/// The server's copy of a device's cursor.
struct DeviceCursorRow {
  DeviceKey device{};
  ConversationId conv{};
  std::uint64_t seq = 0;
};
struct StoreDump {
  std::vector<ConversationRow> conversations;
  std::vector<MessageRow> messages;  ///< any order
  std::vector<MemberRow> members;    ///< empty: pairs only, everybody sees everything
  std::vector<DeviceCursorRow> cursors;
  std::vector<StintRow> stints{};  ///< by time within (person, group); empty: members tell it all
};

/// A row of one router replica.
struct PlacementRow {
  Uid uid{};
  Slot slot = Slot::kNone;
  std::uint32_t device = 0;  ///< 0: the replica does not know installations
  EntryId entry{};
  Epoch epoch;
};
struct RouterDump {
  std::string name;
  bool is_live = true;  ///< not WARMING
  std::vector<PlacementRow> rows;
};
/// A session that an entry holds open.
struct EntrySession {
  EntryId entry{};
  Uid uid{};
  Slot slot = Slot::kNone;
  std::uint32_t device = 0;
  Epoch epoch;
};

/// What a fault does to the people; decides which bound is measured in it.
enum class Hits : std::uint8_t {
  kSpeed,      ///< clients may wait or reconnect: a process killed or paused, a link slow
  kReach,      ///< servers or clients cannot reach each other: partition, pause of several tiers
  kStoreDown,  ///< nothing can be stored (F12, with or without F11): RELAYED is the best answer
  kCacheDown,  ///< Redis away: only speed suffers
};
struct FaultWindow {
  std::string kind;  ///< "kill entry-1", "F12 store stop"
  Nanos from = 0;
  Nanos to = 0;  ///< repaired, and its process ready again
  Hits hits = Hits::kSpeed;
  bool was_felt = true;  ///< health before and after differed; false: the fault did nothing
};

/// Nothing was broken in it, links were quick and nobody was overloaded: what the servers promise
/// at once has to be seen at once (C-PROMPT).
struct CalmWindow {
  Nanos from = 0;
  Nanos to = 0;
};

/// The operator ended a person's sign-ins (`hy revoke`), and was told that it is done.
struct Revocation {
  Uid uid{};
  Slot slot = Slot::kNone;  ///< kNone: every slot
  Nanos asked_at = 0;
  Nanos told_at = 0;
  Nanos reachable_from = 0;  ///< from then on every logic could ask the database
};

/// A frame of a connection between a device and its entry, as whoever taps the line has it.
struct TappedFrame {
  enum class Kind : std::uint8_t { kHello, kHandshake, kData, kOther };
  Kind kind = Kind::kData;
  Bytes body;
};
struct TappedConnection {
  std::string name;
  std::vector<TappedFrame> to_server;
  std::vector<TappedFrame> to_client;
};
/// What nobody may read on the line: a message's text, a password, a token.
struct Canary {
  std::string what;
  Bytes bytes;
};
/// A recording, or a part of one, that was sent to an entry once more.
struct Playback {
  std::string what;               ///< "3 frames of people>entry-a 2"
  bool has_ended = false;         ///< the entry closed the connection
  bool met_handshake = false;     ///< it answered the recorded HANDSHAKE_1
  std::uint64_t data_frames = 0;  ///< that it said
};
/// What the servers hold, without their processes.
struct ServerState {
  StoreDump store;
  std::vector<RouterDump> routers;
  std::vector<EntrySession> sessions;
  std::uint64_t logins = 0;  ///< that the entries counted
};
/// What was recorded on the lines, and what became of it when it was played again.
struct WireEvidence {
  std::vector<TappedConnection> taps;
  std::vector<Canary> canaries;
  std::vector<Playback> playbacks;
  ServerState before;  ///< the playbacks; nothing else happened until `after` was read
  ServerState after;
};

/// Everything that a verdict stands on.
struct Evidence {
  std::vector<History> histories;  ///< one per device
  StoreDump store;
  std::vector<RouterDump> routers;
  std::vector<EntrySession> sessions;
  std::vector<FaultWindow> faults;
  std::vector<CalmWindow> calm{};
  std::vector<Revocation> revocations{};
  Nanos healed_at = 0;         ///< after it no fault was alive
  Nanos dumped_at = 0;         ///< routers and entries were read then; 0: when the run ended
  bool has_store = false;      ///< the dump of the stores is whole
  bool has_placement = false;  ///< routers and entries were dumped
  std::optional<WireEvidence> wire{};  ///< nothing: no line was tapped; of this process alone
};

inline constexpr Nanos kSecond = 1'000'000'000;

/// The figures of the promises (guarantees.md), and what a run must bring.
struct Rules {
  Nanos clock_error = 0;  ///< between the clocks of two devices' histories
  /// What was written to a device before its link was ended may be on its way for so long, and
  /// KICKED and the end come behind it: added to `kick_within` and `revoke_within`.
  Nanos link_carries = 0;

  Nanos kick_within = 5 * kSecond;           ///< G12, of connected time
  Nanos revoke_within = 5 * kSecond;         ///< G20
  Nanos revoked_gone_within = 60 * kSecond;  ///< two heartbeats of a session that missed the kick
  Nanos answer_within = 3 * kSecond;         ///< G13: p99 of a send's answer
  Nanos back_within = 15 * kSecond;          ///< G13: p99 of being connected again
  double available = 0.999;                  ///< G13: share of sends answered STORED in time
  Nanos settle_after_fault = 5 * kSecond;    ///< G13: the windows left out of `available`
  Nanos mode_entered_within = 3 * kSecond;   ///< G14: store-down mode is entered
  Nanos relayed_shown_within = 2 * kSecond;  ///< G14
  double relayed_shown = 0.99;               ///< G14
  Nanos stored_after_return = 60 * kSecond;  ///< G14
  Nanos shown_within = 2 * kSecond;          ///< from STORED to a connected device's screen
  Nanos recovered_within = 60 * kSecond;     ///< after the last repair everything is normal
  Nanos ghost_within = 20 * kSecond;         ///< G11: two heartbeats of a silent disconnect
  Nanos presence_settles = 10 * kSecond;     ///< G11: an answer may be this old
  Nanos sync_stale = 60 * kSecond;           ///< §6: a head from the cache may be this old
  std::uint64_t first_tail = 10'000;         ///< rows that a device new to a conversation takes
  std::size_t samples_min = 200;             ///< below it shares (C-AVAIL, C-FLOW) are not judged

  bool needs_store = true;
  bool needs_placement = false;
  bool needs_settled = true;  ///< every message of a drained device was stored or refused
  bool judges_speed = true;   ///< C-AVAIL, C-FLOW, C-RECOVER: false under an unfair machine
};

/// A promise that was broken.
struct Violation {
  std::string_view checker;  ///< "C-LOSS"
  std::string text;          ///< for a person
  DeviceKey device{};
  ConversationId conv{};
  std::uint64_t seq = 0;
  ClientMsgId cmid{};
};

}  // namespace hy::judge
