// Faults of the host below the processes: disk, wall clock, descriptors.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <thread>

#include "client/cli/unique_fd.h"
#include "tests/cluster/chaos/live_fault.h"

namespace hy::chaos {
namespace {

using faults::DiskFault;
using faults::DiskFaultCounters;

std::uint64_t harm(const DiskFaultCounters& c) {
  return c.writes_failed + c.syncs_failed + c.syncs_delayed;
}

Result<LiveFault> begin_on_disk(Rig& rig, const Planned& planned) {
  const bool is_log = planned.kind->strikes == Strikes::kLogDisk;
  DiskFault* const disk = is_log ? rig.log_disk() : rig.store_disk();
  if (disk == nullptr) return fail(Errc::kUsage, "this round has no disk shim");
  SeededRandom random(planned.seed);
  faults::DiskFaultState state;
  const std::string_view kind = planned.kind->name;
  if (is_log) {
    state.only_with = "/log/";
  } else {
    state.only_with = rig.has_mysql() ? "/store/data/" : "/data/";
  }
  if (kind == "disk-full-store" || kind == "disk-full-log") state.write_errno = ENOSPC;
  if (kind == "disk-error-sync") state.sync_errno = EIO;
  if (kind == "disk-slow-sync") {
    constexpr std::uint64_t kSlowMsMax = 400;
    state.sync_delay = Millis{static_cast<std::int64_t>(20 + random.below(kSlowMsMax))};
  }
  disk->set(state);
  if (is_log) {
    // Quiet daemons write nothing: a lost stream is worth a line to both of its ends.
    for (const char* way : {"entry-a>router-a", "entry-b>router-b"})
      rig.link(way)->gate->reset_all();
  }
  return LiveFault{
      [disk] {
        disk->heal();
        return Status{};
      },
      [disk, before = harm(disk->counters())] { return harm(disk->counters()) > before; },
      {}};
}

Result<LiveFault> begin_on_clock(Rig& rig, const Planned& planned) {
  faults::WallClock* const clock = rig.clock();
  if (clock == nullptr) return fail(Errc::kUsage, "this round has no clock of its own");
  constexpr std::array kJumps{-86'400.0 * 365, -3'600.0,      -25.0, -1.0, 1.0, 25.0,
                              3'600.0,         86'400.0 * 365};
  SeededRandom random(planned.seed);
  const double jump = kJumps[random.below(kJumps.size())];
  HY_TRY_VOID(clock->set_offset(jump));
  // What a process started under the same clock reads.
  cli::Command date;
  date.argv = faults::with_environment({"date", "+%s"}, {clock->environment()});
  HY_TRY(const cli::Finished done, cli::run(date, Millis{5'000}));
  const double off =
      std::strtod(done.output.c_str(), nullptr) - static_cast<double>(std::time(nullptr));
  const bool felt = off > jump - 3 && off < jump + 3;
  return LiveFault{[clock] { return clock->set_offset(0); }, [felt] { return felt; },
                   std::to_string(static_cast<long>(jump)) + " s"};
}

/// Connections that say nothing, until nobody is let in any more.
std::vector<cli::UniqueFd> fill_up(const std::string& address) {
  constexpr int kConnections = 40;
  std::vector<cli::UniqueFd> out;
  sockaddr_in to{};
  to.sin_family = AF_INET;
  const std::size_t colon = address.rfind(':');
  to.sin_port = htons(static_cast<std::uint16_t>(std::stoi(address.substr(colon + 1))));
  ::inet_pton(AF_INET, address.substr(0, colon).c_str(), &to.sin_addr);
  for (int i = 0; i < kConnections; ++i) {
    cli::UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0 ||
        errno == EINPROGRESS)
      out.push_back(std::move(fd));
  }
  return out;
}

Result<LiveFault> begin_on_descriptors(Rig& rig, const Planned& planned) {
  const pid_t pid = rig.pid(planned.target);
  if (pid <= 0) return fail(Errc::kUnavailable, planned.target);
  constexpr int kSpare = 3;
  constexpr int kLooks = 50;
  constexpr std::chrono::milliseconds kLook{20};
  HY_TRY(auto squeezed, faults::DescriptorSqueeze::begin(pid, kSpare));
  auto squeeze = std::make_shared<faults::DescriptorSqueeze>(std::move(squeezed));
  auto guests = std::make_shared<std::vector<cli::UniqueFd>>(
      fill_up(rig.cluster().layout().find(planned.target)->address));
  // Guests that say nothing are shown out again after a while: it counts that the house was full.
  bool was_full = false;
  for (int i = 0; i < kLooks && !was_full; ++i) {
    was_full = faults::open_descriptors(pid) >= squeeze->limit() - 1;
    std::this_thread::sleep_for(kLook);
  }
  return LiveFault{[squeeze, guests] {
                     guests->clear();
                     squeeze->restore();
                     return Status{};
                   },
                   [was_full] { return was_full; }, "limit " + std::to_string(squeeze->limit())};
}

}  // namespace

Result<LiveFault> begin_on_host(Rig& rig, const Planned& planned) {
  if (planned.kind->strikes == Strikes::kClock) return begin_on_clock(rig, planned);
  if (planned.kind->strikes == Strikes::kEntry) return begin_on_descriptors(rig, planned);
  return begin_on_disk(rig, planned);
}

Result<LiveFault> begin_fault(Rig& rig, const Planned& planned) {
  switch (planned.kind->strikes) {
    case Strikes::kDaemon:
    case Strikes::kDas: return begin_on_process(rig, planned);
    case Strikes::kLink:
    case Strikes::kPeopleLink:
    case Strikes::kStoreLink:
    case Strikes::kCacheLink:
    case Strikes::kIsland: return begin_on_link(rig, planned);
    case Strikes::kRedis:
    case Strikes::kMariadb: return begin_on_store(rig, planned);
    case Strikes::kEntry:
    case Strikes::kStoreDisk:
    case Strikes::kLogDisk:
    case Strikes::kClock: return begin_on_host(rig, planned);
    case Strikes::kDevice: return begin_on_device(rig, planned);
  }
  return fail(Errc::kUsage, "no such fault");
}

}  // namespace hy::chaos
