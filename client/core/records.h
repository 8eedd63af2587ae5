#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "client/sdk/hongyan.hpp"
#include "common/base/secret.h"

/// What a device keeps on disk, and the writes that change it. All writes of one turn are one
/// transaction, and nothing of the turn leaves the device before that transaction is on disk.
namespace hy::client {

/// The one row about the device itself.
struct DeviceRecord {
  Uid uid{};
  std::string name;
  std::string device_id;
  Secret token;  ///< session token of the last password login
  std::uint32_t auth_epoch = 0;
  std::uint32_t conn_counter = 0;  ///< +1 on disk before each attempt to connect
  std::int64_t since = 0;          ///< cursor of SYNC
  Useq useq{};
  std::uint64_t store_epoch = 0;  ///< 0: not told yet
  std::uint64_t clock_steps = 0;
  std::string last_entry;  ///< the last address that a login succeeded at
};

/// A conversation as this device has it: the rows base+1 .. have are there without a hole.
struct ConversationRecord {
  ConversationId conversation;
  Seq base{};  ///< rows up to here were not fetched, or have expired
  Seq have{};
  Seq head{};  ///< largest seq heard of
  std::int64_t head_ms = 0;
  Seq read{};         ///< own mark, as far as the server confirmed it
  Seq read_wanted{};  ///< own mark as the person set it; sent until confirmed
  Seq peer_read{};
  Seq peer_delivered{};
};

struct OutboxRecord {
  ClientMsgId id;
  ConversationId conversation;
  Uid to;  ///< 0: a group
  std::uint32_t kind = 1;
  Bytes body;
  std::uint64_t order = 0;      ///< 1, 2, 3 … per device: the order of the person
  std::int64_t created_ms = 0;  ///< wall clock, to tell how old it is after a restart
  Step step = Step::kQueued;    ///< kQueued, kRelayed, kRefused or kUnsure
  Errc code = Errc::kOk;
};

struct PutDevice {
  DeviceRecord record;
};
struct PutOutbox {
  OutboxRecord record;
};
struct SetOutboxStep {
  ClientMsgId id;
  Step step;
  Errc code;
};
struct DropOutbox {
  ClientMsgId id;
};
/// Inserts a message unless (conversation, sender, client_msg_id) is there. A provisional row that
/// is there and now has a seq takes its place.
struct PutRow {
  Message message;
};
struct PutConversation {
  ConversationRecord record;
};
/// The server's log was set back: rows of the conversation give up their seqs and keep their ids,
/// so that what comes again is recognised and not shown again.
struct ForgetSeqs {
  ConversationId conversation;
};
struct PutName {
  std::string name;
  Uid uid;
};
using Write = std::variant<PutDevice, PutOutbox, SetOutboxStep, DropOutbox, PutRow, PutConversation,
                           ForgetSeqs, PutName>;

/// What became of a PutRow.
enum class RowFate : std::uint8_t {
  kNew,
  kKnown,  ///< it was there: not shown again
  kMoved,  ///< it was there as provisional and has its seq now
};

/// Everything that the cores need after a start.
struct Snapshot {
  DeviceRecord device;
  std::vector<ConversationRecord> conversations;
  std::vector<OutboxRecord> outbox;  ///< ascending order
};

}  // namespace hy::client
