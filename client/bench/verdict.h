#pragma once

#include <string>
#include <vector>

namespace hy::bench {

/// What the generator says of itself over a window.
struct SelfMeasure {
  bool is_closed = false;
  bool has_local_server = false;  ///< the server's processes are known on this host
  double cpu_share = 0;           ///< of one core, the busiest worker, 0 … 1
  double lag_p99_ms = 0;          ///< open loop: send behind its intended time
  double backlog_growth = 0;      ///< due and not sent, a second
  double rate = 0;                ///< open loop: what was wanted, a second
  double wait_share = 0;          ///< of the time, the worker wanted a core and had none
  double foreign_share = 0;       ///< of the machine, programs that are neither side's
  double stolen_share = 0;        ///< of the machine, taken by the hypervisor
  std::uint64_t records_dropped = 0;
};

/// Bounds: above them the figures say something of the generator, not of the
/// server.
struct SelfBounds {
  double cpu_share = 0.70;
  double lag_p99_ms = 1.0;
  double backlog_share = 0.001;      ///< of the rate, growing a second
  double wait_share = 0.10;          ///< closed loop against a server elsewhere
  double foreign_share = 0.10;       ///< closed loop
  double foreign_share_open = 0.25;  ///< open loop: whoever is on time may still share the cores
  double stolen_share = 0.05;
};

/// Why no verdict can be given; empty: it can.
///
/// Open loop: CPU, lag and backlog, and programs that take so much of the machine that the figures
/// are theirs too. A closed loop has no schedule to be late
/// for: there the generator is the limit when its own core is full, or when it
/// waits for a core that programs other than the measured server hold. A server
/// on the same host may fill the machine: that is what is measured.
std::vector<std::string> no_verdict(const SelfMeasure& m, const SelfBounds& bounds = {});

}  // namespace hy::bench
