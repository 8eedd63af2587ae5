#include "router/metrics.h"

#include <utility>

namespace hy::router {
namespace {

constexpr char kState[] = "hy_router_replica_state";
constexpr char kStateHelp[] = "1 for the state that this replica is in";
constexpr char kAnswers[] = "hy_router_answers_total";
constexpr char kAnswersHelp[] = "Targets answered, by what could be said of them";
constexpr char kCorrections[] = "hy_router_corrections_total";
constexpr char kCorrectionsHelp[] = "Rows that turned out to be wrong and were corrected";

}  // namespace

Metrics::Metrics(obs::Registry& r)
    : sessions_(r.gauge("hy_router_sessions", "Live placements")),
      rows_(r.gauge("hy_router_rows", "Placements held, tombstones included")),
      bytes_(r.gauge("hy_router_placement_bytes", "Memory reserved for placements")),
      ready_(r.gauge(kState, kStateHelp, {{"state", "ready"}})),
      warming_(r.gauge(kState, kStateHelp, {{"state", "warming"}})),
      entries_alive_(r.gauge("hy_router_entries_alive", "Entries with a lease")),
      logics_(r.gauge("hy_router_logic_streams", "Logics that have said Hello")),
      pending_(r.gauge("hy_router_forwards_pending", "Forwards that wait for an entry's result")),
      wakes_(r.counter("hy_router_wakes_total", "Times this process found that it was stopped")) {
  using S = RouterStats;
  add(r, kAnswers, kAnswersHelp, {{"answer", "found"}}, &S::answers_found);
  add(r, kAnswers, kAnswersHelp, {{"answer", "offline"}}, &S::answers_offline);
  add(r, kAnswers, kAnswersHelp, {{"answer", "unknown"}}, &S::answers_unknown);
  add(r, kCorrections, kCorrectionsHelp, {{"reason", "no_conn"}}, &S::corrections_no_conn);
  add(r, kCorrections, kCorrectionsHelp, {{"reason", "superseded"}}, &S::corrections_superseded);
  add(r, "hy_router_digest_mismatch_total", "Digests that differed without a kick under way", {},
      &S::digest_mismatches);
  add(r, "hy_router_rows_malformed_total", "Rows dropped for an impossible uid or slot", {},
      &S::rows_malformed);
  add(r, "hy_router_ops_total", "Placement changes received", {}, &S::ops);
  add(r, "hy_router_snapshots_total", "Dumps asked for", {}, &S::snapshots);
  add(r, "hy_router_kicks_total", "Connections ordered closed", {}, &S::kicks);
  add(r, "hy_router_forwards_total", "Forwards sent to entries", {}, &S::forwards);
  add(r, "hy_router_results_late_total", "Results that nobody waited for any more", {},
      &S::results_late);
  add(r, "hy_router_refused_overload_total", "Targets answered unknown for a full queue", {},
      &S::refused_overload);
  r.gauge_fn("hy_router_lease_age_seconds", "Silence of the living entry that is silent longest",
             [this] { return lease_age_.load(std::memory_order_relaxed); });
}

void Metrics::add(obs::Registry& registry, const char* name, const char* help, obs::Labels labels,
                  std::uint64_t RouterStats::* field) {
  counters_.push_back({&registry.counter(name, help, std::move(labels)), field});
}

void Metrics::publish(const Sources& s, MonoTime now) {
  for (Pair& pair : counters_) {
    const std::uint64_t value = s.stats.*pair.field;
    pair.counter->add(value - std::exchange(pair.published, value));
  }
  wakes_.add(s.leases.wakes() - std::exchange(wakes_published_, s.leases.wakes()));
  sessions_.set(static_cast<std::int64_t>(s.table.live_rows()));
  rows_.set(static_cast<std::int64_t>(s.table.rows()));
  bytes_.set(static_cast<std::int64_t>(s.table.bytes()));
  ready_.set(s.link.is_ready() ? 1 : 0);
  warming_.set(s.link.is_ready() ? 0 : 1);
  pending_.set(static_cast<std::int64_t>(s.fanout.pending()));
  logics_.set(static_cast<std::int64_t>(s.logics));
  std::int64_t alive = 0;
  for (const EntryId entry : s.leases.entries()) {
    if (s.leases.state(entry) == LeaseState::kAlive) ++alive;
  }
  entries_alive_.set(alive);
  lease_age_.store(s.leases.age_max_seconds(now), std::memory_order_relaxed);
}

}  // namespace hy::router
