#pragma once

#include <compare>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "common/base/error.h"
#include "common/base/ids.h"

/// What a client saw, event by event, as the checkers read it (docs/checkers.md). Written by
/// whoever runs an SDK: the simulator, the cluster tests, the load tester. No I/O here.
namespace hy::judge {

/// Nanoseconds of one monotonic clock that all devices of a run share. Runs over several hosts
/// give the error of that clock in Rules::clock_error.
using Nanos = std::int64_t;
inline constexpr Nanos kNanosMax = std::numeric_limits<Nanos>::max();

/// One installation of one person.
struct DeviceKey {
  Uid uid{};
  Slot slot = Slot::kNone;
  std::uint32_t device = 0;  ///< tells installations of one (uid, slot) apart: 1, 2, 3 …
  friend constexpr auto operator<=>(const DeviceKey&, const DeviceKey&) = default;
};

/// How a row reached the device.
enum class Via : std::uint8_t { kNone, kPush, kSync, kPull };

/// What a UI shows beside a message of one's own.
enum class Shown : std::uint8_t {
  kOutbox,
  kRelayed,
  kStored,
  kDelivered,
  kRead,
  kUnsure,
  kRefused,
};

enum class Answer : std::uint8_t { kOffline, kOnline, kUnknown };

/// Who ended a connection.
enum class ClosedBy : std::uint8_t { kNone, kApp, kServer, kNetwork, kProcess };

/// Kinds of events. The comment names the fields of Event that carry the kind's data.
enum class Ev : std::uint8_t {
  kSendInvoke,   ///< before the first byte leaves: cmid conv phash after; number = kind of message
  kSendOk,       ///< STORED: cmid conv seq; RELAYED: cmid conv kRelayed. kRepeat: a second answer
  kSendFail,     ///< REFUSED: cmid conv code; kFinal: it will not be sent again by itself
  kSendInfo,     ///< outcome unknown: cmid conv code
  kState,        ///< what the UI shows: cmid from → to
  kRecv,         ///< arrived: via number(= push number) conv seq uid(= sender) cmid phash
  kPersist,      ///< after the device's own commit: conv seq uid(= sender) cmid; seq 0: provisional
  kCursor,       ///< after the commit that moved it: conv seq(= end of the run) low(= its base)
  kGap,          ///< rows low … seq will not come: conv code(kOk: expired; kTooFar: first tail)
  kReset,        ///< the log was set back (defined reset): conv, or conv {} for all of the device
  kShow,         ///< displayed: conv seq uid(= sender) cmid; kProvisional
  kMove,         ///< a displayed provisional row took its place: conv seq uid cmid
  kAck,          ///< PUSH_ACK(number) left the device
  kSyncInvoke,   ///< low = since (ms of the store), number = request
  kSyncOk,       ///< last page: low = new since, number = request, seq = useq, phash = clock
                 ///< steps; list conv, head; kTooFar
  kPullInvoke,   ///< conv low … seq (0: to the head), number = request
  kPullOk,       ///< conv low … seq = range that the answer speaks for, number; list rows;
                 ///< kTruncated: rows up to `phash` have expired
  kUserEvent,    ///< an event of the user's own log was applied: seq = useq
  kLoginInvoke,  ///< number = connection
  kLoginOk,      ///< number = connection, epoch() in phash, low = entry (0: unknown)
  kLoginFail,    ///< number = connection, code
  kClose,        ///< number = connection, code, by
  kRestart,      ///< the process was killed and started again on the same store
  kNewStore,     ///< started with an empty or an older store: nothing before counts as kept
  kReceipt,      ///< conv, seq = up to, uid = by; kReadMark: read, else delivered; device: if known
  kReadInvoke,   ///< own read mark, as the person moved it: conv seq
  kReadAsk,      ///< READ left the device: conv seq(= asked for), number = request
  kReadOk,       ///< its answer: conv seq(= the mark that the server has), number = request
  kUnread,       ///< counter on display: conv count
  kPresence,     ///< answer about uid: answer
  kMode,         ///< the server's mode as the device was told: code (kOk: normal)
  kEnd,          ///< last event: the history is whole; kDrained: it synced and pulled everything
};
inline constexpr int kEvents = static_cast<int>(Ev::kEnd) + 1;
/// "send.invoke", …: the word in files.
std::string_view event_name(Ev ev);

/// Flags of an event.
inline constexpr std::uint8_t kProvisional = 1;
inline constexpr std::uint8_t kRelayed = 2;
inline constexpr std::uint8_t kRepeat = 4;
inline constexpr std::uint8_t kFinal = 8;
inline constexpr std::uint8_t kReadMark = 16;
inline constexpr std::uint8_t kTruncated = 32;
inline constexpr std::uint8_t kTooFar = 64;
inline constexpr std::uint8_t kDrained = 128;

/// One event in 96 bytes: runs have millions. Which fields count is said at Ev.
struct Event {
  Nanos at = 0;
  ConversationId conv{};
  ClientMsgId cmid{};
  std::uint64_t seq = 0;
  std::uint64_t low = 0;
  std::uint64_t phash =
      0;  ///< first 8 bytes of the payload hash, big-endian; kLoginOk, kSyncOk, kPullOk: see there
  Uid uid{};
  std::uint32_t number = 0;
  std::uint32_t list_first = 0;  ///< into History::items
  std::uint32_t list_count = 0;
  Errc code = Errc::kOk;
  Ev ev = Ev::kEnd;
  std::uint8_t flags = 0;
  std::uint8_t from = 0;  ///< Shown, Via, Answer or ClosedBy; kReceipt: slot of the device
  std::uint8_t to = 0;    ///< Shown

