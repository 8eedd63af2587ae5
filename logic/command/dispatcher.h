#pragma once

#include "common/flow/admission.h"
#include "logic/command/registry.h"
#include "logic/domain/grant.h"
#include "logic/session/auth_fence.h"
#include "logic/session/session_fifo.h"

namespace hy::logic {

/// From a forwarded frame to its handler. Order of checks: known command, body size, grant (who
/// asks is what the grant proves, never what a body says), rate, load, place in the session's line,
/// still worth doing, epoch fence.
class Dispatcher {
 public:
  struct Options {
    Millis queue_wait_max{2'000};  ///< waited longer than this in line: refused
    flow::Admission::Options admission{};
  };
  struct Ports {
    ReplyPort& replies;
    const Grants& grants;
    Rates& rates;
    AuthFence& fence;
    SessionFifo& fifo;
    const Clock& clock;
    Metrics& metrics;
  };
  Dispatcher(const Ports& ports, Commands commands, Options options)
      : p_(ports), commands_(commands), options_(options), admission_(options.admission) {}

  /// Loop thread. The answer goes to the reply port, now or later, or never when the outcome of the
  /// command is unknown.
  void dispatch(RequestContext context, std::string_view body);

 private:
  void wait_in_line(const CommandRow& row, RequestPtr request, std::string_view body);
  void fence(const CommandRow& row, RequestPtr request, std::string_view body, MonoTime now);
  void pass(const CommandRow& row, RequestPtr request, std::string_view body, bool is_stale);
  void start(const CommandRow& row, RequestPtr request, std::string_view body);

  Ports p_;
  Commands commands_;
  Options options_;
  flow::Admission admission_;
};

}  // namespace hy::logic
