#pragma once

#include <cstdint>

namespace hy::net {

/// What the process got, for the start-up line and for max_connections.
struct DescriptorLimit {
  std::uint64_t before = 0;  ///< soft limit at start
  std::uint64_t now = 0;     ///< soft limit after asking for the hard one
  std::uint64_t hard = 0;
  /// Connections that fit beside `reserved` descriptors of files, peers and the log.
  [[nodiscard]] std::uint64_t connections_that_fit(std::uint64_t reserved = 256) const {
    return now > reserved ? now - reserved : 0;
  }
};

/// Raises RLIMIT_NOFILE to its hard limit. Never fails: what was not granted shows in `now`. Call
/// once in main, before threads.
DescriptorLimit raise_descriptor_limit();
/// Descriptors open now (entries of /proc/self/fd); 0 when that cannot be read.
std::uint64_t open_descriptors();

}  // namespace hy::net
