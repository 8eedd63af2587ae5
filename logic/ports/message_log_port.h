#pragma once

#include <memory>

#include "logic/ports/types.h"

namespace hy::logic {

struct AppendRequest {
  ConversationId conversation{};
  Uid sender{};
  ClientMsgId client_msg_id{};
  PayloadHash payload_hash{};
  std::uint32_t kind = 0;
  Bytes body{};
  bool countable = true;
  std::uint64_t member_version = 0;  ///< the one that the permission was judged by
  std::optional<ClientMsgId> after{};
  CallContext call;
  bool dyed = false;
  /// Members of a small group: their change counters rise with it. Null: a pair, or nobody.
  std::shared_ptr<const std::vector<Uid>> tell{};
};

struct Appended {
  Seq seq{};
  std::int64_t server_ms = 0;
  bool repeat = false;
  std::uint32_t lane_wait_us = 0;  ///< dyed only
  std::uint32_t commit_us = 0;     ///< dyed only
  std::uint32_t batch = 0;         ///< dyed only
};

struct PullQuery {
  Uid uid{};  ///< must be a member; the store checks it
  ConversationId conversation{};
  std::uint64_t from = 0;
  std::uint64_t to = 0;    ///< 0 = head
  std::uint32_t last = 0;  ///< > 0: the last so many up to `to`
};
struct Slice {
  std::vector<StoredMessage> messages{};  ///< ascending seq
  Seq head{};
  bool more = false;
  std::uint64_t truncated_to = 0;
};

struct FindQuery {
  Uid uid{};
  ConversationId conversation{};
  Uid sender{};
  std::optional<ClientMsgId> client_msg_id{};
  std::uint64_t seq = 0;
};
struct Found {
  StoredMessage message;  ///< without body
  Seq peer_read{};
};

struct ReadMarked {
  Seq read{};
  bool changed = false;
  Useq useq{};
};

struct ConversationsQuery {
  Uid uid{};
  std::int64_t since_ms = 0;
  std::uint64_t useq = 0;
  std::optional<ConversationId> page_after{};
  std::uint32_t limit = 0;
  bool newest_first = false;
  std::int64_t before_ms = 0;
  bool with_events = false;
};
struct Conversations {
  std::vector<ConversationRow> rows{};
  std::vector<UserEvent> events{};
  std::int64_t store_ms = 0;
  Useq useq{};
  bool more = false;
  bool too_far = false;
  StoreMarks marks{};
  std::uint64_t change_counter = 0;
};

/// The log of messages, as das keeps it. Thread: loop. Failures: kStoreDown, kStoreFull (not done);
/// kUnavailable, kDeadlineExceeded, kOutcomeUnknown (an append may have happened).
class MessageLogPort {
 public:
  virtual ~MessageLogPort() = default;
  /// Appends one message and gives it its seq. Durable: a value comes only from das's own answer,
  /// which it gives after COMMIT. Idempotent by (conversation, sender, client_msg_id); retried once
  /// elsewhere with the same id. Calls for one conversation reach its lane in the order issued.
  /// Further errors: kConflict, kGap, kMembersChanged, kNotMember (all: not done).
  /// With no das at all: kStoreDown.
  virtual void append(std::shared_ptr<const AppendRequest> request, Done<Appended> done) = 0;
  virtual void pull(const PullQuery& query, CallContext call, Done<Slice> done) = 0;
  /// kMessageNotFound, kNotMember.
  virtual void find(const FindQuery& query, CallContext call, Done<Found> done) = 0;
  /// The stored mark becomes the greatest of old and new. kNotMember, kCursorAhead.
  virtual void mark_read(Uid uid, ConversationId conversation, Seq seq, CallContext call,
                         Done<ReadMarked> done) = 0;
  virtual void list(const ConversationsQuery& query, CallContext call,
                    Done<Conversations> done) = 0;
  /// Same order as `uids`; 0 = not known.
  virtual void change_counters(const std::vector<Uid>& uids, CallContext call,
                               Done<std::vector<std::uint64_t>> done) = 0;
  /// False while no das is reachable, or each one that is says that its store is down.
  [[nodiscard]] virtual bool store_up() const = 0;
  /// As last told by a das.
  [[nodiscard]] virtual StoreMarks marks() const = 0;
};

}  // namespace hy::logic
