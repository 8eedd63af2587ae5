#pragma once

#include <atomic>
#include <cstdint>

namespace hy::rpc {

/// What the streams of one method wrote in this process. Envelopes to messages is the mean batch,
/// on which the cost of a hop hangs. Written on the loop, read by any thread.
struct StreamTraffic {
  std::atomic<std::uint64_t> messages{0};
  std::atomic<std::uint64_t> envelopes{0};
};

}  // namespace hy::rpc