  [[nodiscard]] bool has(std::uint8_t flag) const { return (flags & flag) != 0; }
  [[nodiscard]] Via via() const { return static_cast<Via>(from); }
  [[nodiscard]] Shown to_state() const { return static_cast<Shown>(to); }
  [[nodiscard]] Answer answer() const { return static_cast<Answer>(from); }
  [[nodiscard]] ClosedBy closed_by() const { return static_cast<ClosedBy>(from); }
  [[nodiscard]] Epoch epoch() const {
    return {static_cast<std::uint32_t>(phash >> 32), static_cast<std::uint32_t>(phash)};
  }
  /// kUnread: the counter, which may be wrong in any way.
  [[nodiscard]] std::int64_t count() const { return static_cast<std::int64_t>(seq); }
};
static_assert(sizeof(Event) <= 104);

/// A conversation with its head (SYNC) or a row (PULL).
struct Item {
  ConversationId conv{};
  std::uint64_t seq = 0;
  ClientMsgId cmid{};
};

/// The first 8 bytes of a payload hash.
[[nodiscard]] inline std::uint64_t short_hash(const PayloadHash& hash) {
  return get_be<std::uint64_t>(hash.data());
}

/// Everything that one device saw, in its order. Times do not fall. One thread.
class History {
 public:
  History() = default;
  explicit History(DeviceKey device) : device_(device) {}

  [[nodiscard]] const DeviceKey& device() const { return device_; }
  [[nodiscard]] const std::vector<Event>& events() const { return events_; }
  [[nodiscard]] std::vector<Event>& events() { return events_; }
  [[nodiscard]] std::span<const Item> items(const Event& e) const {
    return {items_.data() + e.list_first, e.list_count};
  }
  [[nodiscard]] std::vector<Item>& all_items() { return items_; }
  [[nodiscard]] bool has_end() const { return !events_.empty() && events_.back().ev == Ev::kEnd; }
  [[nodiscard]] bool is_drained() const { return has_end() && events_.back().has(kDrained); }
  /// Forgets what a writer has put into a file.
  void clear() {
    events_.clear();
    items_.clear();
  }

  Event& add(Event e) { return events_.emplace_back(e); }
  Event& add(Event e, std::span<const Item> list) {
    e.list_first = static_cast<std::uint32_t>(items_.size());
    e.list_count = static_cast<std::uint32_t>(list.size());
    items_.insert(items_.end(), list.begin(), list.end());
    return events_.emplace_back(e);
  }

