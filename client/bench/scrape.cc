#include "client/bench/scrape.h"

#include <cstdlib>
#include <sstream>

#include "common/http/http_get.h"

namespace hy::bench {
namespace {

constexpr Millis kScrapeWithin{500};

}  // namespace

double sum_of(const std::string& page, const std::string& name) {
  double out = 0;
  std::istringstream lines(page);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(name)) continue;
    const char next = line.size() > name.size() ? line[name.size()] : ' ';
    const std::size_t space = line.rfind(' ');
    if ((next == ' ' || next == '{') && space != std::string::npos)
      out += std::strtod(line.c_str() + space, nullptr);
  }
  return out;
}

std::map<std::string, double> samples_of(const std::string& page, const std::string& name,
                                         const std::string& label) {
  const std::string series = name + "{";
  const std::string key = label + "=\"";
  std::map<std::string, double> out;
  std::istringstream lines(page);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t at = line.find(key);
    if (!line.starts_with(series) || at == std::string::npos) continue;
    const std::size_t value = at + key.size();
    out[line.substr(value, line.find('"', value) - value)] +=
        std::strtod(line.c_str() + line.rfind(' '), nullptr);
  }
  return out;
}

std::map<std::string, double> scrape_operations(const Target& target) {
  std::map<std::string, double> out;
  for (const ServerProcess& p : target.processes) {
    if (p.tier != "das" || p.admin.empty()) continue;
    const auto page = http::get(p.admin, "/metrics", kScrapeWithin);
    if (!page || page->status != 200) continue;
    for (const auto& [operation, n] : samples_of(page->body, "hy_das_op_seconds_count", "op"))
      out[operation] += n;
  }
  return out;
}

std::map<std::string, BatchCount> scrape_links(const Target& target) {
  std::map<std::string, BatchCount> out;
  for (const ServerProcess& p : target.processes) {
    if (p.tier == "store" || p.admin.empty()) continue;
    const auto page = http::get(p.admin, "/metrics", kScrapeWithin);
    if (!page || page->status != 200) continue;
    for (const auto& [stream, n] : samples_of(page->body, "hy_rpc_messages_sent_total", "stream"))
      out[p.name + " " + stream].batches = n;
    for (const auto& [stream, n] : samples_of(page->body, "hy_rpc_envelopes_sent_total", "stream"))
      out[p.name + " " + stream].messages = n;
  }
  return out;
}

BatchCount scrape_batches(const Target& target) {
  BatchCount out;
  for (const ServerProcess& p : target.processes) {
    if (p.tier != "das" || p.admin.empty()) continue;
    const auto page = http::get(p.admin, "/metrics", kScrapeWithin);
    if (!page || page->status != 200) continue;
    out.batches += sum_of(page->body, "hy_das_batch_rows_count");
    out.messages += sum_of(page->body, "hy_das_batch_rows_sum");
  }
  return out;
}

double mean_batch(const BatchCount& before, const BatchCount& after) {
  const double batches = after.batches - before.batches;
  return batches > 0 ? (after.messages - before.messages) / batches : 0;
}

}  // namespace hy::bench
