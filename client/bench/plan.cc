#include "client/bench/plan.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <thread>

#include "common/net/descriptors.h"

namespace hy::bench {
namespace {

constexpr std::uint64_t kReservedDescriptors = 32;  // epoll, the link, /proc, the standard three
constexpr unsigned kWorkersPerCore = 4;             // chosen by itself; more only when asked
constexpr std::uint32_t kSourcesMax = 65'536;

bool parse_address(const std::string& text, std::uint32_t& out) {
  in_addr a{};
  if (::inet_pton(AF_INET, text.c_str(), &a) != 1) return false;
  out = ntohl(a.s_addr);
  return true;
}

}  // namespace

MachineLimits machine_limits() {
  MachineLimits out;
  out.descriptors = net::raise_descriptor_limit().now;
  out.cores = std::max(1U, std::thread::hardware_concurrency());
  std::ifstream in("/proc/sys/net/ipv4/ip_local_port_range");
  in >> out.port_low >> out.port_high;
  return out;
}

Result<std::vector<std::string>> expand_sources(const std::vector<std::string>& texts) {
  std::vector<std::string> out;
  for (const std::string& text : texts) {
    const std::size_t dash = text.find('-');
    std::uint32_t low = 0;
    std::uint32_t high = 0;
    const bool is_good = parse_address(text.substr(0, dash), low) &&
                         (dash == std::string::npos ? (high = low, true)
                                                    : parse_address(text.substr(dash + 1), high));
    if (!is_good || high < low || high - low >= kSourcesMax)
      return fail(Errc::kUsage, "source-ip: \"" + text + "\" is not like 127.0.0.2-127.0.0.33");
    for (std::uint32_t a = low; a <= high; ++a)
      out.push_back(fmt::format("{}.{}.{}.{}", a >> 24, a >> 16 & 255, a >> 8 & 255, a & 255));
  }
  return out;
}

Result<Plan> make_plan(std::uint64_t conns, unsigned workers,
                       const std::vector<std::string>& sources, std::size_t entries,
                       const MachineLimits& limits) {
  Plan out;
  HY_TRY(out.sources, expand_sources(sources));
  out.descriptors = limits.descriptors;
  if (limits.descriptors <= kReservedDescriptors + 2)
    return fail(
        Errc::kLimitTooLow,
        fmt::format("{} descriptors a process; raise the limit (ulimit -n)", limits.descriptors));
  const std::uint64_t each = limits.descriptors - kReservedDescriptors;
  const std::uint64_t needed = (conns + each - 1) / each;
  const std::uint64_t most = workers > 0 ? workers : std::uint64_t{kWorkersPerCore} * limits.cores;
  if (needed > most)
    return fail(Errc::kLimitTooLow,
                fmt::format("{} connections need {} processes of {} descriptors each, "
                            "{} are the "
                            "most here; raise the hard limit (ulimit -Hn) or --workers",
                            conns, needed, limits.descriptors, most));
  out.workers = workers > 0 ? workers : static_cast<unsigned>(needed);
  out.ports = limits.port_high - limits.port_low + 1;
  out.reachable = std::max<std::uint64_t>(1, out.sources.size()) * out.ports * entries;
  if (out.reachable < conns)
    return fail(
        Errc::kLimitTooLow,
        fmt::format("{} source addresses × {} ports × {} entries = {} connections at "
                    "most, "
                    "not {}; add addresses with --source-ip 127.0.0.2-127.0.0.{}",
                    std::max<std::size_t>(1, out.sources.size()), out.ports, entries, out.reachable,
                    conns, std::min<std::uint64_t>(254, 2 + conns / (out.ports * entries))));
  return out;
}

std::string Plan::text(std::uint64_t conns, unsigned cores) const {
  return fmt::format(
      "{} cores · {} worker{} × {} descriptors · {} source "
      "address{} × {} ports a listener = {} "
      "possible · ok for {}",
      cores, workers, workers == 1 ? "" : "s", descriptors,
      std::max<std::size_t>(1, sources.size()), sources.size() > 1 ? "es" : "", ports, reachable,
      conns);
}

}  // namespace hy::bench