  // ── sender ──────────────────────────────────────────────────────────────────────────────────
  /// Once per message, when it is in the outbox; again only when a person sends a refused or unsure
  /// one again. quoted: seq of the message that it answers, 0: none.
  void send_invoke(Nanos at, const ClientMsgId& id, ConversationId conv, std::uint64_t phash,
                   std::uint32_t kind = 1, std::uint64_t quoted = 0) {
    add({.at = at,
         .conv = conv,
         .cmid = id,
         .low = quoted,
         .phash = phash,
         .number = kind,
         .ev = Ev::kSendInvoke});
  }
  void send_stored(Nanos at, const ClientMsgId& id, ConversationId conv, Seq seq,
                   bool repeat = false) {
    add({.at = at,
         .conv = conv,
         .cmid = id,
         .seq = seq.value(),
         .ev = Ev::kSendOk,
         .flags = repeat ? kRepeat : std::uint8_t{0}});
  }
  void send_relayed(Nanos at, const ClientMsgId& id, ConversationId conv) {
    add({.at = at, .conv = conv, .cmid = id, .ev = Ev::kSendOk, .flags = kRelayed});
  }
  void send_fail(Nanos at, const ClientMsgId& id, ConversationId conv, Errc code, bool final) {
    add({.at = at,
         .conv = conv,
         .cmid = id,
         .code = code,
         .ev = Ev::kSendFail,
         .flags = final ? kFinal : std::uint8_t{0}});
  }
  void send_info(Nanos at, const ClientMsgId& id, ConversationId conv, Errc why) {
    add({.at = at, .conv = conv, .cmid = id, .code = why, .ev = Ev::kSendInfo});
  }
  void state(Nanos at, const ClientMsgId& id, Shown from, Shown to) {
    add({.at = at,
         .cmid = id,
         .ev = Ev::kState,
         .from = static_cast<std::uint8_t>(from),
         .to = static_cast<std::uint8_t>(to)});
  }

  // ── receiver ────────────────────────────────────────────────────────────────────────────────
  /// push_number 0 unless via push; seq 0 and provisional together.
  void recv(Nanos at, Via via, std::uint32_t push_number, ConversationId conv, Seq seq, Uid sender,
            const ClientMsgId& id, std::uint64_t phash, bool provisional = false) {
    add({.at = at,
         .conv = conv,
         .cmid = id,
         .seq = seq.value(),
         .phash = phash,
         .uid = sender,
         .number = push_number,
         .ev = Ev::kRecv,
         .flags = provisional ? kProvisional : std::uint8_t{0},
         .from = static_cast<std::uint8_t>(via)});
  }
  /// Own messages too, when they have their seq. seq 0: a provisional row.
  void persist(Nanos at, ConversationId conv, Seq seq, Uid sender, const ClientMsgId& id) {
    add({.at = at,
         .conv = conv,
         .cmid = id,
         .seq = seq.value(),
         .uid = sender,
         .ev = Ev::kPersist});
  }
  /// The run base+1 … have is on the device without a hole; after the commit that says so.
  void cursor(Nanos at, ConversationId conv, Seq base, Seq have) {
    add({.at = at, .conv = conv, .seq = have.value(), .low = base.value(), .ev = Ev::kCursor});
  }
  /// The rows from … to will not come. why: kOk expired (TRUNCATED), kTooFar not fetched because
  /// the device takes only the last rows of a conversation that is new to it.
  void gap(Nanos at, ConversationId conv, Seq from, Seq to, Errc why) {
    add({.at = at,
         .conv = conv,
         .seq = to.value(),
         .low = from.value(),
         .code = why,
         .ev = Ev::kGap});
  }
  /// conv {}: every conversation.
  void reset(Nanos at, ConversationId conv) { add({.at = at, .conv = conv, .ev = Ev::kReset}); }
  /// Not for messages that this device itself wrote.
  void show(Nanos at, ConversationId conv, Seq seq, Uid sender, const ClientMsgId& id,
            bool provisional = false) {
    add({.at = at,
         .conv = conv,
         .cmid = id,
         .seq = seq.value(),
         .uid = sender,
         .ev = Ev::kShow,
         .flags = provisional ? kProvisional : std::uint8_t{0}});
  }
  void move(Nanos at, ConversationId conv, Seq seq, Uid sender, const ClientMsgId& id) {
    add({.at = at, .conv = conv, .cmid = id, .seq = seq.value(), .uid = sender, .ev = Ev::kMove});
  }
  void ack(Nanos at, std::uint32_t push_number) {
    add({.at = at, .number = push_number, .ev = Ev::kAck});
  }
  void user_event(Nanos at, Useq useq) {
    add({.at = at, .seq = useq.value(), .ev = Ev::kUserEvent});
  }

