#include "common/obs/metrics_export.h"

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <limits>

namespace hy::obs {
namespace {

prometheus::ClientMetric to_metric(const Sample& sample, MetricType type) {
  prometheus::ClientMetric out;
  for (const auto& [key, value] : sample.labels) {
    prometheus::ClientMetric::Label label;
    label.name = key;
    label.value = value;
    out.label.push_back(std::move(label));
  }
  switch (type) {
    case MetricType::kCounter: out.counter.value = sample.value; break;
    case MetricType::kGauge: out.gauge.value = sample.value; break;
    case MetricType::kHistogram: {
      const auto& h = sample.histogram;
      out.histogram.sample_count = h.count;
      out.histogram.sample_sum = h.sum;
      for (std::size_t i = 0; i < h.cumulative.size(); ++i) {
        prometheus::ClientMetric::Bucket bucket;
        bucket.cumulative_count = h.cumulative[i];
        bucket.upper_bound =
            i < h.bounds.size() ? h.bounds[i] : std::numeric_limits<double>::infinity();
        out.histogram.bucket.push_back(bucket);
      }
      break;
    }
  }
  return out;
}

/// The one collectable of a daemon: reads the registry when it is scraped.
class RegistryCollectable final : public prometheus::Collectable {
 public:
  explicit RegistryCollectable(const Registry& registry) : registry_(registry) {}
  [[nodiscard]] std::vector<prometheus::MetricFamily> Collect() const override {
    std::vector<prometheus::MetricFamily> out;
    for (const auto& family : registry_.collect()) {
      prometheus::MetricFamily made;
      made.name = family.name;
      made.help = family.help;
      made.type = family.type == MetricType::kCounter ? prometheus::MetricType::Counter
                  : family.type == MetricType::kGauge ? prometheus::MetricType::Gauge
                                                      : prometheus::MetricType::Histogram;
      for (const auto& sample : family.samples)
        made.metric.push_back(to_metric(sample, family.type));
      out.push_back(std::move(made));
    }
    return out;
  }

 private:
  const Registry& registry_;
};

}  // namespace

std::string prometheus_text(const Registry& registry) {
  return prometheus::TextSerializer().Serialize(RegistryCollectable(registry).Collect());
}

}  // namespace hy::obs
