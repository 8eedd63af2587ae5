#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <set>

#include "client/core/device.h"
#include "client/sdk/store/store.h"
#include "tests/support/sim_world.h"

/// Whatever the order of pushes, SYNC, PULL, losses, crashes and restarts: every device ends with a
/// run without holes that equals the log, each message shown once, sender order kept.
namespace hy::test {
namespace {

constexpr Uid kAlice{1};
constexpr Uid kBob{2};
const ConversationId kPair = ConversationId::pair(kAlice, kBob);

class PropertyTest : public testing::TestWithParam<std::uint64_t> {
 protected:
  PropertyTest() : world(GetParam()), chance(GetParam() * 977) {
    world.server.names = {{"alice", kAlice}, {"bob", kBob}};
  }
  /// The log holds `written` of one sender in the order written, each once.
  void expect_log(Uid sender, const std::vector<Bytes>& written) {
    std::vector<Bytes> stored;
    for (const auto& row : world.server.logs[kPair]) {
      if (row.sender == sender.value()) stored.push_back(row.body);
    }
    EXPECT_EQ(stored, written) << "seed " << GetParam();
  }
  /// `device` showed what `peer` wrote, in log order, once, and its run is the whole log.
  void expect_shown(SimDevice& device, Uid peer, const std::string& name) {
    std::vector<Bytes> expected;
    for (const auto& row : world.server.logs[kPair]) {
      if (row.sender == peer.value()) expected.push_back(row.body);
    }
    // Where each row ended: a provisional one was shown at once and moved to its seq later.
    std::vector<Bytes> placed;
    std::map<ClientMsgId, int> first_shown;
    for (const Message& m : device.shown) {
      if (m.sender != peer) continue;
      if (!m.moved) ++first_shown[m.client_msg_id];
      if (m.seq.value() > 0) placed.push_back(m.body);
    }
    EXPECT_EQ(placed, expected) << name << ", seed " << GetParam();
    for (const auto& [id, times] : first_shown) {
      EXPECT_EQ(times, 1) << name << ", seed " << GetParam() << ", " << id.to_hex();
    }
    EXPECT_EQ(first_shown.size(), expected.size());
    const auto* record = device.device().inbox().find(kPair);
    ASSERT_NE(record, nullptr);
    EXPECT_EQ(record->have.value(), world.server.logs[kPair].size());
  }
  bool settled(const std::vector<SimDevice*>& devices) {
    return std::ranges::all_of(devices, [&](SimDevice* d) {
      const auto* record = d->device().inbox().find(kPair);
      return d->device().outbox().size() == 0 && d->device().is_up_to_date() && record != nullptr &&
             record->have.value() == world.server.logs[kPair].size();
    });
  }
  void misfortune(const std::vector<SimDevice*>& devices) {
    auto& knobs = world.server.knobs;
    switch (chance.below(10)) {
      case 0: knobs.drop_pushes += static_cast<std::uint32_t>(chance.below(4)); break;
      case 1: knobs.drop_send_acks += static_cast<std::uint32_t>(chance.below(4)); break;
      case 2: knobs.lose_sends += static_cast<std::uint32_t>(chance.below(3)); break;
      case 3: world.server.close_all(); break;
      case 4: devices[chance.below(devices.size())]->crash_and_restart(); break;
      case 5: world.server.hint(kBob); break;
      case 6: knobs.slice = 1 + static_cast<std::uint32_t>(chance.below(20)); break;
      case 7: knobs.is_mute = !knobs.is_mute; break;
      case 8: world.is_network_down = !world.is_network_down; break;
      case 9: knobs.relays = !knobs.relays; break;
      default: break;
    }
  }
  void heal() {
    auto& knobs = world.server.knobs;
    knobs.is_mute = knobs.relays = world.is_network_down = false;
    knobs.drop_pushes = knobs.drop_send_acks = knobs.lose_sends = 0;
    world.server.close_all();
  }

