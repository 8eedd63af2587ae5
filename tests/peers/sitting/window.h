#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/peers/sitting/systems.h"

namespace hy::peers {

/// What one window of one system measured. CPU in µs a message; of a group, a delivery.
struct Window {
  std::string scenario;  ///< "busy", "many", "many/half", "even", "group"
  int round = 0;
  std::string system;
  double per_second = 0;
  std::map<std::string, double> process_us;
  double daemons_us = 0;
  double stores_us = 0;
  double generator_us = 0;
  double machine_us = 0;  ///< everything on the machine, the generator too
  /// Share of the machine's CPU time that went to none of the above: other programs, kernel
  /// threads.
  double others_percent = 0;
  double refused_percent = 0;  ///< refused and told to come again, of the done ones
  double p50_ms = 0;
  double p99_ms = 0;
};

/// What the connected clients of one system cost.
struct Logins {
  std::string system;
  std::size_t connections = 0;
  double seconds = 0;
  double cpu_us = 0;        ///< of the daemons and stores, a login
  double memory_bytes = 0;  ///< private memory of the daemons, an idle connection
};

/// A started system with its load programs.
class Contestant {
 public:
  Contestant(System system, const Place& place, std::size_t outstanding);
  Logins connect();
  /// Opens every conversation.
  void prime();
  /// Closed loop when `rate` is 0, else so many messages a second, open loop. Two seconds
  /// of warm-up.
  Window measure(double seconds, double rate);
  [[nodiscard]] const System& system() const { return system_; }
  /// Empty when every message came once and in order, and the archive holds all: else what is
  /// wrong.
  std::string verdict();
  [[nodiscard]] std::string ledger() const { return ledger_; }

 private:
  struct Sum;
  Sum ask(const std::string& line);
  [[nodiscard]] std::map<std::string, double> cpu() const;

  System system_;
  std::size_t connections_;
  std::vector<std::unique_ptr<LoadProcess>> loads_;
  std::uint64_t rows_before_ = 0;
  std::string ledger_;
};

}  // namespace hy::peers
