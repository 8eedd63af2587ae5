#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "client/cli/process.h"
#include "common/base/clock.h"
#include "common/base/result.h"

namespace hy::cli {

/// A program that is kept running.
struct ServiceSpec {
  std::string name;  ///< "entry-a"; unique
  Command command;
  /// True when it can serve. Called again and again while it starts; must return within about
  /// 500 ms. `why` says what is missing.
  std::function<bool(std::string& why)> is_ready;
  int stop_signal = 15;
};

struct ServiceState {
  std::string name;
  pid_t pid = -1;  ///< -1: not running
  bool is_held = false;
  bool has_given_up = false;  ///< exit code 2: a configuration error does not mend itself
  int starts = 0;
  std::string last_exit;  ///< "killed by signal 9"; empty before the first end
  std::filesystem::path log;
  std::size_t resident = 0;
};

/// Keeps the daemons of one cluster running: starts them, restarts what ends by itself, stops them
/// in reverse order. One thread of its own starts and collects every program; when the process of
/// the supervisor dies, the kernel kills them all. All methods may be called from any thread.
class Supervisor {
 public:
  struct Options {
    Millis restart_after{300};  ///< from an end to the next start
    Millis stop_within{5'000};  ///< from the stop signal to SIGKILL
  };
  explicit Supervisor(Options options);
  Supervisor() : Supervisor(Options{}) {}
  ~Supervisor();  ///< stop()
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

  /// Starts a service. Errors: kChildFailed (the program cannot be executed).
  Status start(ServiceSpec spec);
  /// Waits until every named service (all of them when empty) is ready. Errors: kTimedOut or
  /// kChildFailed, with the name, what is missing and the end of its log.
  Status wait_ready(const std::vector<std::string>& names, Millis within);
  /// Sends a signal; returns false when it is not running. SIGKILL is followed by a restart.
  bool signal(const std::string& name, int number);
  /// Ends a service (with its stop signal, or `number`) and keeps it down until release().
  Status hold(const std::string& name, int number = 0);
  Status release(const std::string& name);
  /// Restart delay from now on: for scenes that want a daemon to stay away for a while.
  void set_restart_after(Millis delay);
  [[nodiscard]] std::vector<ServiceState> list() const;
  /// How often a service was started; 0: unknown.
  [[nodiscard]] int starts(const std::string& name) const;
  /// Stops everything, last started first, and waits. `hard`: SIGKILL at once.
  void stop(bool hard = false);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hy::cli
