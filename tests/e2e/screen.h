#pragma once

#include <condition_variable>
#include <mutex>
#include <vector>

#include "client/sdk/hongyan.hpp"
#include "common/base/clock.h"

namespace hy::cli {

/// What a device showed, in order.
struct Screen {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<Bytes> bodies;

  void watch(hy::Client& client) {
    client.on_message([this](const Message& m) {
      const std::lock_guard lock(mutex);
      if (!m.moved) bodies.push_back(m.body);
      changed.notify_all();
    });
  }
  bool wait_for(std::size_t count, Millis within) {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, within, [&] { return bodies.size() >= count; });
  }
  std::vector<Bytes> all() {
    const std::lock_guard lock(mutex);
    return bodies;
  }
};

}  // namespace hy::cli
