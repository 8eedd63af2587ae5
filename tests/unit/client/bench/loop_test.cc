#include "client/load/loop.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

namespace hy::load {
namespace {

using namespace std::chrono_literals;

MonoTime now() {
  return std::chrono::steady_clock::now();
}

struct Ear final : Loop::Source {
  explicit Ear(Loop& in) : loop(in) {
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    EXPECT_TRUE(loop.add(ends[0], *this));
  }
  ~Ear() override {
    ::close(ends[0]);
    ::close(ends[1]);
  }
  void on_events(std::uint32_t) override {}
  void on_turn_end() override { heard.push_back(now()); }

  Loop& loop;
  int ends[2] = {-1, -1};
  std::vector<MonoTime> heard;
};

TEST(Loop, CallsLaterOnceAndNotBefore) {
  Loop loop;
  Ear ear(loop);
  const MonoTime at = now() + 20ms;
  loop.call_later(ear, at);
  loop.call_later(ear, now());  // it is called later already
  while (ear.heard.empty() && now() < at + 5s) loop.turn(now() + 1s);
  ASSERT_EQ(ear.heard.size(), 1U);
  EXPECT_GE(ear.heard[0], at);
  loop.turn(now());
  EXPECT_EQ(ear.heard.size(), 1U);
  loop.call_later(ear, now());
  loop.turn(now() + 1s);
  EXPECT_EQ(ear.heard.size(), 2U) << "it may ask again";
  loop.remove(ear.ends[0], ear);
}

TEST(Loop, WhoIsRemovedIsNotCalled) {
  Loop loop;
  Ear gone(loop);
  Ear stays(loop);
  loop.call_later(gone, now() + 1ms);
  loop.call_later(stays, now() + 2ms);
  loop.remove(gone.ends[0], gone);
  const MonoTime limit = now() + 5s;
  while (stays.heard.empty() && now() < limit) loop.turn(now() + 1s);
  EXPECT_EQ(stays.heard.size(), 1U);
  EXPECT_TRUE(gone.heard.empty());
  loop.remove(stays.ends[0], stays);
}

}  // namespace
}  // namespace hy::load
