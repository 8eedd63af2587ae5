#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "client/core/ack_patience.h"
#include "client/core/outbox.h"
#include "client/sdk/hongyan.hpp"
#include "common/base/secret.h"

/// Client bodies as domain structs and back. Everything that a server may fill is judged here:
/// numbers above 2^63-1, ids of a wrong length and bodies that do not parse give kMalformedBody.
namespace hy::client {

/// Inner types, as in command.proto.
struct Type {
  static constexpr std::uint16_t kLogin = 0x0001;
  static constexpr std::uint16_t kLogout = 0x0002;
  static constexpr std::uint16_t kPing = 0x0003;
  static constexpr std::uint16_t kSend = 0x0101;
  static constexpr std::uint16_t kPushAck = 0x0102;
  static constexpr std::uint16_t kRead = 0x0103;
  static constexpr std::uint16_t kMessageState = 0x0104;
  static constexpr std::uint16_t kSync = 0x0201;
  static constexpr std::uint16_t kPull = 0x0202;
  static constexpr std::uint16_t kHistory = 0x0203;
  static constexpr std::uint16_t kRecents = 0x0204;
  static constexpr std::uint16_t kUserLookup = 0x0301;
  static constexpr std::uint16_t kBlock = 0x0302;
  static constexpr std::uint16_t kGroupCreate = 0x0401;
  static constexpr std::uint16_t kGroupInfo = 0x0402;
  static constexpr std::uint16_t kGroupChange = 0x0403;
  static constexpr std::uint16_t kPush = 0x4001;
  static constexpr std::uint16_t kReceipt = 0x4002;
  static constexpr std::uint16_t kKicked = 0x4003;
  static constexpr std::uint16_t kSyncHint = 0x4004;
  static constexpr std::uint16_t kGoAway = 0x4005;
  static constexpr std::uint16_t kReadMark = 0x4006;
  static constexpr std::uint16_t kStoreBack = 0x4007;
};

struct LoginFields {
  Uid uid{};
  std::string name;
  Secret password;
  Secret token;
  Slot slot = Slot::kDesktop;
  std::string device_id;
  std::string device_name;
  std::uint32_t conn_counter = 0;
};
[[nodiscard]] Bytes encode_login(const LoginFields& fields);

struct LoginAnswered {
  Uid uid;
  std::string name;
  std::uint32_t auth_epoch = 0;
  std::uint32_t conn_counter = 0;
  Secret session_token;
  Millis heartbeat{0};
  Millis storm_window{0};
  std::uint64_t change_counter = 0;
  std::uint64_t store_epoch = 0;
  std::uint64_t clock_steps = 0;
  std::vector<std::string> entries;
  bool registration_partial = false;
  AckTerms ack;
};
[[nodiscard]] Result<LoginAnswered> decode_login(ByteView body);

struct Pong {
  std::uint64_t change_counter = 0;
  Millis poll{0};
  bool is_store_down = false;
};
[[nodiscard]] Result<Pong> decode_pong(ByteView body);

[[nodiscard]] Bytes encode_send(const SendOrder& order);
[[nodiscard]] Result<SendOutcome> decode_send(ByteView body);

/// One row; `mine` is left to the caller.
[[nodiscard]] Result<Message> decode_push(ByteView body);

struct ReceiptRow {
  ConversationId conversation;
  Seq up_to;
  Uid by;
  bool read = false;
};
[[nodiscard]] Result<std::vector<ReceiptRow>> decode_receipts(ByteView body);

[[nodiscard]] Bytes encode_sync(std::int64_t since, Useq useq,
                                const std::optional<ConversationId>& page_after);
struct UserEventRow {
  enum class Kind : std::uint8_t { kOther, kRead };
  Kind kind = Kind::kOther;
  Useq useq;
  ConversationId conversation{};
  Seq seq{};
};
struct SyncAnswered {
  std::vector<ConversationInfo> conversations;
  std::vector<UserEventRow> events;
  std::int64_t since = 0;
  Useq useq{};
  bool more = false;
  std::uint64_t store_epoch = 0;
  std::uint64_t clock_steps = 0;
  std::uint64_t change_counter = 0;
  bool too_far = false;
};
[[nodiscard]] Result<SyncAnswered> decode_sync(ByteView body);

[[nodiscard]] Bytes encode_pull(ConversationId conversation, Seq from, Seq to);
[[nodiscard]] Bytes encode_history(ConversationId conversation, Seq from, Seq to,
                                   std::uint32_t last);
struct PullAnswered {
  ConversationId conversation;
  std::vector<Message> messages;  ///< ascending seq, all of `conversation`, none provisional
  Seq head;
  bool more = false;
  Seq truncated_to;
};
[[nodiscard]] Result<PullAnswered> decode_pull(ByteView body);

[[nodiscard]] Bytes encode_read(ConversationId conversation, Seq seq);
[[nodiscard]] Result<Seq> decode_read(ByteView body);
struct ReadMarkRow {
  ConversationId conversation;
  Seq read;
};
[[nodiscard]] Result<ReadMarkRow> decode_read_mark(ByteView body);

[[nodiscard]] Bytes encode_recents(std::uint32_t limit);
[[nodiscard]] Result<std::vector<ConversationInfo>> decode_recents(ByteView body);
[[nodiscard]] Bytes encode_lookup(const std::vector<std::string>& names,
                                  const std::vector<Uid>& uids);
[[nodiscard]] Result<std::vector<std::pair<Uid, std::string>>> decode_lookup(ByteView body);
[[nodiscard]] Bytes encode_block(Uid uid, bool on);
[[nodiscard]] Bytes encode_message_state(ConversationId conversation, const ClientMsgId& id,
                                         Seq seq);
[[nodiscard]] Result<std::pair<Message, Seq>> decode_message_state(ByteView body);

struct GoAwayRow {
  Errc code = Errc::kDraining;
  Millis wait_max{0};
  std::vector<std::string> entries;
};
[[nodiscard]] Result<GoAwayRow> decode_goaway(ByteView body);

}  // namespace hy::client
