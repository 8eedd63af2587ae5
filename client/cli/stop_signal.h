#pragma once

#include <functional>
#include <thread>

#include "client/cli/unique_fd.h"

namespace hy::cli {

/// Runs a function when SIGINT, SIGTERM or SIGHUP comes. Make it before any other thread, so that
/// all of them inherit the blocked signals.
class StopSignal {
 public:
  explicit StopSignal(std::function<void(int)> on_stop);
  ~StopSignal();
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;

 private:
  UniqueFd signals_;
  UniqueFd wake_;
  std::thread thread_;
};

}  // namespace hy::cli
