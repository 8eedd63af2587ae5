#pragma once

#include "common/base/ids.h"

/// Ids into the fields of messages that are used again and again: the bytes go where the last
/// message's were, no string is made for them.
namespace hy::logic {

inline void put_id(ConversationId id, Bytes& out) {
  out.resize(16);
  put_be(reinterpret_cast<std::uint8_t*>(out.data()), id.hi);
  put_be(reinterpret_cast<std::uint8_t*>(out.data()) + 8, id.lo);
}

inline void put_id(const ClientMsgId& id, Bytes& out) {
  out.assign(as_text(id.bytes));
}

}  // namespace hy::logic
