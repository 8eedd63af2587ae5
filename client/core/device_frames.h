#pragma once

#include "client/core/turn.h"
#include "common/wire/inner.h"

/// Shared by the two halves of Device: device.cc has its life, device_frames.cc what arrives.
namespace hy::client {

/// An event of the ladder, at `now`, with nothing else filled in.
[[nodiscard]] inline LadderEvent event_at(LadderEvent::Kind kind, MonoTime now) {
  LadderEvent event{};
  event.kind = kind;
  event.at_us = to_us(now);
  return event;
}

/// Inner type of the acknowledgement of a request.
[[nodiscard]] constexpr std::uint16_t type_of_ack(std::uint16_t request) {
  return static_cast<std::uint16_t>(request | wire::kTypeAck);
}

}  // namespace hy::client
