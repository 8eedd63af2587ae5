#pragma once

#include "common/base/ids.h"
#include "common/base/random.h"

namespace hy::client {

/// A new client_msg_id in the layout of UUID version 7 (RFC 9562 §5.7): 48 bits of unix
/// milliseconds, big-endian, then 74 random bits around version and variant. Ids made at about the
/// same time are neighbours in the stores' unique index, whoever made them, so an append touches
/// few of its pages. Nothing rests on the time: a wrong clock costs that locality alone, and two
/// ids of one device in one millisecond are told apart by their random bits. A time before 1970
/// counts as 0.
[[nodiscard]] inline ClientMsgId make_message_id(std::int64_t wall_ms, Random& random) {
  ClientMsgId id;
  random.fill(id.bytes);
  const std::uint64_t ms = wall_ms < 0 ? 0 : static_cast<std::uint64_t>(wall_ms);
  for (std::size_t i = 0; i < 6; ++i)
    id.bytes.at(i) = static_cast<std::uint8_t>(ms >> (40U - 8U * i));
  id.bytes[6] = static_cast<std::uint8_t>(0x70U | (id.bytes[6] & 0x0FU));
  id.bytes[8] = static_cast<std::uint8_t>(0x80U | (id.bytes[8] & 0x3FU));
  return id;
}

}  // namespace hy::client
