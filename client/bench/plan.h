#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/result.h"

namespace hy::bench {

/// What the machine allows, asked before the first connect.
struct MachineLimits {
  std::uint64_t descriptors = 0;    ///< of one process, after asking for the hard limit
  std::uint32_t port_low = 32'768;  ///< net.ipv4.ip_local_port_range
  std::uint32_t port_high = 60'999;
  unsigned cores = 1;
};
MachineLimits machine_limits();

/// How a run is spread.
struct Plan {
  unsigned workers = 1;
  std::uint64_t descriptors = 0;  ///< of one worker
  std::uint64_t ports = 0;        ///< of one source address to one entry
  std::uint64_t reachable = 0;    ///< connections that sources × ports × entries allow
  std::vector<std::string> sources;
  [[nodiscard]] std::string text(std::uint64_t conns, unsigned cores) const;
};

/// "127.0.0.2-127.0.0.33", "10.0.0.7", each as single addresses. Errors:
/// kUsage.
Result<std::vector<std::string>> expand_sources(const std::vector<std::string>& texts);

/// The arithmetic. `workers` 0: as few as hold the connections. Errors:
/// kLimitTooLow (which ceiling, and what lifts it), kUsage.
Result<Plan> make_plan(std::uint64_t conns, unsigned workers,
                       const std::vector<std::string>& sources, std::size_t entries,
                       const MachineLimits& limits);

}  // namespace hy::bench
