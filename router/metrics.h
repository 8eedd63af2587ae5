#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "common/base/clock.h"
#include "common/obs/metrics.h"
#include "router/deliver/deliver_fanout.h"
#include "router/lease/lease_table.h"
#include "router/link/router_link.h"
#include "router/placement/placement_table.h"
#include "router/ports/stats.h"

namespace hy::router {

/// Publishes what the cores count (router.md §21). publish() on the loop thread; reads anywhere.
class Metrics {
 public:
  explicit Metrics(obs::Registry& registry);

  struct Sources {
    const RouterStats& stats;
    const PlacementTable& table;
    const LeaseTable& leases;
    const RouterLink& link;
    const DeliverFanout& fanout;
    std::size_t logics = 0;
  };
  void publish(const Sources& sources, MonoTime now);

 private:
  struct Pair {
    obs::Counter* counter;
    std::uint64_t RouterStats::* field;
    std::uint64_t published = 0;
  };
  void add(obs::Registry& registry, const char* name, const char* help, obs::Labels labels,
           std::uint64_t RouterStats::* field);

  std::vector<Pair> counters_;
  obs::Gauge& sessions_;
  obs::Gauge& rows_;
  obs::Gauge& bytes_;
  obs::Gauge& ready_;
  obs::Gauge& warming_;
  obs::Gauge& entries_alive_;
  obs::Gauge& logics_;
  obs::Gauge& pending_;
  obs::Counter& wakes_;
  std::uint64_t wakes_published_ = 0;
  std::atomic<double> lease_age_{0};
};

}  // namespace hy::router
