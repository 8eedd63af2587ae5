#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/clock.h"
#include "common/base/ids.h"
#include "common/base/result.h"

/// What logic and its neighbours talk about, without any wire form.
namespace hy::logic {

/// Completion of a port call: called exactly once, on the loop thread, possibly from inside the
/// call that takes it.
template <class T>
using Done = std::move_only_function<void(Result<T>)>;

/// What every call to das carries.
struct CallContext {
  MonoTime deadline{};
  TraceId trace{};
};

struct StoredMessage {
  ConversationId conversation{};
  Seq seq{};
  Uid sender{};
  ClientMsgId client_msg_id{};
  std::uint32_t kind = 0;
  Bytes body{};
  std::int64_t server_ms = 0;
};

/// What logic judges a pair's message by. `a` is the smaller uid of the conversation id.
struct PairFacts {
  bool a_exists = false;
  bool b_exists = false;
  bool a_blocks_b = false;
  bool b_blocks_a = false;
  std::uint64_t member_version = 0;
};

struct GroupMember {
  Uid uid{};
  bool is_owner = false;
  Seq join_seq{};  ///< sees nothing below
  friend bool operator==(const GroupMember&, const GroupMember&) = default;
};

/// What logic judges a group's message by, and whom it pushes to.
struct GroupFacts {
  Gid gid{};  ///< 0: no such group
  std::string name{};
  std::vector<GroupMember> members{};  ///< ascending uid
  std::uint64_t member_version = 0;
};

struct ConversationRow {
  ConversationId conversation{};
  Seq head{};
  std::int64_t head_ms = 0;
  Seq read{};
  Seq peer_read{};
  std::uint32_t unread = 0;
  std::optional<StoredMessage> last{};
  std::string group_name{};  ///< groups
  Seq join_seq{};            ///< groups
};

struct UserEvent {
  Useq useq{};
  std::uint32_t kind = 0;  ///< hy.client.v1.UserEventKind
  ConversationId conversation{};
  Seq seq{};
  Uid peer{};
  bool on = false;
};

/// The store's life numbers: a change tells devices to compare everything again.
struct StoreMarks {
  std::uint64_t store_epoch = 0;
  std::uint64_t clock_steps = 0;
};

/// A session as the entry carries it and the grant proves it.
struct SessionInfo {
  Uid uid{};
  Slot slot = Slot::kNone;
  std::uint32_t auth_epoch = 0;
  std::uint32_t conn_counter = 0;
  std::int64_t grant_expires_s = 0;  ///< unix seconds
  std::array<std::uint8_t, 16> grant{};
  friend bool operator==(const SessionInfo&, const SessionInfo&) = default;
};

}  // namespace hy::logic
