#pragma once

#include <string>

#include "common/base/ids.h"

/// Every Redis key of this engine. Made from integers alone: nothing that a client wrote is part of
/// a key.
namespace hy::das::mysql::keys {

/// Change counter of a user: a value that was never told before, after each change. Expires after a
/// week unused.
inline std::string changes(Uid uid) {
  return "hy:c:" + std::to_string(uid.value());
}
/// Head of a conversation: "<head> <head_ms>". Expires 60 s after the database read or commit
/// behind it.
inline std::string head(const ConversationId& conv) {
  return "hy:h:" + std::to_string(conv.hi) + ":" + std::to_string(conv.lo);
}

}  // namespace hy::das::mysql::keys
