#include "tests/faults/host_probe.h"

#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <filesystem>

#include "client/cli/cluster.h"
#include "client/cli/process.h"
#include "client/cli/unique_fd.h"
#include "tests/faults/process_faults.h"

namespace hy::faults {
namespace {

constexpr Millis kToolWithin{5'000};
std::atomic<bool> has_own_network{false};

bool works(const std::string& script) {
  const auto done = cli::run({{"/bin/sh", "-c", script}, {}}, kToolWithin);
  return done && done->code == 0;
}

bool works_apart(const std::string& script) {
  return works("PATH=$PATH:/usr/sbin:/sbin unshare -n /bin/sh -c '" + script + "'");
}

/// A port that refuses (1) is silent (124: the time is over) when its packets are dropped.
constexpr const char* kDropScript =
    "ip link set lo up && nft add table inet t && "
    "nft \"add chain inet t o { type filter hook output priority 0 ; }\" && "
    "nft add rule inet t o tcp dport 9 drop && "
    "timeout 0.3 bash -c \"</dev/tcp/127.0.0.1/9\" 2>/dev/null; [ $? = 124 ]";

Result<std::string> nft(const std::string& script) {
  HY_TRY(const cli::Finished done,
         cli::run({{"/usr/bin/env", "PATH=/usr/sbin:/sbin:/usr/bin:/bin", "nft", script}, {}},
                  kToolWithin));
  if (done.code != 0) return fail(Errc::kChildFailed, "nft " + script + ": " + done.output);
  return done.output;
}

Status rule(const std::string& what) {
  const auto done = nft("add rule inet hy_faults out " + what);
  if (!done) return std::unexpected(done.error());
  return {};
}

std::string port_text(const char* side, int port) {
  return std::string("tcp ") + side + " " + std::to_string(port) + " ";
}

}  // namespace

std::string HostOffers::text() const {
  const auto yes = [](bool b) { return b ? "yes" : "no"; };
  return std::string("host: root ") + yes(root) + ", network namespaces " + yes(namespaces) +
         ", nft drop " + yes(nft_drop) + ", netem " + yes(netem) + ", libfaketime " +
         yes(faketime) + ", disk shim " + yes(preload) + ", descriptors " +
         std::to_string(descriptors);
}

HostOffers probe_host() {
  HostOffers out;
  out.root = ::geteuid() == 0;
  out.namespaces = works_apart("true");
  out.nft_drop = works_apart(kDropScript);
  out.netem = works_apart("ip link set lo up && tc qdisc add dev lo root netem delay 1ms");
  const std::string file =
      (std::filesystem::temp_directory_path() / ("hy-probe-" + std::to_string(::getpid())))
          .string();
  out.faketime = WallClock::make(file).has_value();
  ::unlink(file.c_str());
  out.preload = ::access((cli::own_folder() / "libhy_disk_fault.so").c_str(), R_OK) == 0;
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  out.descriptors = static_cast<int>(std::min<rlim_t>(limit.rlim_max, 1'000'000));
  return out;
}

Status enter_own_network() {
  if (::unshare(CLONE_NEWNET) != 0)
    return fail(Errc::kForbidden, std::string("unshare: ") + std::strerror(errno));
  const cli::UniqueFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq lo{};
  std::strcpy(lo.ifr_name, "lo");
  lo.ifr_flags = IFF_UP | IFF_RUNNING;
  if (::ioctl(fd.get(), SIOCSIFFLAGS, &lo) != 0)
    return fail(Errc::kChildFailed, std::string("lo: ") + std::strerror(errno));
  has_own_network = true;
  return {};
}

Result<NetRules> NetRules::make() {
  if (!has_own_network) return fail(Errc::kForbidden, "rules are for a network of our own");
  NetRules rules;
  HY_TRY_VOID(rules.clear());
  return rules;
}

Status NetRules::clear() {
  const auto done =
      nft("add table inet hy_faults ; delete table inet hy_faults ; add table inet hy_faults ; "
          "add chain inet hy_faults out { type filter hook output priority 0 ; }");
  if (!done) return std::unexpected(done.error());
  return {};
}

Status NetRules::drop(int port, Direction direction) {
  return rule(port_text(direction == Direction::kToServer ? "dport" : "sport", port) +
              "counter drop");
}

Status NetRules::reject(int port) {
  return rule(port_text("dport", port) + "counter reject with tcp reset");
}

Status NetRules::lose(int port, int percent) {
  const std::string dice = "numgen random mod 100 < " + std::to_string(percent) + " counter drop";
  HY_TRY_VOID(rule(port_text("dport", port) + dice));
  return rule(port_text("sport", port) + dice);
}

Result<std::uint64_t> NetRules::packets() const {
  HY_TRY(const std::string text, nft("list table inet hy_faults"));
  constexpr std::string_view kWord = "packets ";
  std::uint64_t sum = 0;
  for (std::size_t at = text.find(kWord); at != std::string::npos; at = text.find(kWord, at + 1))
    sum += std::strtoull(text.c_str() + at + kWord.size(), nullptr, 10);
  return sum;
}

}  // namespace hy::faults