  SimWorld world;
  SeededRandom chance;
};

TEST_P(PropertyTest, AnyInterleavingEndsContiguousEachMessageShownOnceInOrder) {
  world.jitter_max = Millis{40};
  world.server.knobs.heartbeat_ms = 5'000;
  SimDevice alice(world, "alice", sim_settings(world.server));
  SimDevice bob(world, "bob", sim_settings(world.server));
  alice.login();
  bob.login();
  world.run_for(Millis{2'000});
  std::vector<Bytes> by_alice;
  std::vector<Bytes> by_bob;
  for (int round = 0; round < 60; ++round) {
    const auto write = [&](SimDevice& from, Uid to, std::vector<Bytes>& log, const char* who) {
      const Bytes body = who + std::to_string(log.size());
      if (from.send(to, body)) log.push_back(body);
    };
    for (std::uint64_t i = chance.below(6); i > 0; --i) {
      if (chance.below(2) == 0) {
        write(alice, kBob, by_alice, "a");
      } else {
        write(bob, kAlice, by_bob, "b");
      }
    }
    if (chance.below(3) == 0) misfortune({&alice, &bob});
    world.run_for(Millis(static_cast<std::int64_t>(chance.below(3'000))));
  }
  heal();
  EXPECT_TRUE(world.run_until([&] { return settled({&alice, &bob}); }, Millis{180'000}))
      << "seed " << GetParam() << ", outbox " << alice.device().outbox().size() << " and "
      << bob.device().outbox().size();
  expect_log(kAlice, by_alice);
  expect_log(kBob, by_bob);
  expect_shown(bob, kAlice, "bob");
  expect_shown(alice, kBob, "alice");
}

/// Fixed seeds, and as many more as HY_SEEDS says from HY_SEED on.
std::vector<std::uint64_t> seeds() {
  std::vector<std::uint64_t> out;
  for (std::uint64_t seed = 1; seed <= 25; ++seed) out.push_back(seed);
  const char* const more = std::getenv("HY_SEEDS");
  const char* const from = std::getenv("HY_SEED");
  const std::uint64_t first = from != nullptr ? std::strtoull(from, nullptr, 10) : 1'000;
  const std::uint64_t count = more != nullptr ? std::strtoull(more, nullptr, 10) : 0;
  for (std::uint64_t i = 0; i < count; ++i) out.push_back(first + i);
  return out;
}
INSTANTIATE_TEST_SUITE_P(Seeds, PropertyTest, testing::ValuesIn(seeds()));

/// The process dies before or after its n-th commit, for every n that a conversation has.
TEST(CrashTest, AtEveryWriteOfTheOutboxExactlyOnce) {
  const auto folder = std::filesystem::temp_directory_path() /
                      ("hy-crash-" + std::to_string(SeededRandom(7).next() ^
                                                    static_cast<std::uint64_t>(::getpid())));
  std::filesystem::create_directories(folder);
  std::uint64_t crashes = 0;
  for (int n = 1; n <= 24; ++n) {
    for (const bool before : {true, false}) {
      SimWorld world(static_cast<std::uint64_t>(n));
      world.server.names = {{"alice", kAlice}, {"bob", kBob}};
      const auto file = folder / (std::to_string(n) + (before ? "b" : "a") + ".db");
      SimDevice alice(world, "alice", sim_settings(world.server), [&] {
        auto store = client::open_sqlite_store(file.string());
        HY_CHECK(store.has_value());
        return std::move(*store);
      });
      SimDevice bob(world, "bob", sim_settings(world.server));
      alice.login();
      bob.login();
      world.run_for(Millis{200});
      (before ? alice.crash_before_commit : alice.crash_after_commit) =
          static_cast<std::uint64_t>(n);
      std::vector<Bytes> promised;  // send() returned: on disk
      for (int i = 0; i < 6; ++i) {
        const std::uint64_t crashes_before = alice.crashes;
        const Bytes body = "m" + std::to_string(i);
        const auto id = alice.send(kBob, body);
        // A send that the crash interrupted promised nothing when its commit was not reached.
        if (id && !(alice.crashes != crashes_before && before)) promised.push_back(body);
        world.run_for(Millis{2});
      }
      world.run_for(Millis{60'000});
      crashes += alice.crashes;
      EXPECT_EQ(alice.device().outbox().size(), 0u) << "n " << n << (before ? " before" : " after");
      EXPECT_EQ(bob.bodies(), promised) << "n " << n << (before ? " before" : " after");
      EXPECT_EQ(world.server.logs[kPair].size(), promised.size());
    }
  }
  EXPECT_GT(crashes, 20u) << "the test did not crash what it means to crash";
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace hy::test
