#include "tests/degraded/gauge.h"

#include <poll.h>

#include <algorithm>
#include <sstream>

#include "common/http/http_get.h"

namespace hy::degraded {
namespace {

constexpr Millis kAnswerWithin{1'000};
constexpr int kSampleEveryMs = 250;

}  // namespace

std::map<std::string, double> parse_metrics(const std::string& page) {
  std::map<std::string, double> out;
  std::istringstream in(page);
  for (std::string line; std::getline(in, line);) {
    if (line.empty() || line.front() == '#') continue;
    const std::size_t space = line.rfind(' ');
    if (space == std::string::npos) continue;
    out[line.substr(0, line.find_first_of("{ "))] += std::strtod(line.c_str() + space + 1, nullptr);
  }
  return out;
}

void Watch::start() {
  stop();
  {
    const std::lock_guard lock(mutex_);
    resident_.clear();
    gauges_.clear();
  }
  silent_ = 0;
  is_on_ = true;
  thread_ = std::thread([this] {
    while (is_on_) {
      sample();
      ::poll(nullptr, 0, kSampleEveryMs);
    }
  });
}

void Watch::stop() {
  is_on_ = false;
  if (thread_.joinable()) thread_.join();
}

void Watch::sample() {
  for (const cli::ServiceState& s : cluster_.supervisor().list()) {
    const std::lock_guard lock(mutex_);
    std::size_t& largest = resident_[s.name];
    largest = std::max(largest, s.resident);
  }
  for (const cli::DaemonPlace& place : cluster_.layout().daemons) {
    const auto answer = http::get(place.admin, "/metrics", kAnswerWithin);
    if (!answer) {
      ++silent_;
      continue;
    }
    const std::lock_guard lock(mutex_);
    for (const auto& [name, value] : parse_metrics(answer->body)) {
      double& largest = gauges_[name][place.name()];
      largest = std::max(largest, value);
    }
  }
}

std::map<std::string, std::size_t> Watch::largest_resident() const {
  const std::lock_guard lock(mutex_);
  return resident_;
}

std::map<std::string, double> Watch::largest(const std::string& gauge) const {
  const std::lock_guard lock(mutex_);
  const auto at = gauges_.find(gauge);
  return at == gauges_.end() ? std::map<std::string, double>() : at->second;
}

}  // namespace hy::degraded
