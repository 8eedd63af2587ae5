#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/ids.h"
#include "common/base/result.h"

/// What the storage seam speaks: the domain, no SQL and no protobuf. Times are unix milliseconds of
/// the *store's* clock unless a name says otherwise.
namespace hy::das {

/// A message body as the app gave it. A type of its own so that no log line can hold one: it has no
/// formatter.
struct Body {
  Bytes bytes;
};

/// One message to be appended. The caller has checked sizes and rights; the engine checks what only
/// the row lock can (member_version, predecessor, identity).
struct AppendItem {
  ConversationId conv;
  Uid sender;
  ClientMsgId client_msg_id;
  PayloadHash payload_hash{};
  std::uint32_t kind = 0;
  bool countable = true;             ///< counts as unread
  std::uint64_t member_version = 0;  ///< the one that logic judged by
  std::optional<ClientMsgId> after;  ///< predecessor of the same (conv, sender) that must be stored
  bool after_proven = false;         ///< this lane committed `after` itself: no need to read it
  std::vector<Uid> tell;             ///< of a group: whose change counters are raised
  Body body;                         ///< 0 .. limits::kMessageBodyBytesMax
};

/// The first answer of a message, and of each of its repeats.
struct Stored {
  Seq seq;
  std::int64_t server_ms = 0;  ///< head_ms of its commit; a repeat gets the first one
  bool repeat = false;         ///< was in the store before this call
};

/// A conversation's head as a commit left it.
struct CommittedHead {
  ConversationId conv;
  Seq head;
  std::int64_t head_ms = 0;
};

/// Answer of the slow path: `head` is what the cache may be raised to (head_ms moved by an old
/// repeat included).
struct AppendedOne {
  Stored stored;
  CommittedHead head;
};

/// What became of a batch on the fast path.
enum class FastResult : std::uint8_t {
  kStored,      ///< COMMIT returned success: every item has its row and its seq
  kRolledBack,  ///< nothing is stored, the session is fine: go row by row (duplicate, deadlock,
                ///< lock wait, GAP, MEMBERS_CHANGED)
  kUnknown,     ///< COMMIT was sent and did not return success: neither stored nor refused; broken
  kFailed,      ///< nothing is stored and trying row by row is of no use (`why`: kStoreDown,
                ///< kStoreFull)
};

struct FastAppend {
  FastResult result = FastResult::kFailed;
  std::vector<Stored> stored;        ///< kStored: same order as the items
  std::vector<CommittedHead> heads;  ///< kStored: one per conversation
  Error why;                         ///< all but kStored
};

struct StoredMessage {
  ConversationId conv;
  Seq seq;
  Uid sender;
  ClientMsgId client_msg_id;
  std::uint32_t kind = 0;
  std::int64_t server_ms = 0;
  Body body;
};

/// Two different people, both > 0.
struct UidPair {
  Uid a;
  Uid b;
};

struct PullQuery {
  Uid uid;
  ConversationId conv;
  Seq from{1};                     ///< inclusive; 0 is taken as 1
  Seq to{0};                       ///< inclusive; 0 = head
  std::uint32_t last = 0;          ///< > 0: the last so many up to `to`, `from` is ignored; a cut
                                   ///< then leaves out the oldest, and `more` stays false
  std::uint32_t messages_max = 0;  ///< cut of a slice, both > 0; one message always fits
  std::uint32_t bytes_max = 0;     ///< sum of the bodies
};
struct Slice {
  std::vector<StoredMessage> messages;  ///< ascending seq, no hole
  Seq head;                             ///< in the same read view
  bool more = false;  ///< cut before the end of the range: ask again from last + 1
  Seq truncated_to;   ///< seqs up to here have expired or are not for this user
};

struct FindQuery {
  Uid uid;
  ConversationId conv;
  Seq seq;  ///< 0: by (sender, client_msg_id)
  Uid sender;
  ClientMsgId client_msg_id;
};
struct FoundMessage {
  StoredMessage message;  ///< without body
  Seq peer_read;          ///< pairs: read_seq of the other person
};

/// What logic judges a pair's messages by. a and b in the order of the question.
struct PairFacts {
  bool a_exists = false;
  bool b_exists = false;
  bool a_blocks_b = false;
  bool b_blocks_a = false;
  std::uint64_t member_version =
      0;  ///< raised by every change of the above; 0: a person is missing
};

/// A change of a group's members, as it stands in the group's log (kGroupEventKind).
struct GroupEvent {
  std::string created;       ///< not empty: the group was made under this name
  std::vector<Uid> added;    ///< ascending; of a new group: all but the owner
  std::vector<Uid> removed;  ///< ascending
  Uid owner;                 ///< > 0: owns the group from here on
};
inline constexpr std::uint32_t kGroupEventKind = 3;  ///< hy/client/v1/message.proto
/// The bytes that devices read: a body is the caller's business, the store knows no protobuf.
using GroupEventBody = Bytes (*)(const GroupEvent&);

struct NewGroup {
  Uid owner;
  std::string name;          ///< 1 .. limits::kNameBytesMax
  std::vector<Uid> members;  ///< any order; the owner is one whether he stands in it or not
  ClientMsgId creation_id;   ///< with the owner the identity of the creation
  std::uint32_t members_max = 0;
  GroupEventBody event_body = nullptr;
};
struct GroupChange {
  Gid gid;
  Uid actor;
  std::vector<Uid> add;
  std::vector<Uid> remove;  ///< wins over `add`
  std::uint32_t members_max = 0;
  GroupEventBody event_body = nullptr;
};
struct GroupMember {
  Uid uid;
  bool owner = false;
  Seq join_seq;  ///< of the event that brought him: he sees nothing below
};
/// What logic judges and delivers a group's messages by.
struct GroupFacts {
  Gid gid;  ///< 0: no such group
  std::string name;
  std::vector<GroupMember> members;  ///< ascending uid
  std::uint64_t member_version = 0;  ///< raised by every change
};
struct GroupChanged {
  GroupFacts facts;                    ///< after the change
  std::optional<StoredMessage> event;  ///< empty: nothing changed (or the group was made before)
  std::vector<Uid> removed;            ///< was a member before this change, is none now
};

struct ReadMark {
  Uid uid;
  ConversationId conv;
  Seq seq;
};
struct ReadMarked {
  Seq read_seq;          ///< GREATEST(old, min(asked, head))
  bool changed = false;  ///< false: the mark stood there already, no event was written
  Useq useq;             ///< of the event; 0 when not changed
};

struct ListQuery {
  Uid uid;
  std::int64_t since_ms = 0;                 ///< rows with head_ms >= this; 0 = all. The caller has
                                             ///< taken off limits::kSyncOverlap
  std::optional<ConversationId> page_after;  ///< ascending conv, strictly after
  std::uint32_t limit = 0;                   ///< 1 .. 200
  bool newest_first = false;                 ///< descending head_ms instead; page_after is ignored
  std::int64_t before_ms = 0;                ///< newest_first: head_ms < this; 0 = newest
  std::uint32_t last_body_bytes_max = 0;     ///< bodies of the last messages are cut to this
};
struct ConversationRow {
  ConversationId conv;
  Seq head;
  std::int64_t head_ms = 0;
  Seq read_seq;
  Seq peer_read;
  std::uint32_t unread = 0;
  std::optional<StoredMessage> last;  ///< the newest visible one
  std::string group_name;             ///< groups
  Seq join_seq;                       ///< groups: nothing below is for this person
};
struct ConversationPage {
  std::vector<ConversationRow> rows;
  std::int64_t store_ms = 0;  ///< store clock, read before the read view began: the next `since`
  Useq useq_head;             ///< of the person: `rows` show what events up to here did
  bool more = false;
};

enum class UserEventKind : std::uint8_t { kRead = 1, kBlock = 2 };  ///< hy.client.v1.UserEventKind
struct UserEvent {
  Useq useq;
  UserEventKind kind{};
  ConversationId conv;  ///< kRead
  Seq seq;              ///< kRead
  Uid peer;             ///< kBlock
  bool on = false;      ///< kBlock
};
struct UserEvents {
  std::vector<UserEvent> events;  ///< ascending useq, dense
  Useq head;                      ///< of the user; where `events` stops when more is false
  bool more = false;
  bool too_far = false;  ///< events after the asked useq have expired: full state instead
};

struct NewAccount {
  Uid uid;                   ///< 0: given by the store
  std::string name;          ///< unique, byte for byte; empty: none
  std::string password_phc;  ///< sensitive; empty: none
};
struct AccountRow {
  Uid uid;
  std::string name;
};
/// By uid, or by name when uid is 0.
struct LoginAttempt {
  Uid uid;
  std::string name;
  std::string peer_ip;  ///< empty: no limit per address
};
struct LoginFacts {
  Uid uid;  ///< 0: no such account
  std::string name;
  std::string password_phc;             ///< sensitive; empty: no password login
  std::chrono::milliseconds locked{0};  ///< > 0: refuse and say so; the credential is not given
};
struct SignIn {
  Uid uid;
  Slot slot{};
  std::string device_id;
  std::string device_name;
  std::string password_phc;  ///< sensitive; not empty: replaces the credential
};
struct SignedIn {
  std::uint32_t auth_epoch = 0;
  bool other_installation = false;  ///< another one was signed in on this slot before
  std::string name;
};
struct UidSlot {
  Uid uid;
  Slot slot{};
};
struct AuthEpoch {
  std::uint32_t value = 0;  ///< 0: no such user; 1: nobody ever signed in on this slot
  std::string name;
};

/// What every answer that a device keeps cursors by depends on.
struct StoreFacts {
  std::uint64_t store_epoch = 0;  ///< raised by a restore or a failover not proven lossless
  std::uint64_t clock_steps = 0;  ///< raised when the store's clock stepped back
  std::int64_t store_ms = 0;      ///< store clock now
  std::int64_t beat_ms = 0;       ///< the largest store clock that a beat has written; 0: none
  bool durable = false;           ///< the settings that STORED rests on are as they must be
  std::string why_not_durable;    ///< key fact last
};

}  // namespace hy::das
