#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/ids.h"
#include "common/base/result.h"

/// The C++ SDK: one device of one user. Everything a person wrote is in an outbox on disk before
/// send() returns and stays there until the server said STORED.
namespace hy {

namespace client {
class TurnObserver;
}

/// Where a message of ours is. Order matters: later is further, except kRefused and kUnsure.
enum class Step : std::uint8_t {
  kQueued,     ///< in the outbox on disk
  kSent,       ///< written to a connection at least once
  kRelayed,    ///< reached a device, not saved: kept and sent again
  kStored,     ///< on disk in the conversation's log
  kDelivered,  ///< saved on a device of the receiver
  kRead,
  kRefused,  ///< not stored and will not be: see code
  kUnsure,   ///< may not have been sent: kept, retry() sends the same id again
};
std::string_view step_name(Step step);

/// Kind of a message that tells of a change of a group (group_event_of); the server alone writes
/// it.
inline constexpr std::uint32_t kKindGroupEvent = 3;

struct Message {
  ConversationId conversation;
  Seq seq;  ///< 0: provisional or still in the outbox
  Uid sender;
  ClientMsgId client_msg_id;
  std::uint32_t kind = 1;  ///< 1 text, 2 binary, 3 kKindGroupEvent, ≥ 16 the application's
  Bytes body;
  std::int64_t server_ms = 0;  ///< display only
  bool provisional = false;
  bool mine = false;
  /// Came before as provisional; the same row takes its place. Not a second message.
  bool moved = false;
};

/// Published state machine; each change comes with a reason.
enum class LinkState : std::uint8_t {
  kIdle,
  kFinding,
  kRacing,
  kHandshake,
  kLogin,
  kSyncing,
  kOnline,
  kMoving,
  kBackingOff,
  kStopped,
};
std::string_view link_state_name(LinkState state);

/// One rung of the six-packet ladder or one of its extra lines; times in µs of the monotonic clock.
struct LadderEvent {
  enum class Kind : std::uint8_t {
    kSend,
    kSendAgain,
    kStored,
    kRelayed,
    kRefused,
    kRepeat,
    kPush,
    kPushAgain,
    kPushAck,
    kAckOk,
    kReceipt,
    kSyncHint,
    kSync,
    kPull,
    kSyncDone,
  };
  Kind kind;
  std::int64_t at_us = 0;
  ClientMsgId client_msg_id{};
  ConversationId conversation{};
  Seq seq{};
  std::uint32_t push_number = 0;
  std::uint32_t try_number = 0;
  Errc code = Errc::kOk;
  Uid by{};
  bool read = false;
  std::string note;
};

struct ConversationInfo {
  ConversationId conversation;
  Uid peer;  ///< 0: a group
  Seq head;
  Seq read;
  Seq peer_read;
  std::uint32_t unread = 0;
  std::int64_t head_ms = 0;
  std::optional<Message> last;
  std::string group_name{};  ///< of a group
  Seq join{};                ///< of a group: nothing below is for this person
};

// ---- chat groups

struct GroupMember {
  Uid uid;
  bool owner = false;
  Seq join;  ///< sees nothing below
  friend bool operator==(const GroupMember&, const GroupMember&) = default;
};
struct Group {
  Gid gid;
  std::string name;
  std::vector<GroupMember> members;  ///< ascending uid
  std::uint64_t member_version = 0;  ///< raised by every change
};
struct GroupChange {
  std::uint64_t member_version = 0;
  Seq seq;  ///< of the event in the log; 0: nothing changed
};
/// What a message of kKindGroupEvent says; its sender is who did it.
struct GroupEvent {
  std::string created;  ///< not empty: the group was made under this name
  std::vector<Uid> added;
  std::vector<Uid> removed;
  Uid owner{};  ///< > 0: owns the group from here on
};
/// Errors: kMalformedBody (also for a message of another kind).
Result<GroupEvent> group_event_of(const Message& message);

/// What one member of a group has, as far as this process heard (groups of up to 200 members).
struct MemberReceipt {
  Uid uid{};
  Seq delivered{};  ///< saved on a device of theirs: everything up to here
  Seq read{};
};

struct ClientOptions {
  std::string store;                 ///< SQLite file; "" = in memory (tests, load)
  std::vector<std::string> entries;  ///< "127.0.0.1:14000"
  Bytes server_key;                  ///< 32 bytes, the pinned static public key
  Slot slot = Slot::kDesktop;
  std::string device_id;  ///< "" = made once and kept in the store
  std::string device_name = "hy";
  std::uint8_t suite = 1;  ///< 1 AES-GCM, 2 ChaCha20-Poly1305
  std::chrono::milliseconds connect_within{5'000};
  std::chrono::milliseconds resend_min{1'000};  ///< ack-wait: first resend; doubles, full jitter
  std::chrono::milliseconds resend_max{30'000};
  std::chrono::hours resend_for{72};  ///< then kUnsure
  /// Sends of one conversation without an answer yet; all conversations together half as many more.
  std::uint32_t send_window = 32;
  /// Messages fetched of a conversation that this device never had; history() asks for older ones.
  std::uint32_t first_tail = 10'000;
  /// For tests and measurements: sees every turn of the device, on the SDK's thread
  /// (client/core/device.h).
  std::shared_ptr<client::TurnObserver> observer = nullptr;
};

struct Credentials {
  std::string name;
  Uid uid{};
  Bytes password;
  Bytes token;  ///< 144 bytes; preferred when present
};

/// A message on its way. Copyable handle.
class Sent {
 public:
  [[nodiscard]] ClientMsgId id() const;
  [[nodiscard]] Step step() const;
  [[nodiscard]] Errc code() const;  ///< why it was refused
  [[nodiscard]] Seq seq() const;
  /// True once `step` (or further) is reached; false after `within`, or when it was refused.
  bool wait(Step step, std::chrono::milliseconds within) const;
  struct State;
  std::shared_ptr<State> state;
};

/// One thread that many clients share: for load testers and servers with many devices. It outlives
/// its clients.
class Runtime {
 public:
  Runtime();
  ~Runtime();  ///< stops and joins; not from its own thread
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;
  /// Runs `f` on the runtime's thread, where calls of its clients return without waiting.
  void post(std::function<void()> f);
  void after(std::chrono::milliseconds wait, std::function<void()> f);
  struct Impl;

 private:
  friend class Client;
  std::unique_ptr<Impl> impl_;
};

/// Thread-safe. Callbacks come on the SDK's own thread, one after another; they may call the
/// client; there, calls that would wait for the server return at once: login() with success,
/// those that need an answer with kUnavailable.
class Client {
 public:
  explicit Client(ClientOptions options);
  Client(ClientOptions options, Runtime& runtime);  ///< without a thread of its own
  ~Client();  ///< logs nothing out; closes orderly (LOGOUT is explicit)
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  /// Shown once each, in order; not those that this device itself sent (send() and on_step tell of
  /// them). A provisional one comes a second time, `moved`, when it has its seq.
  void on_message(std::function<void(const Message&)> f);
  void on_step(std::function<void(const ClientMsgId&, Step, Errc, Seq)> f);
  void on_state(std::function<void(LinkState, const std::string& why)> f);
  void on_ladder(std::function<void(const LadderEvent&)> f);
  /// A member of a group confirmed, or read, more of it: group_receipts() has it by then.
  void on_group_receipt(std::function<void(Gid, const MemberReceipt&)> f);

  /// Starts (and keeps) the connection. Returns when the first login succeeded, was refused, or
  /// `within` passed; after a time-out the client goes on trying. A success waits up to a second
  /// more for the first SYNC.
  Status login(Credentials credentials,
               std::chrono::milliseconds within = std::chrono::seconds(10));
  void logout();
  [[nodiscard]] LinkState state() const;
  [[nodiscard]] Uid uid() const;
  [[nodiscard]] Bytes session_token()
      const;  ///< after a password login: keep it instead of the password

  /// In the outbox on disk before it returns; works offline. Errors: kBodyTooLarge, kSelfSend,
  /// kStoreFull.
  Result<Sent> send(Uid to, Bytes body, std::uint32_t kind = 1);
  Result<Sent> send(const std::string& to_name, Bytes body,
                    std::uint32_t kind = 1);  ///< looks the name up (needs a connection once)
  /// To a group: its steps end at kStored, since "delivered" is a number of people there
  /// (group_receipts). Refused with kNotMember for who is not in it.
  Result<Sent> send(Gid to, Bytes body, std::uint32_t kind = 1);
  Status retry(const ClientMsgId& id);
  Status drop(const ClientMsgId& id);
  [[nodiscard]] std::vector<std::pair<Message, Step>> outbox() const;

  /// Everything up to `seq` is read; the mark never falls. Returns when the server has it (10 s at
  /// most); offline at once, and the mark goes out with the next login.
  Status mark_read(ConversationId conversation, Seq seq);
  Result<std::vector<Message>> history(ConversationId conversation, Seq from, Seq to,
                                       std::uint32_t last);
  Result<std::vector<ConversationInfo>> recents(std::uint32_t limit);
  Result<std::vector<std::pair<Uid, std::string>>> look_up(const std::vector<std::string>& names,
                                                           const std::vector<Uid>& uids);
  Status block(Uid uid, bool on);
  Result<std::pair<Message, Seq>> message_state(
      ConversationId conversation, const ClientMsgId& id,
      Seq seq);   ///< message without body, peer's read mark
  Status sync();  ///< asks now; returns when up to date

  /// A group that this person owns; name: 1 .. 64 bytes. `members`: besides this person. Errors:
  /// kUnknownUser (nobody was added), kNameInvalid, those of look_up().
  Result<Group> create_group(const std::string& name, const std::vector<Uid>& members);
  Result<Group> group(Gid gid);  ///< kNotMember: not this person's, or none
  /// The owner adds and removes, everybody may remove himself. Who is in is not added again.
  /// Errors: kNotMember, kForbidden, kUnknownUser.
  Result<GroupChange> change_group(Gid gid, const std::vector<Uid>& add,
                                   const std::vector<Uid>& remove);
  /// Who has what of a group's messages; ascending uid, without those who confirmed nothing.
  [[nodiscard]] std::vector<MemberReceipt> group_receipts(Gid gid) const;

  /// For demonstrations and tests: stop reading and writing without closing the socket, and go on
  /// again.
  void unplug(bool unplugged);
  /// Drop the connection now (RST) and reconnect by the ordinary rules.
  void drop_connection();
  [[nodiscard]] std::string entry() const;  ///< address of the entry in use, "" when none

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hy
