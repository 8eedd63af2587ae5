#include "das/lane/lane_router.h"

#include <gtest/gtest.h>

#include <deque>
#include <map>

#include "common/base/random.h"

namespace hy::das {
namespace {

AppendRequest request_of(std::uint64_t person, std::uint64_t ticket = 0) {
  AppendRequest request;
  request.pending.item.conv = ConversationId::pair(Uid{person}, Uid{1'000'000});
  request.ticket = ticket;
  return request;
}

Completion done(std::uint64_t ticket) {
  Completion out;
  out.appends.push_back({ticket, Stored{}, 0, 0, 0});
  return out;
}

TEST(LaneRouter, ALightLoadGoesToTheFirstLaneAlone) {
  LaneRouter router(2);
  std::deque<std::uint64_t> open;
  for (std::uint64_t person = 1; person <= 10'000; ++person) {
    AppendRequest request = request_of(person);
    ASSERT_EQ(router.route(request), 0U);
    open.push_back(request.ticket);
    if (open.size() < LaneRouter::kFullFrom) continue;
    Completion one = done(open.front());
    open.pop_front();
    router.release(router.answered(one));
  }
}

TEST(LaneRouter, WhatComesBeyondIsSpreadEvenly) {
  LaneRouter router(2);
  for (std::uint64_t person = 1; person <= 4'000; ++person) {
    AppendRequest request = request_of(person);
    router.route(request);
  }
  EXPECT_NEAR(static_cast<double>(router.open(0)), 2'000, 200);
  EXPECT_EQ(router.open(0) + router.open(1), 4'000U);
}

TEST(LaneRouter, ALaneThatHangsKeepsWhatItHasAndGetsItsOwnAlone) {
  LaneRouter router(2);
  AppendRequest before = request_of(7);
  ASSERT_EQ(router.route(before), 0U);
  router.set_ready(0, false);
  AppendRequest after = request_of(7);
  EXPECT_EQ(router.route(after), 0U) << "behind the one before it";
  std::size_t elsewhere = 0;
  for (std::uint64_t person = 100; person < 200; ++person) {
    AppendRequest request = request_of(person);
    elsewhere += router.route(request);
  }
  EXPECT_GT(elsewhere, 30U);
  EXPECT_LT(elsewhere, 70U);
}

TEST(LaneRouter, TheCallersTicketsComeBack) {
  LaneRouter router(3);
  AppendRequest first = request_of(1, 77);
  AppendRequest second = request_of(2, 5);
  router.route(first);
  router.route(second);
  EXPECT_NE(first.ticket, second.ticket);
  Completion both = done(second.ticket);
  both.appends.push_back({first.ticket, Stored{}, 0, 0, 0});
  const auto groups = router.answered(both);
  EXPECT_EQ(both.appends[0].ticket, 5U);
  EXPECT_EQ(both.appends[1].ticket, 77U);
  EXPECT_EQ(router.open(0), 2U) << "held until the answers are handed over";
  router.release(groups);
  EXPECT_EQ(router.open(0), 0U);
}

/// Random load, random answers in the order of each lane, lanes that hang and come back.
TEST(LaneRouter, AConversationIsNeverInTwoLanes) {
  SeededRandom random(11);
  LaneRouter router(3);
  struct Open {
    std::uint64_t person = 0;
    std::uint64_t ticket = 0;
  };
  std::vector<std::deque<Open>> lanes(3);
  std::map<std::uint64_t, std::map<std::size_t, int>> where;
  std::size_t moved = 0;
  std::map<std::uint64_t, std::size_t> last;
  std::size_t load = 50;
  for (int step = 0; step < 200'000; ++step) {
    if (step % 1'000 == 0) load = 20 + random.below(1'000);
    if (random.below(100) == 0) router.set_ready(random.below(3), random.below(2) == 0);
    std::size_t open = 0;
    for (const auto& lane : lanes) open += lane.size();
    if (open < load) {
      const std::uint64_t person = 1 + random.below(2'000);
      AppendRequest request = request_of(person);
      const std::size_t lane = router.route(request);
      auto& mine = where[person];
      ++mine[lane];
      ASSERT_EQ(mine.size(), 1U) << "in two lanes at once, step " << step;
      if (const auto it = last.find(person); it != last.end() && it->second != lane) ++moved;
      last[person] = lane;
      lanes[lane].push_back({person, request.ticket});
      continue;
    }
    const std::size_t lane = random.below(3);
    if (lanes[lane].empty()) continue;
    const Open one = lanes[lane].front();
    lanes[lane].pop_front();
    Completion completion = done(one.ticket);
    router.release(router.answered(completion));
    auto& mine = where[one.person];
    if (--mine[lane] == 0) mine.erase(lane);
  }
  EXPECT_GT(moved, 1'000U) << "nothing was tried";
}

}  // namespace
}  // namespace hy::das
