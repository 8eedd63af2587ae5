#pragma once

#include <memory>
#include <string>

#include "common/flat/recycler.h"
#include "logic/command/client_body.h"
#include "logic/ports/reply_port.h"
#include "logic/session/session_fifo.h"

namespace hy::logic {

class Metrics;

/// One command on its way to exactly one answer, or, where the outcome is unknown, to none.
class Request {
 public:
  Request(RequestContext context, ReplyPort& replies, Metrics& metrics)
      : context_(std::move(context)), replies_(replies), metrics_(metrics) {}
  ~Request();
  Request(const Request&) = delete;
  Request& operator=(const Request&) = delete;
  static void* operator new(std::size_t) { return Recycler<sizeof(Request)>::take(); }
  static void operator delete(void* piece) noexcept { Recycler<sizeof(Request)>::give(piece); }

  [[nodiscard]] const RequestContext& context() const { return context_; }
  [[nodiscard]] CallContext call() const { return context_.call(); }
  /// From the grant, never from a body. Precondition: the command needs a session.
  [[nodiscard]] const SessionInfo& session() const { return *context_.session; }
  [[nodiscard]] Uid uid() const { return context_.session->uid; }

  void answer(Bytes body);
  void answer(Answer answer);
  /// retry_after 0 gets the usual wait of the code where its rule is "later".
  void refuse(const Error& error);
  void refuse(RefusalBody refusal, Errc close = Errc::kOk);
  /// The outcome is unknown: nothing may be said, the device sends the same id again.
  void leave_unanswered();

  /// Goes with the next answer: the entry takes this session in place of the one it holds.
  void renew(SessionInfo session) { renewed_ = std::move(session); }
  /// The place in the session's line; released when the write was issued.
  SessionFifo::Turn turn;

 private:
  RequestContext context_;
  ReplyPort& replies_;
  Metrics& metrics_;
  std::optional<SessionInfo> renewed_;
  bool is_done_ = false;
};
using RequestPtr = std::unique_ptr<Request>;

}  // namespace hy::logic
