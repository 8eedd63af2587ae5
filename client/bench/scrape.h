#pragma once

#include "client/bench/target.h"

namespace hy::bench {

/// Transactions of all das and the messages in them, from their /metrics.
struct BatchCount {
  double batches = 0;
  double messages = 0;
};
/// Zeros when no das shows its metrics here.
BatchCount scrape_batches(const Target& target);
/// Messages per transaction between two readings; 0: not known.
double mean_batch(const BatchCount& before, const BatchCount& after);
/// The sum of all samples of `name` in a page of Prometheus text.
double sum_of(const std::string& page, const std::string& name);

}  // namespace hy::bench
