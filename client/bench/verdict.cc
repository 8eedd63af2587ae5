#include "client/bench/verdict.h"

#include <fmt/format.h>

namespace hy::bench {

std::vector<std::string> no_verdict(const SelfMeasure& m, const SelfBounds& bounds) {
  std::vector<std::string> out;
  if (m.cpu_share > bounds.cpu_share)
    out.push_back(fmt::format("generator CPU {:.0f} % of its core > {:.0f} %", m.cpu_share * 100,
                              bounds.cpu_share * 100));
  if (!m.is_closed && m.lag_p99_ms > bounds.lag_p99_ms)
    out.push_back(
        fmt::format("send lag p99 {:.1f} ms > {:.1f} ms", m.lag_p99_ms, bounds.lag_p99_ms));
  if (!m.is_closed && m.backlog_growth > bounds.backlog_share * m.rate)
    out.push_back(
        fmt::format("the generator falls behind by {:.0f} sends a second", m.backlog_growth));
  if (m.is_closed && !m.has_local_server && m.wait_share > bounds.wait_share)
    out.push_back(
        fmt::format("the generator waited for a core {:.0f} % of the time", m.wait_share * 100));
  if (m.foreign_share > (m.is_closed ? bounds.foreign_share : bounds.foreign_share_open))
    out.push_back(
        fmt::format("other programs took {:.0f} % of the machine", m.foreign_share * 100));
  if (m.stolen_share > bounds.stolen_share)
    out.push_back(fmt::format("the hypervisor took {:.0f} % of the machine", m.stolen_share * 100));
  if (m.records_dropped > 0)
    out.push_back(fmt::format("{} records did not fit into memory: not every message was checked",
                              m.records_dropped));
  return out;
}

}  // namespace hy::bench