  // ── sync and pull ───────────────────────────────────────────────────────────────────────────
  void sync_invoke(Nanos at, std::uint32_t request, std::int64_t since_ms) {
    add({.at = at,
         .low = static_cast<std::uint64_t>(since_ms),
         .number = request,
         .ev = Ev::kSyncInvoke});
  }
  /// All pages of one SYNC together, under the number of its first request.
  /// clock_steps: how often the store's clock had stepped back, as the answer says.
  void sync_ok(Nanos at, std::uint32_t request, std::int64_t new_since_ms, Useq useq,
               std::span<const Item> conversations, bool too_far = false,
               std::uint64_t clock_steps = 0) {
    add({.at = at,
         .seq = useq.value(),
         .low = static_cast<std::uint64_t>(new_since_ms),
         .phash = clock_steps,
         .number = request,
         .ev = Ev::kSyncOk,
         .flags = too_far ? kTooFar : std::uint8_t{0}},
        conversations);
  }
  void pull_invoke(Nanos at, std::uint32_t request, ConversationId conv, Seq from, Seq to) {
    add({.at = at,
         .conv = conv,
         .seq = to.value(),
         .low = from.value(),
         .number = request,
         .ev = Ev::kPullInvoke});
  }
  /// from … to: the range that the answer speaks for; when it was cut short by its size, up to its
  /// last row. truncated_to > 0: rows up to there have expired.
  void pull_ok(Nanos at, std::uint32_t request, ConversationId conv, Seq from, Seq to,
               std::span<const Item> rows, Seq truncated_to = {}) {
    add({.at = at,
         .conv = conv,
         .seq = to.value(),
         .low = from.value(),
         .phash = truncated_to.value(),
         .number = request,
         .ev = Ev::kPullOk,
         .flags = truncated_to.value() > 0 ? kTruncated : std::uint8_t{0}},
        rows);
  }

  // ── connection ──────────────────────────────────────────────────────────────────────────────
  void login_invoke(Nanos at, std::uint32_t connection) {
    add({.at = at, .number = connection, .ev = Ev::kLoginInvoke});
  }
  void login_ok(Nanos at, std::uint32_t connection, Epoch epoch, std::uint64_t entry = 0) {
    add({.at = at,
         .low = entry,
         .phash = std::uint64_t{epoch.auth} << 32 | epoch.conn,
         .number = connection,
         .ev = Ev::kLoginOk});
  }
  void login_fail(Nanos at, std::uint32_t connection, Errc code) {
    add({.at = at, .number = connection, .code = code, .ev = Ev::kLoginFail});
  }
  void close(Nanos at, std::uint32_t connection, Errc code, ClosedBy by) {
    add({.at = at,
         .number = connection,
         .code = code,
         .ev = Ev::kClose,
         .from = static_cast<std::uint8_t>(by)});
  }
  void restart(Nanos at) { add({.at = at, .ev = Ev::kRestart}); }
  void new_store(Nanos at) { add({.at = at, .ev = Ev::kNewStore}); }

  // ── the rest ────────────────────────────────────────────────────────────────────────────────
  void receipt(Nanos at, ConversationId conv, Seq up_to, Uid by, bool read) {
    add({.at = at,
         .conv = conv,
         .seq = up_to.value(),
         .uid = by,
         .ev = Ev::kReceipt,
         .flags = read ? kReadMark : std::uint8_t{0}});
  }
  void read_invoke(Nanos at, ConversationId conv, Seq seq) {
    add({.at = at, .conv = conv, .seq = seq.value(), .ev = Ev::kReadInvoke});
  }
  void read_ask(Nanos at, std::uint32_t request, ConversationId conv, Seq seq) {
    add({.at = at, .conv = conv, .seq = seq.value(), .number = request, .ev = Ev::kReadAsk});
  }
  void read_ok(Nanos at, std::uint32_t request, ConversationId conv, Seq seq) {
    add({.at = at, .conv = conv, .seq = seq.value(), .number = request, .ev = Ev::kReadOk});
  }
  void unread(Nanos at, ConversationId conv, std::int64_t count) {
    add({.at = at, .conv = conv, .seq = static_cast<std::uint64_t>(count), .ev = Ev::kUnread});
  }
  void presence(Nanos at, Uid about, Answer answer) {
    add({.at = at, .uid = about, .ev = Ev::kPresence, .from = static_cast<std::uint8_t>(answer)});
  }
  void mode(Nanos at, Errc mode) { add({.at = at, .code = mode, .ev = Ev::kMode}); }
  /// drained: after everything healed the device synced, pulled everything and its outbox settled
  /// or had its time to.
  void end(Nanos at, bool drained) {
    add({.at = at, .ev = Ev::kEnd, .flags = drained ? kDrained : std::uint8_t{0}});
  }

 private:
  DeviceKey device_;
  std::vector<Event> events_;
  std::vector<Item> items_;
};

/// "7.phone.1".
std::string device_text(const DeviceKey& device);

}  // namespace hy::judge

template <>
struct std::hash<hy::judge::DeviceKey> {
  std::size_t operator()(const hy::judge::DeviceKey& d) const noexcept {
    return hy::mix64(d.uid.value() ^
                     hy::mix64(std::uint64_t{d.device} << 8 | static_cast<std::uint8_t>(d.slot)));
  }
};
