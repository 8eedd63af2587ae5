#pragma once

#include <map>
#include <string>

#include "client/bench/target.h"

namespace hy::bench {

/// Transactions of all das and the messages in them, from their /metrics.
struct BatchCount {
  double batches = 0;
  double messages = 0;
};
/// Zeros when no das shows its metrics here.
BatchCount scrape_batches(const Target& target);
/// Messages between daemons and the envelopes in them, by "entry-a
/// /hy.logic.v1.EntryStream/Session".
std::map<std::string, BatchCount> scrape_links(const Target& target);
/// Operations that the stores behind all das made so far, by name.
std::map<std::string, double> scrape_operations(const Target& target);
/// Messages per transaction between two readings; 0: not known.
double mean_batch(const BatchCount& before, const BatchCount& after);
/// The samples of `name` in a page of Prometheus text, by the value of `label`.
std::map<std::string, double> samples_of(const std::string& page, const std::string& name,
                                         const std::string& label);
/// The sum of all samples of `name` in a page of Prometheus text.
double sum_of(const std::string& page, const std::string& name);

}  // namespace hy::bench
