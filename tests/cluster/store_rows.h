#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <vector>

#include "common/base/ids.h"
#include "common/base/result.h"

namespace hy::chaos {

/// A row of table `message`.
struct StoredRow {
  ConversationId conversation;
  Seq seq;
  Uid sender;
  ClientMsgId client_msg_id;
  Bytes body;
  PayloadHash payload_hash{};
  std::int64_t server_ms = 0;
  bool countable = true;
};
/// A row of table `user_conv`.
struct StoredMember {
  Uid uid;
  ConversationId conversation;
  Seq joined;
  Seq left;  ///< 0: still a member
  Seq read;
};
struct StoredRows {
  std::vector<StoredRow> messages;  ///< by conversation, then seq
  std::map<ConversationId, Seq> heads;
  std::vector<StoredMember> members;
};

/// The embedded engine's file, also while das has it open.
Result<StoredRows> read_embedded(const std::filesystem::path& file);
/// The database of a private store (client/cli/private_store.h) in `folder`, while it runs.
Result<StoredRows> read_mysql(const std::filesystem::path& folder);

}  // namespace hy::chaos
