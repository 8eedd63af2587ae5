#pragma once

#include "logic/command/request.h"
#include "logic/delivery/deliverer.h"
#include "logic/ports/message_log_port.h"
#include "logic/session/change_counters.h"

namespace hy::logic {

/// PING: the heartbeat's answer carries the hints that repair what was lost: the user's change
/// counter, a poll interval while no router is READY, the store's mode.
class Ping {
 public:
  struct Options {
    Millis poll_min{5'000};  ///< while pushes may be missing: spread over users by their uid
    Millis poll_max{15'000};
  };
  Ping(ChangeCounters& counters, MessageLogPort& log, const Deliverer& deliverer,
       const Clock& clock, Options options)
      : counters_(counters), log_(log), deliverer_(deliverer), clock_(clock), options_(options) {}
  void run(RequestPtr request, std::string_view body);

 private:
  ChangeCounters& counters_;
  MessageLogPort& log_;
  const Deliverer& deliverer_;
  const Clock& clock_;
  Options options_;
};

}  // namespace hy::logic
