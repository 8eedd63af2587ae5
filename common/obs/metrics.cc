#include "common/obs/metrics.h"

#include <algorithm>

#include "common/base/check.h"

namespace hy::obs {
namespace {

constexpr std::array kLatency{0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.02,
                              0.05,   0.1,     0.25,   0.5,   1.0,    2.5,   5.0,  10.0};
constexpr std::array kCount{1.0,   2.0,   4.0,   8.0,    16.0,   32.0,  64.0,
                            128.0, 256.0, 512.0, 1024.0, 2048.0, 4096.0};

std::string label_text(const Labels& labels) {
  std::string out = "{";
  for (const auto& [key, value] : labels) {
    if (out.size() > 1) out += ",";
    out.append(key).append("=\"").append(value).append("\"");
  }
  return out + "}";
}

std::string_view type_name(MetricType type) {
  switch (type) {
    case MetricType::kCounter: return "counter";
    case MetricType::kGauge: return "gauge";
    case MetricType::kHistogram: return "histogram";
  }
  return "unknown";
}

}  // namespace

std::span<const double> latency_buckets() {
  return kLatency;
}
std::span<const double> count_buckets() {
  return kCount;
}

Histogram::Histogram(std::span<const double> bounds) : n_(bounds.size()) {
  HY_CHECK(bounds.size() <= kBucketsMax && std::ranges::is_sorted(bounds));
  std::ranges::copy(bounds, bounds_.begin());
}

void Histogram::observe(double value) {
  // A bucket holds values up to and including its bound; what is above all goes to +Inf.
  const auto end = bounds_.begin() + static_cast<std::ptrdiff_t>(n_);
  const auto bucket =
      static_cast<std::size_t>(std::lower_bound(bounds_.begin(), end, value) - bounds_.begin());
  counts_[bucket].fetch_add(1, std::memory_order_relaxed);
  sum_.fetch_add(value, std::memory_order_relaxed);
}

Histogram::Snapshot Histogram::snapshot() const {
  Snapshot out;
  out.bounds.assign(bounds_.begin(), bounds_.begin() + static_cast<std::ptrdiff_t>(n_));
  for (std::size_t i = 0; i <= n_; ++i) {
    out.count += counts_[i].load(std::memory_order_relaxed);
    out.cumulative.push_back(out.count);
  }
  out.sum = sum_.load(std::memory_order_relaxed);
  return out;
}

Registry::Series& Registry::add(std::string_view name, std::string_view help, MetricType type,
                                Labels labels) {
  HY_CHECK(name.starts_with("hy_"));
  const std::lock_guard lock(mutex_);
  auto entry = std::ranges::find(entries_, name, &Entry::name);
  if (entry == entries_.end()) {
    entries_.push_back({std::string(name), std::string(help), type, {}});
    entry = std::prev(entries_.end());
  }
  HY_CHECK(entry->type == type);
  HY_CHECK(
      std::ranges::none_of(entry->series, [&](const Series& s) { return s.labels == labels; }));
  entry->series.push_back({.labels = std::move(labels)});
  return entry->series.back();
}

Counter& Registry::counter(std::string_view name, std::string_view help, Labels labels) {
  auto made = std::make_unique<Counter>();
  auto& out = *made;
  auto& series = add(name, help, MetricType::kCounter, std::move(labels));
  const std::lock_guard lock(mutex_);
  series.counter = std::move(made);
  return out;
}

Gauge& Registry::gauge(std::string_view name, std::string_view help, Labels labels) {
  auto made = std::make_unique<Gauge>();
  auto& out = *made;
  auto& series = add(name, help, MetricType::kGauge, std::move(labels));
  const std::lock_guard lock(mutex_);
  series.gauge = std::move(made);
  return out;
}

Histogram& Registry::histogram(std::string_view name, std::string_view help,
                               std::span<const double> bounds, Labels labels) {
  auto made = std::make_unique<Histogram>(bounds);
  auto& out = *made;
  auto& series = add(name, help, MetricType::kHistogram, std::move(labels));
  const std::lock_guard lock(mutex_);
  series.histogram = std::move(made);
  return out;
}

void Registry::gauge_fn(std::string_view name, std::string_view help, std::function<double()> read,
                        Labels labels) {
  auto& series = add(name, help, MetricType::kGauge, std::move(labels));
  const std::lock_guard lock(mutex_);
  series.read = std::move(read);
}

void Registry::counter_fn(std::string_view name, std::string_view help,
                          std::function<double()> read, Labels labels) {
  auto& series = add(name, help, MetricType::kCounter, std::move(labels));
  const std::lock_guard lock(mutex_);
  series.read = std::move(read);
}

std::vector<Family> Registry::collect() const {
  const std::lock_guard lock(mutex_);
  std::vector<Family> out;
  for (const auto& entry : entries_) {
    Family family{entry.name, entry.help, entry.type, {}};
    for (const auto& series : entry.series) {
      Sample sample;
      sample.labels = series.labels;
      if (series.counter) sample.value = static_cast<double>(series.counter->value());
      if (series.gauge) sample.value = static_cast<double>(series.gauge->value());
      if (series.histogram) sample.histogram = series.histogram->snapshot();
      if (series.read) sample.value = series.read();
      family.samples.push_back(std::move(sample));
    }
    out.push_back(std::move(family));
  }
  return out;
}

std::string Registry::list() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> lines;
  for (const auto& entry : entries_)
    for (const auto& series : entry.series)
      lines.push_back(entry.name + " " + std::string(type_name(entry.type)) + " " +
                      label_text(series.labels) + "\n");
  std::ranges::sort(lines);
  std::string out;
  for (const auto& line : lines) out += line;
  return out;
}

}  // namespace hy::obs
