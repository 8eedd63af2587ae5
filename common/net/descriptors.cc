#include "common/net/descriptors.h"

#include <sys/resource.h>

#include <filesystem>
#include <iterator>

namespace hy::net {

DescriptorLimit raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return {};
  DescriptorLimit out{limit.rlim_cur, limit.rlim_cur, limit.rlim_max};
  limit.rlim_cur = limit.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &limit) == 0) out.now = limit.rlim_max;
  return out;
}

std::uint64_t open_descriptors() {
  std::error_code ec;
  const std::filesystem::directory_iterator all("/proc/self/fd", ec);
  if (ec) return 0;
  // The iterator's own descriptor is one of them.
  const auto n = std::distance(begin(all), end(all));
  return n > 0 ? static_cast<std::uint64_t>(n - 1) : 0;
}

}  // namespace hy::net
