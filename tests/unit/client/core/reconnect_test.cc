#include "client/core/reconnect.h"

#include <gtest/gtest.h>

#include <set>

namespace hy::client {
namespace {

const std::vector<std::string> kEntries = {"a", "b", "c"};
using List = std::vector<std::string>;

TEST(Reconnect, FullJitterDoublesToTheMaximum) {
  SeededRandom random(1);
  const ReconnectSettings s;
  Reconnect reconnect(s, kEntries);
  MonoTime now{std::chrono::hours(1)};
  for (std::uint32_t n = 0; n < 20; ++n) {
    const Millis wait = reconnect.next_wait(now, false, Millis{0}, Millis{0}, random);
    EXPECT_LE(wait, backoff_cap(s.base, s.max, n));
    EXPECT_LE(wait, s.max);
  }
}

TEST(Reconnect, AnAbnormalLossFallsEvenlyIntoTheStormWindow) {
  MonoTime now{std::chrono::hours(1)};
  int early = 0;
  for (std::uint64_t seed = 1; seed <= 400; ++seed) {
    SeededRandom random(seed);
    Reconnect reconnect({}, kEntries);
    reconnect.online(now);
    const Millis wait =
        reconnect.next_wait(now + Millis{60'000}, true, Millis{20'000}, Millis{0}, random);
    EXPECT_LE(wait, Millis{20'000});
    if (wait < Millis{10'000}) ++early;
  }
  EXPECT_GT(early, 140);
  EXPECT_LT(early, 260);
}

TEST(Reconnect, ASecondLossOfAYoungSessionFallsIntoTheStormWindowToo) {
  MonoTime now{std::chrono::hours(1)};
  int early = 0;
  for (std::uint64_t seed = 1; seed <= 400; ++seed) {
    SeededRandom random(seed);
    Reconnect reconnect({}, kEntries);
    reconnect.online(now);
    static_cast<void>(
        reconnect.next_wait(now + Millis{60'000}, true, Millis{20'000}, Millis{0}, random));
    reconnect.online(now + Millis{70'000});
    const Millis wait =
        reconnect.next_wait(now + Millis{71'000}, true, Millis{20'000}, Millis{0}, random);
    if (wait < Millis{10'000}) ++early;
  }
  EXPECT_GT(early, 140);
  EXPECT_LT(early, 260) << "not a herd within the first second";
}

TEST(Reconnect, AServerThatAcceptsAndDropsIsNoFreshLoss) {
  SeededRandom random(1);
  Reconnect reconnect({}, kEntries);
  MonoTime now{std::chrono::hours(1)};
  Millis longest{0};
  for (int i = 0; i < 12; ++i) {
    reconnect.online(now);
    now += Millis{50};
    longest = std::max(longest, reconnect.next_wait(now, true, Millis{0}, Millis{0}, random));
  }
  EXPECT_GT(longest, Millis{2'000}) << "the back-off grows until a session was stable";
  reconnect.online(now);
  EXPECT_LE(reconnect.next_wait(now + Millis{20'000}, true, Millis{0}, Millis{0}, random),
            ReconnectSettings{}.first_loss);
}

TEST(Reconnect, RetryAfterIsALowerBound) {
  SeededRandom random(1);
  Reconnect reconnect({}, kEntries);
  for (int i = 0; i < 20; ++i) {
    EXPECT_GE(reconnect.next_wait(MonoTime{}, false, Millis{0}, Millis{7'000}, random),
              Millis{7'000});
  }
}

TEST(Reconnect, TheOrderOfCandidates) {
  Reconnect reconnect({}, kEntries);
  EXPECT_EQ(reconnect.candidates(3, "", {}, ""), (List{"a", "b", "c"}));
  EXPECT_EQ(reconnect.candidates(3, "b", {}, ""), (List{"b", "a", "c"})) << "last good first";
  EXPECT_EQ(reconnect.candidates(3, "z", {}, ""), (List{"a", "b", "c"})) << "but only a known one";
  EXPECT_EQ(reconnect.candidates(4, "", {"d"}, "a"), (List{"d", "b", "c", "a"}))
      << "a notice names the next one; the one that goes away is the last resort";
  EXPECT_EQ(reconnect.candidates(2, "", {}, ""), (List{"a", "b"}));
  reconnect.rotate(1);
  EXPECT_EQ(reconnect.candidates(3, "", {}, ""), (List{"b", "c", "a"}));
  reconnect.learn({"c", "x"});
  EXPECT_EQ(reconnect.candidates(9, "", {}, ""), (List{"b", "c", "x", "a"}));
}

TEST(Reconnect, TheOnlyEntryIsTriedEvenIfItGoesAway) {
  Reconnect reconnect({}, {"a"});
  EXPECT_EQ(reconnect.candidates(3, "a", {}, "a"), (List{"a"}));
}

}  // namespace
}  // namespace hy::client
