#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// Metrics: relaxed atomics behind references that are taken once, at construction. Names start
/// with hy_, end in their unit (_total, _seconds, _bytes), labels are fixed at construction and
/// never hold a uid, gid, message id or address.
namespace hy::obs {

using Labels = std::vector<std::pair<std::string, std::string>>;

/// Only grows. Any thread; about 1 ns uncontended.
class Counter {
 public:
  void add(std::uint64_t n = 1) { value_.fetch_add(n, std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  alignas(64) std::atomic<std::uint64_t> value_{0};
};

/// Goes up and down. Any thread.
class Gauge {
 public:
  void set(std::int64_t v) { value_.store(v, std::memory_order_relaxed); }
  void add(std::int64_t n = 1) { value_.fetch_add(n, std::memory_order_relaxed); }
  void sub(std::int64_t n = 1) { value_.fetch_sub(n, std::memory_order_relaxed); }
  [[nodiscard]] std::int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  alignas(64) std::atomic<std::int64_t> value_{0};
};

/// Fixed buckets, upper bounds ascending; at most 24. Any thread.
class Histogram {
 public:
  static constexpr std::size_t kBucketsMax = 24;
  explicit Histogram(std::span<const double> bounds);
  void observe(double value);
  /// In seconds.
  template <class Rep, class Period>
  void observe(std::chrono::duration<Rep, Period> d) {
    observe(std::chrono::duration<double>(d).count());
  }
  struct Snapshot {
    std::vector<double> bounds;
    std::vector<std::uint64_t> cumulative;  ///< per bound, then one for +Inf
    std::uint64_t count = 0;
    double sum = 0;
  };
  [[nodiscard]] Snapshot snapshot() const;

 private:
  std::array<double, kBucketsMax> bounds_{};
  std::size_t n_ = 0;
  std::array<std::atomic<std::uint64_t>, kBucketsMax + 1> counts_{};
  std::atomic<double> sum_{0};
};

/// 0.1 ms … 10 s, about three a decade.
std::span<const double> latency_buckets();
/// 1, 2, 4 … 4096: batch widths, queue lengths.
std::span<const double> count_buckets();

enum class MetricType : std::uint8_t { kCounter, kGauge, kHistogram };

/// One series as read at scrape time.
struct Sample {
  Labels labels;
  double value = 0;
  Histogram::Snapshot histogram;
};
/// One name with all its series.
struct Family {
  std::string name;
  std::string help;
  MetricType type = MetricType::kCounter;
  std::vector<Sample> samples;
};

/// All metrics of one daemon. References stay valid as long as the registry lives. Registration:
/// any thread, at construction time (takes a lock); the same name and labels twice, a name with two
/// types, or a name that does not start with hy_ is a bug and ends the process.
class Registry {
 public:
  Registry() = default;
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  Counter& counter(std::string_view name, std::string_view help, Labels labels = {});
  Gauge& gauge(std::string_view name, std::string_view help, Labels labels = {});
  Histogram& histogram(std::string_view name, std::string_view help,
                       std::span<const double> bounds = latency_buckets(), Labels labels = {});
  /// Read at scrape time on the admin thread: `read` must be safe to call there, and must outlive
  /// no less than the registry.
  void gauge_fn(std::string_view name, std::string_view help, std::function<double()> read,
                Labels labels = {});
  /// The same for a value that only grows.
  void counter_fn(std::string_view name, std::string_view help, std::function<double()> read,
                  Labels labels = {});

  /// Any thread. Families and series in order of registration.
  [[nodiscard]] std::vector<Family> collect() const;
  /// "name type labels", one a line, sorted: what the golden list holds.
  [[nodiscard]] std::string list() const;

 private:
  struct Series {
    Labels labels;
    std::unique_ptr<Counter> counter{};
    std::unique_ptr<Gauge> gauge{};
    std::unique_ptr<Histogram> histogram{};
    std::function<double()> read{};
  };
  struct Entry {
    std::string name;
    std::string help;
    MetricType type;
    std::deque<Series> series;
  };
  Series& add(std::string_view name, std::string_view help, MetricType type, Labels labels);

  mutable std::mutex mutex_;
  std::deque<Entry> entries_;
};

}  // namespace hy::obs
