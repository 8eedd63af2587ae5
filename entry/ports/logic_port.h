#pragma once

#include <cstdint>

#include "entry/ports/traffic.h"

namespace hy::entry {

/// The entry's streams to the logics of its group, by their position in the topology. Loop thread.
class LogicPort {
 public:
  virtual ~LogicPort() = default;
  /// Precondition of the others: has_room(logic) was true in this turn. False while the stream is
  /// down or its queue is full.
  [[nodiscard]] virtual bool has_room(std::uint32_t logic) const = 0;
  /// One command under a correlation id. The answer comes back as Hub::on_reply with the same id.
  virtual void forward(std::uint32_t logic, std::uint64_t id, const Command& command,
                       Millis remaining) = 0;
  virtual void confirm(std::uint32_t logic, const Confirm& confirm) = 0;
  virtual void closed(std::uint32_t logic, ConnId conn, const Session& session) = 0;
};

}  // namespace hy::entry
