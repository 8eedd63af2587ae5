#include <gtest/gtest.h>

#include "entry/session/access_list.h"
#include "entry/session/connect_gate.h"
#include "entry/session/drain.h"
#include "entry/session/heartbeat.h"
#include "entry/session/ip_address.h"
#include "entry/session/rate_meter.h"

namespace hy::entry {
namespace {

IpAddress ip(std::string_view text) {
  const auto parsed = IpAddress::parse(text);
  EXPECT_TRUE(parsed.has_value()) << text;
  return parsed.value_or(IpAddress{});
}

TEST(IpAddress, ParsesShowsAndGroups) {
  EXPECT_EQ(ip("192.0.2.7").text(), "192.0.2.7");
  EXPECT_EQ(ip("2001:db8::1").text(), "2001:db8::1");
  EXPECT_EQ(IpAddress::parse("::ffff:10.0.0.1"), IpAddress::v4(0x0A000001));
  EXPECT_EQ(ip("192.0.2.7").peer_prefix(), ip("192.0.2.7"));
  EXPECT_EQ(ip("2001:db8:1:2:3::9").peer_prefix(), ip("2001:db8:1:2::"));
  for (const char* bad : {"", "1.2.3", "1.2.3.4.5", "300.1.1.1", "g::1", "10.0.0.1 "}) {
    EXPECT_FALSE(IpAddress::parse(bad)) << bad;
  }
}

TEST(IpRange, RefusesWhatIsNotAPrefix) {
  ASSERT_TRUE(IpRange::parse("10.0.0.0/8"));
  EXPECT_EQ(IpRange::parse("10.0.0.0/8")->last, ip("10.255.255.255"));
  EXPECT_EQ(IpRange::parse("2001:db8::/32")->last.text(), "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff");
  EXPECT_EQ(IpRange::parse("0.0.0.0/0")->last, ip("255.255.255.255"));
  for (const char* bad : {"10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/x", "10.0.0.0/-1",
                          "2001:db8::/129", "2001:db8::1/64"}) {
    EXPECT_FALSE(IpRange::parse(bad)) << bad;
  }
  // A zero byte ended the address, and what stood behind it was swallowed.
  EXPECT_FALSE(IpRange::parse(std::string_view("10.0.0.1\0.2", 11)));
  EXPECT_FALSE(IpAddress::parse(std::string_view("::1\0/128", 8)));
}

TEST(AccessSet, HoldsAddressesPrefixesAndUsers) {
  const auto set = AccessSet::parse(
      "# bad neighbours\n10.0.0.0/8\n10.1.0.0/16\n192.0.2.7   # one\r\n\nuid 42\nuid  7\n"
      "2001:db8::/32");
  ASSERT_TRUE(set.has_value());
  EXPECT_TRUE(set->has(ip("10.200.1.1")));
  EXPECT_TRUE(set->has(ip("10.1.2.3")));
  EXPECT_TRUE(set->has(ip("192.0.2.7")));
  EXPECT_FALSE(set->has(ip("192.0.2.8")));
  EXPECT_FALSE(set->has(ip("11.0.0.0")));
  EXPECT_FALSE(set->has(ip("9.255.255.255")));
  EXPECT_TRUE(set->has(ip("2001:db8:ffff::1")));
  EXPECT_TRUE(set->has(Uid{42}));
  EXPECT_FALSE(set->has(Uid{43}));
}

TEST(AccessSet, OneBadLineRefusesTheListAndIsNamed) {
  for (const char* bad : {"10.0.0.0/8\nnonsense\n", "10.0.0.0/8\nuid 0\n", "10.0.0.0/8\nuid x\n"}) {
    const auto set = AccessSet::parse(bad);
    ASSERT_FALSE(set.has_value()) << bad;
    EXPECT_NE(set.error().detail.find("line 2"), std::string::npos) << set.error().detail;
  }
}

TEST(AccessList, DenyWins) {
  const AccessList list(AccessSet::parse("10.0.0.0/8\nuid 1\nuid 2\n").value(),
                        AccessSet::parse("10.9.0.0/16\nuid 2\n").value());
  EXPECT_TRUE(list.admits(ip("10.1.1.1")));
  EXPECT_FALSE(list.admits(ip("10.9.1.1")));
  EXPECT_FALSE(list.admits(ip("11.1.1.1"))) << "not on the allow list";
  EXPECT_TRUE(list.admits(Uid{1}));
  EXPECT_FALSE(list.admits(Uid{2}));
  EXPECT_FALSE(list.admits(Uid{3}));
  const AccessList open;
  EXPECT_TRUE(open.admits(ip("203.0.113.9")));
  EXPECT_TRUE(open.admits(Uid{9}));
}

TEST(RateMeter, BurstThenRate) {
  const Rate rate{.per_second = 10, .burst = 3};
  RateMeter meter;
  meter.reset(1'000, rate);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(meter.take(1'000, rate));
  EXPECT_FALSE(meter.take(1'000, rate));
  EXPECT_EQ(meter.wait(rate), Millis{100});
  EXPECT_FALSE(meter.take(1'099, rate));
  EXPECT_TRUE(meter.take(1'101, rate));
  EXPECT_FALSE(meter.take(1'101, rate));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(meter.take(100'000, rate)) << "capped at the burst";
  EXPECT_FALSE(meter.take(100'000, rate));
}

TEST(RateMeter, ClockMayWrap) {
  const Rate rate{.per_second = 10, .burst = 1};
  RateMeter meter;
  meter.reset(0xFFFF'FFF0, rate);
  EXPECT_TRUE(meter.take(0xFFFF'FFF0, rate));
  EXPECT_FALSE(meter.take(0xFFFF'FFF8, rate));
  EXPECT_TRUE(meter.take(100, rate));
}

TEST(ConnectGate, CapsUnauthenticatedPerPeer) {
  GateLimits limits;
  limits.unauthenticated_per_peer_max = 2;
  ConnectGate gate(limits);
  const IpAddress a = ip("192.0.2.1");
  EXPECT_EQ(gate.accept(a, 0), Errc::kOk);
  EXPECT_EQ(gate.accept(a, 0), Errc::kOk);
  EXPECT_EQ(gate.accept(a, 0), Errc::kConnectRate);
  EXPECT_EQ(gate.accept(ip("192.0.2.2"), 0), Errc::kOk);
  EXPECT_TRUE(gate.login(a));
  EXPECT_EQ(gate.accept(a, 0), Errc::kOk) << "a logged-in connection no longer counts";
  gate.leave(a, true);
  gate.leave(a, false);
  EXPECT_EQ(gate.connections(), 2U);
}

TEST(ConnectGate, OneV6NetworkIsOnePeer) {
  GateLimits limits;
  limits.unauthenticated_per_peer_max = 1;
  ConnectGate gate(limits);
  EXPECT_EQ(gate.accept(ip("2001:db8:0:1::1"), 0), Errc::kOk);
  EXPECT_EQ(gate.accept(ip("2001:db8:0:1::2"), 0), Errc::kConnectRate);
  EXPECT_EQ(gate.accept(ip("2001:db8:0:2::1"), 0), Errc::kOk);
}

TEST(ConnectGate, ConnectRateAndTotals) {
  GateLimits limits;
  limits.connects_per_peer = {.per_second = 1, .burst = 2};
  limits.connections_max = 3;
  ConnectGate gate(limits);
  const IpAddress a = ip("192.0.2.1");
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(gate.accept(a, 0), Errc::kOk);
    gate.leave(a, false);
  }
  EXPECT_EQ(gate.accept(a, 500), Errc::kConnectRate);
  EXPECT_EQ(gate.accept(a, 1'001), Errc::kOk);
  EXPECT_EQ(gate.accept(ip("192.0.2.2"), 0), Errc::kOk);
  EXPECT_EQ(gate.accept(ip("192.0.2.3"), 0), Errc::kOk);
  EXPECT_EQ(gate.accept(ip("192.0.2.4"), 0), Errc::kTooManyConnections);
}

TEST(ConnectGate, ForgetsPeersThatTellNothing) {
  ConnectGate gate(GateLimits{});
  for (std::uint32_t i = 0; i < 100'000; ++i) {
    const IpAddress peer = IpAddress::v4(0x0A000000U + i);
    ASSERT_EQ(gate.accept(peer, i), Errc::kOk);
    gate.leave(peer, false);
  }
  EXPECT_LT(gate.peers(), 3'000U);
}

TEST(Heartbeat, TwoAndAHalfIntervals) {
  EXPECT_EQ(silence_max(Millis{60'000}), Millis{150'000});
  EXPECT_EQ(silence_max(Millis{10}), Millis{1'000});
  EXPECT_LE(silence_left(Millis{60'000}, Millis{150'000}), Millis{0});
  EXPECT_EQ(silence_left(Millis{60'000}, Millis{100'000}), Millis{50'000});
}

TEST(DrainPlan, TellsInStepsWaitsAndIsBounded) {
  const MonoTime start{std::chrono::hours{1}};
  DrainPlan plan({.spread = Millis{1'000}, .flush = Millis{400}, .told_per_step = 10});
  EXPECT_FALSE(plan.is_draining());
  plan.start(start, 25);
  auto step = plan.step(start, 25);
  EXPECT_EQ(step.tell, 10U);
  EXPECT_EQ(step.wait_max, Millis{1'000});
  step = plan.step(start + Millis{50}, 25);
  EXPECT_EQ(step.tell, 10U);
  EXPECT_EQ(step.wait_max, Millis{950});
  EXPECT_EQ(plan.step(start + Millis{100}, 25).tell, 5U);
  EXPECT_EQ(plan.step(start + Millis{150}, 9).tell, 0U);
  EXPECT_FALSE(plan.step(start + Millis{1'100}, 9).close_rest);
  EXPECT_TRUE(plan.step(start + Millis{1'200}, 9).close_rest);
  EXPECT_FALSE(plan.step(start + Millis{1'250}, 1).done);
  step = plan.step(start + Millis{1'400}, 1);
  EXPECT_TRUE(step.done);
  EXPECT_TRUE(step.close_rest);
}

TEST(DrainPlan, OverAsSoonAsNobodyIsLeft) {
  const MonoTime start{std::chrono::hours{1}};
  DrainPlan plan({});
  plan.start(start, 3);
  EXPECT_EQ(plan.step(start, 3).tell, 3U);
  EXPECT_TRUE(plan.step(start + Millis{50}, 0).done);
}

}  // namespace
}  // namespace hy::entry
