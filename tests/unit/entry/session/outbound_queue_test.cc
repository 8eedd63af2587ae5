#include "entry/session/outbound_queue.h"

#include <gtest/gtest.h>

namespace hy::entry {
namespace {

OutFrame frame(std::uint16_t type, std::size_t bytes = 1) {
  OutFrame out;
  out.type = type;
  out.body.assign(bytes, 'x');
  return out;
}
OutFrame push() {
  return frame(inner_type::kPush);
}

constexpr QueueLimits kSmall{.frames_max = 4, .bytes_max = 1'000};

std::vector<std::uint16_t> drain(OutboundQueue& queue) {
  std::vector<std::uint16_t> out;
  while (!queue.empty()) out.push_back(queue.take().type);
  return out;
}

TEST(OutboundQueue, KeepsOrder) {
  OutboundQueue queue;
  queue.add(frame(1));
  EXPECT_EQ(queue.offer_push(push(), false, kSmall), OutboundQueue::Push::kQueued);
  queue.add(frame(2));
  EXPECT_EQ(queue.bytes(), 3U);
  EXPECT_EQ(drain(queue), (std::vector<std::uint16_t>{1, inner_type::kPush, 2}));
  EXPECT_EQ(queue.bytes(), 0U);
}

TEST(OutboundQueue, FullQueueTurnsPushesIntoOneHint) {
  OutboundQueue queue;
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(queue.offer_push(push(), false, kSmall), OutboundQueue::Push::kQueued);
  }
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(queue.offer_push(push(), false, kSmall), OutboundQueue::Push::kDropped);
  }
  const auto types = drain(queue);
  ASSERT_EQ(types.size(), 5U);
  EXPECT_EQ(types.back(), inner_type::kSyncHint);
  EXPECT_EQ(queue.hints(), 1U);
}

TEST(OutboundQueue, AnswersPassAFullQueue) {
  OutboundQueue queue;
  for (int i = 0; i < 10; ++i) (void)queue.offer_push(push(), false, kSmall);
  queue.add(frame(0x8101));
  EXPECT_EQ(drain(queue).back(), 0x8101);
}

TEST(OutboundQueue, ALastWordWaitsForAnswersAlone) {
  OutboundQueue queue;
  OutFrame shared;
  shared.type = inner_type::kPush;
  shared.push = std::make_shared<PushPayload>();
  queue.add(frame(1, 5));
  (void)queue.take();
  queue.add(frame(0x8101, 7));
  for (int i = 0; i < 6; ++i) (void)queue.offer_push(shared, false, kSmall);
  ASSERT_TRUE(queue.is_hinting());
  queue.drop_waiting_pushes();
  EXPECT_EQ(queue.bytes(), 7U);
  queue.add(frame(inner_type::kKicked));
  EXPECT_EQ(drain(queue), (std::vector<std::uint16_t>{0x8101, inner_type::kKicked}));
  EXPECT_EQ(queue.bytes(), 0U);
}

TEST(OutboundQueue, BytesBoundToo) {
  OutboundQueue queue;
  EXPECT_EQ(queue.offer_push(frame(inner_type::kPush, 900), false, kSmall),
            OutboundQueue::Push::kQueued);
  EXPECT_EQ(queue.offer_push(frame(inner_type::kPush, 200), false, kSmall),
            OutboundQueue::Push::kDropped);
}

TEST(OutboundQueue, DropsOnUntilHalfEmptyAndHintsAgainForWhatFellBetween) {
  OutboundQueue queue;
  for (int i = 0; i < 4; ++i) (void)queue.offer_push(push(), false, kSmall);
  EXPECT_EQ(queue.offer_push(push(), false, kSmall), OutboundQueue::Push::kDropped);
  (void)queue.take();
  EXPECT_FALSE(queue.recover(true, kSmall)) << "still more than half full";
  EXPECT_EQ(queue.offer_push(push(), false, kSmall), OutboundQueue::Push::kDropped);
  while (!queue.empty()) (void)queue.take();
  // Dropped after the hint left: the device may have synced before that message was committed.
  EXPECT_EQ(queue.offer_push(push(), false, kSmall), OutboundQueue::Push::kDropped);
  EXPECT_TRUE(queue.recover(true, kSmall));
  EXPECT_EQ(queue.hints(), 2U);
  EXPECT_EQ(drain(queue), std::vector<std::uint16_t>{inner_type::kSyncHint});
  EXPECT_EQ(queue.offer_push(push(), false, kSmall), OutboundQueue::Push::kQueued);
}

TEST(OutboundQueue, NoSecondHintWhenTheFirstCoveredAll) {
  OutboundQueue queue;
  for (int i = 0; i < 9; ++i) (void)queue.offer_push(push(), false, kSmall);
  while (!queue.empty()) (void)queue.take();
  EXPECT_FALSE(queue.recover(false, kSmall)) << "the window is still full";
  EXPECT_TRUE(queue.is_hinting());
  EXPECT_FALSE(queue.recover(true, kSmall));
  EXPECT_FALSE(queue.is_hinting());
  EXPECT_EQ(queue.hints(), 1U);
}

TEST(OutboundQueue, EphemeralIsDroppedFirstAndWithoutHint) {
  OutboundQueue queue;
  EXPECT_EQ(queue.offer_push(push(), true, kSmall), OutboundQueue::Push::kQueued);
  EXPECT_EQ(queue.offer_push(push(), true, kSmall), OutboundQueue::Push::kQueued);
  EXPECT_EQ(queue.offer_push(push(), true, kSmall), OutboundQueue::Push::kDropped);
  EXPECT_EQ(queue.offer_push(push(), false, kSmall), OutboundQueue::Push::kQueued);
  EXPECT_EQ(queue.hints(), 0U);
}

}  // namespace
}  // namespace hy::entry
