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

}  // namespace hy::das::mysql::keys
