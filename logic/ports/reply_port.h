#pragma once

#include "logic/ports/types.h"

namespace hy::logic {

/// One forwarded command, from arrival to answer.
struct RequestContext {
  std::uint64_t stream = 0;  ///< which entry stream; numbers are never used twice
  EntryId entry{};
  std::uint64_t forward_id = 0;
  ConnId conn{};
  std::uint16_t type = 0;
  std::uint32_t request_id = 0;
  std::optional<SessionInfo> session{};  ///< as the entry sent it; checked by the dispatcher
  MonoTime arrival{};
  MonoTime deadline{};
  TraceId trace{};
  bool dyed = false;
  std::string peer_ip{};  ///< LOGIN only

  [[nodiscard]] CallContext call() const { return {deadline, trace}; }
};

/// What goes back for one command.
struct Answer {
  std::uint16_t type = 0;
  bool refused = false;
  Errc code = Errc::kOk;
  Bytes body{};
  std::optional<SessionInfo> session_opened{};  ///< login, or a renewed grant
  Errc close = Errc::kOk;                       ///< not kOk: the entry closes after sending
  bool no_compress = false;
  Millis heartbeat{0};
};

/// The entry streams. An answer for a stream that has ended is dropped. Thread: loop.
class ReplyPort {
 public:
  virtual ~ReplyPort() = default;
  virtual void reply(const RequestContext& context, Answer answer) = 0;
  /// There will be no answer: the outcome is unknown, or nobody waits any more.
  virtual void leave(const RequestContext& context) = 0;
};

}  // namespace hy::logic
