#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>

#include "client/cli/cluster.h"

/// What the daemons of a cluster say about themselves while something happens to them.
namespace hy::degraded {

/// Samples resident memory and named gauges of every daemon a few times a second, on a thread of
/// its own, and keeps the largest of each.
class Watch {
 public:
  explicit Watch(cli::Cluster& cluster) : cluster_(cluster) {}
  ~Watch() { stop(); }
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  /// Starts afresh: largest values are forgotten.
  void start();
  void stop();
  /// Largest resident memory seen, by daemon, in bytes.
  [[nodiscard]] std::map<std::string, std::size_t> largest_resident() const;
  /// Largest value of a gauge ("hy_das_queued"), by daemon; labels are summed.
  [[nodiscard]] std::map<std::string, double> largest(const std::string& gauge) const;
  /// Questions to the admin port that got no answer within a second.
  [[nodiscard]] int silent() const { return silent_; }

 private:
  void sample();

  cli::Cluster& cluster_;
  mutable std::mutex mutex_;
  std::map<std::string, std::size_t> resident_;
  std::map<std::string, std::map<std::string, double>> gauges_;  // gauge → daemon → value
  std::atomic<bool> is_on_{false};
  std::atomic<int> silent_{0};
  std::thread thread_;
};

/// Sum over labels of each metric of a /metrics page.
std::map<std::string, double> parse_metrics(const std::string& page);

}  // namespace hy::degraded
