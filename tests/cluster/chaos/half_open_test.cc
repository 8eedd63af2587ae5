#include <gtest/gtest.h>
#include <poll.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>

#include "client/cli/cluster.h"
#include "common/base/error.h"
#include "common/rpc/stream.h"
#include "tests/cluster/chaos/rig.h"

namespace hy::chaos {
namespace {

using Clock = std::chrono::steady_clock;

/// True as soon as `test` is; asked again every 50 ms until `within` is over.
bool soon(Millis within, const std::function<bool()>& test) {
  const auto until = Clock::now() + within;
  while (!test()) {
    if (Clock::now() >= until) return false;
    ::poll(nullptr, 0, 50);
  }
  return true;
}

/// A cable between two tiers that is pulled without a word: no FIN, no RST, the kernel goes on
/// acknowledging on each side of the relay. TCP would believe such a connection for a quarter of an
/// hour; a keep-alive of gRPC asks after 5 s of silence and gives up 3 s later (track record, row
/// 5; the simulator's twin is SimKernel.ADarkLinkIsFoundByKeepAlive).
TEST(HalfOpen, EveryTierLeavesASilentPeerWithinTheKeepAlive) {
  ::signal(SIGPIPE, SIG_IGN);
  char pattern[] = "/tmp/hy-half-open-XXXXXX";
  RigOptions options;
  options.folder = ::mkdtemp(pattern);
  options.programs = std::string(HY_BUILD_DIR) + "/bin";
  options.size = {1, 1, 2, 1};
  auto rig = Rig::start(options);
  ASSERT_TRUE(rig.has_value()) << error_text(rig.error().code, rig.error().detail);

  std::map<std::string, std::uint64_t> before;
  for (const auto& link : (*rig)->links()) {
    if (link->from == "people" || link->from == "roaming") continue;
    before[link->name()] = link->gate->counters().accepted;
    EXPECT_GT(before[link->name()], 0U) << link->name() << " carries nothing";
  }
  ASSERT_GE(before.size(), 6U);
  const auto pulled_at = Clock::now();
  for (const auto& link : (*rig)->links()) link->gate->pull(true);

  // Dialled again: the old connection was given up. Nobody told them, the gate sends no RST now.
  constexpr Millis kFound = rpc::kKeepAliveEvery + rpc::kKeepAliveWithin + Millis{7'000};
  const auto is_left = [&](const std::string& name) {
    return (*rig)->link(name)->gate->counters().accepted > before[name];
  };
  for (const auto& [name, count] : before) {
    const auto left = std::chrono::duration_cast<Millis>(pulled_at + kFound - Clock::now());
    EXPECT_TRUE(soon(std::max(left, Millis{0}), [&] { return is_left(name); }))
        << name << ": a silent peer is still believed";
    EXPECT_EQ((*rig)->link(name)->gate->counters().resets, 0U) << name;
  }
  // Not at once either: a pause of a second is no reason to leave.
  EXPECT_GE(Clock::now() - pulled_at, Millis{1'000});

  for (const auto& link : (*rig)->links()) link->gate->pull(false);
  const Status ready = (*rig)->cluster().wait_ready({}, Millis{20'000});
  EXPECT_TRUE(ready.has_value()) << "after the cable is back: "
                                 << (ready ? ""
                                           : error_text(ready.error().code, ready.error().detail));
  rig->reset();
  std::filesystem::remove_all(options.folder);
}

}  // namespace
}  // namespace hy::chaos
