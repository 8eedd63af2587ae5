#pragma once

#include "das/storage/types.h"

namespace hy::das {

/// A person's own events: low volume, followed by the other devices of the same person. Written by
/// the transactions that cause them (Membership); useq is dense, its head lies on the user's row
/// and is raised under that row's lock, so emptying the table never restarts it.
class UserLog {
 public:
  virtual ~UserLog() = default;
  /// Events with useq > after, ascending, at most `limit` (1 .. 500). too_far: the next one is
  /// gone, or `after` lies above the head (a restored store). Errors: kUnknownUser; message_log.h.
  virtual Result<UserEvents> read(Uid uid, Useq after, std::uint32_t limit) = 0;
};

}  // namespace hy::das
