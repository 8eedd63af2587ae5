#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "client/cli/demo/stage.h"

namespace hy::cli {

/// Messages between the first two people of a stage, both ways in turn, at a steady rate. Open
/// loop: a slow cluster does not slow it down, until `unsettled_max` messages are not stored yet.
class Load {
 public:
  Load(Stage& stage, std::string first, std::string second)
      : stage_(stage), first_(std::move(first)), second_(std::move(second)) {}
  ~Load() { stop(); }
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;
  void start(int per_second);
  void stop();
  [[nodiscard]] bool is_running() const { return thread_.joinable(); }
  [[nodiscard]] int per_second() const { return per_second_; }

 private:
  void run();

  Stage& stage_;
  std::string first_;
  std::string second_;
  int per_second_ = 0;
  std::mutex mutex_;
  std::condition_variable stopping_;
  bool is_stopping_ = false;
  std::thread thread_;
};

}  // namespace hy::cli
