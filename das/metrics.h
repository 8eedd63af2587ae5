#pragma once

#include <array>
#include <map>
#include <string>

#include "common/obs/metrics.h"
#include "das/rpc/logic_service.h"
#include "das/storage/measured_engine.h"

namespace hy::das {

/// Every metric of hy-das. Any thread unless said otherwise.
class Metrics final : public OpObserver, public ServiceMetrics {
 public:
  Metrics(obs::Registry& registry, const std::string& engine);

  void op_done(StoreOp op, Errc code, std::chrono::nanoseconds spent) override;
  void counters_read(std::size_t known, std::size_t unknown) override;
  void append_answered(Errc code) override;
  void call_answered(Errc code) override;
  void streams(std::size_t open) override;

  void batch_done(std::size_t rows, bool fast, std::chrono::nanoseconds spent);
  void repeats(std::size_t count) { repeats_.add(count); }
  void conflicts(std::size_t count) { conflicts_.add(count); }
  void lane_waited(std::chrono::nanoseconds in_queue) { lane_wait_.observe(in_queue); }
  void commits_resolved(std::size_t count) { resolved_.add(count); }
  void clock_stepped() { clock_steps_.add(); }
  void lane_failed() { lane_failures_.add(); }
  void store_up(bool up) { store_up_.set(up ? 1 : 0); }
  void durable(bool ok) { durable_.set(ok ? 1 : 0); }
  void schema(std::uint32_t current, std::uint32_t expected);
  void queued(std::size_t count) { queued_.set(static_cast<std::int64_t>(count)); }

 private:
  obs::Counter& answers(const char* kind, Errc code);

  obs::Registry& registry_;
  std::array<obs::Histogram*, kStoreOps> op_seconds_{};
  std::array<obs::Counter*, kStoreOps> op_failures_{};
  obs::Histogram& commit_seconds_;
  obs::Histogram& batch_rows_;
  obs::Histogram& lane_wait_;
  obs::Counter& fast_batches_;
  obs::Counter& slow_batches_;
  obs::Counter& repeats_;
  obs::Counter& conflicts_;
  obs::Counter& resolved_;
  obs::Counter& clock_steps_;
  obs::Counter& lane_failures_;
  obs::Counter& cache_hits_;
  obs::Counter& cache_misses_;
  obs::Gauge& store_up_;
  obs::Gauge& durable_;
  obs::Gauge& schema_version_;
  obs::Gauge& schema_expected_;
  obs::Gauge& queued_;
  obs::Gauge& streams_;
  /// By code, made on first sight (loop thread alone): the table of codes bounds them.
  std::map<std::pair<std::string_view, Errc>, obs::Counter*> answers_;
  obs::Counter* append_ok_ = nullptr;  ///< the one of every message
};

}  // namespace hy::das
