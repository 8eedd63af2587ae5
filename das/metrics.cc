#include "das/metrics.h"

namespace hy::das {
namespace {

constexpr char kBatches[] = "hy_das_batches_total";
constexpr char kBatchesHelp[] =
    "Batches of appends, by path; many slow ones mean repeats or stale rights";
constexpr char kCache[] = "hy_das_cache_total";
constexpr char kCacheHelp[] =
    "Change counters asked of the cache; misses cost a SYNC, never a message";

}  // namespace

Metrics::Metrics(obs::Registry& r, const std::string& engine)
    : registry_(r),
      commit_seconds_(
          r.histogram("hy_das_commit_seconds",
                      "From the begin of a batch of appends to its answers; look at the "
                      "disk when it grows")),
      batch_rows_(
          r.histogram("hy_das_batch_rows", "Messages in one transaction", obs::count_buckets())),
      lane_wait_(
          r.histogram("hy_das_lane_wait_seconds",
                      "Time an append waited for its lane; above 0.1 the store is too slow")),
      fast_batches_(r.counter(kBatches, kBatchesHelp, {{"path", "fast"}})),
      slow_batches_(r.counter(kBatches, kBatchesHelp, {{"path", "slow"}})),
      repeats_(r.counter("hy_msg_repeats_total",
                         "Appends whose message was stored already; many mean lost answers")),
      conflicts_(r.counter("hy_msg_conflicts_total",
                           "Appends that reused an id with another payload: a client bug")),
      resolved_(r.counter("hy_das_unknown_resolved_total",
                          "Appends whose COMMIT had no answer and whose outcome became known")),
      clock_steps_(r.counter("hy_das_clock_steps_total",
                             "Times the store's clock stepped back; mend its time service")),
      lane_failures_(r.counter("hy_das_lane_failures_total",
                               "Times a writer lost the store or could not reach it")),
      cache_hits_(r.counter(kCache, kCacheHelp, {{"cache", "counters"}, {"result", "hit"}})),
      cache_misses_(r.counter(kCache, kCacheHelp, {{"cache", "counters"}, {"result", "miss"}})),
      store_up_(r.gauge("hy_das_store_up", "1 while messages can be stored", {{"store", engine}})),
      durable_(r.gauge("hy_das_durability_ok",
                       "1 while STORED means on disk; 0: mend the store's settings at once")),
      schema_version_(r.gauge("hy_das_schema_version", "Schema steps applied to the store")),
      schema_expected_(r.gauge("hy_das_schema_expected", "Schema steps that this das knows")),
      queued_(r.gauge("hy_das_queued", "Requests that wait for a lane or a reader")),
      streams_(r.gauge("hy_das_logic_streams", "Logics connected")) {
  for (std::size_t i = 0; i < kStoreOps; ++i) {
    const std::string op(op_name(static_cast<StoreOp>(i)));
    op_seconds_[i] = &r.histogram("hy_das_op_seconds", "Time of one operation of the engine",
                                  obs::latency_buckets(), {{"op", op}, {"engine", engine}});
    op_failures_[i] = &r.counter("hy_das_op_failures_total",
                                 "Operations of the engine that gave an error or a refusal",
                                 {{"op", op}, {"engine", engine}});
  }
}

void Metrics::op_done(StoreOp op, Errc code, std::chrono::nanoseconds spent) {
  const auto index = static_cast<std::size_t>(op);
  op_seconds_[index]->observe(spent);
  if (code != Errc::kOk) op_failures_[index]->add();
}

void Metrics::counters_read(std::size_t known, std::size_t unknown) {
  cache_hits_.add(known);
  cache_misses_.add(unknown);
}

obs::Counter& Metrics::answers(const char* kind, Errc code) {
  auto& slot = answers_[{kind, code}];
  if (slot == nullptr)
    slot = &registry_.counter("hy_das_answers_total", "Answers to logics, by code",
                              {{"kind", kind}, {"code", std::string(error_info(code).name)}});
  return *slot;
}

void Metrics::append_answered(Errc code) {
  if (code != Errc::kOk) {
    answers("append", code).add();
    return;
  }
  if (append_ok_ == nullptr) append_ok_ = &answers("append", code);
  append_ok_->add();
}
void Metrics::call_answered(Errc code) {
  answers("call", code).add();
}
void Metrics::streams(std::size_t open) {
  streams_.set(static_cast<std::int64_t>(open));
}

void Metrics::batch_done(std::size_t rows, bool fast, std::chrono::nanoseconds spent) {
  commit_seconds_.observe(spent);
  batch_rows_.observe(static_cast<double>(rows));
  (fast ? fast_batches_ : slow_batches_).add();
}

void Metrics::schema(std::uint32_t current, std::uint32_t expected) {
  schema_version_.set(current);
  schema_expected_.set(expected);
}

}  // namespace hy::das
