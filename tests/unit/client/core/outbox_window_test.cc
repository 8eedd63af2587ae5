#include <gtest/gtest.h>

#include "client/core/outbox.h"

namespace hy::client {
namespace {

constexpr Uid kMe{1};
constexpr Uid kPeer{2};

ClientMsgId put(Outbox& outbox, Turn& turn, MonoTime now, std::uint64_t n, Uid to = kPeer) {
  OutboxRecord record;
  put_be(record.id.bytes.data(), n);
  record.conversation = ConversationId::pair(kMe, to);
  record.to = to;
  const ClientMsgId id = record.id;
  EXPECT_TRUE(outbox.submit(turn, now, std::move(record)));
  return id;
}

/// The store is away for a thousand messages: each goes out once at once, and no more than a window
/// of them asks again.
TEST(OutboxWindow, RelayedMessagesDoNotHoldUpNewOnes) {
  const OutboxSettings settings;
  Outbox outbox(settings);
  SeededRandom random{1};
  Turn turn;
  MonoTime now{std::chrono::hours(1)};
  outbox.connected(now);
  constexpr std::uint64_t kMessages = 1'000;
  for (std::uint64_t n = 1; n <= kMessages; ++n) {
    const ClientMsgId id = put(outbox, turn, now, n);
    const auto orders = outbox.take_due(turn, now, random);
    ASSERT_EQ(orders.size(), 1U) << "message " << n;
    ASSERT_EQ(orders[0].id, id);
    EXPECT_EQ(orders[0].after.has_value(), n > 1);
    EXPECT_EQ(outbox.answered(turn, now, id, {.recheck_after = Millis{5'000}}, random), nullptr);
  }
  EXPECT_EQ(outbox.in_flight(), 0U);
  now = now + std::chrono::hours(1);
  const auto asked = outbox.take_due(turn, now, random);
  EXPECT_EQ(asked.size(), settings.window_per_conversation);
  // What stands behind the window waits for an event, not for a time that has passed.
  EXPECT_GT(outbox.wake_at(), now);

  // The store is back: from the front, a window at a time, until nothing is left.
  std::uint64_t stored = 0;
  auto orders = asked;
  while (!orders.empty()) {
    for (const SendOrder& order : orders) {
      EXPECT_NE(
          outbox.answered(turn, now, order.id, {.stored = true, .seq = Seq{++stored}}, random),
          nullptr);
    }
    orders = outbox.take_due(turn, now, random);
  }
  EXPECT_EQ(stored, kMessages);
  EXPECT_EQ(outbox.size(), 0U);
}

/// A full window holds up what is new, not what is asked again: else the resends of a conversation
/// behind a waiting one would never leave, and the driver would be woken for them without end.
TEST(OutboxWindow, AWaitingConversationDoesNotHoldUpTheResendsOfOthers) {
  OutboxSettings settings;
  settings.window_total = 2;
  Outbox outbox(settings);
  SeededRandom random{1};
  Turn turn;
  MonoTime now{std::chrono::hours(1)};
  outbox.connected(now);
  const ClientMsgId first = put(outbox, turn, now, 1, Uid{3});
  const ClientMsgId second = put(outbox, turn, now, 2, Uid{3});
  ASSERT_EQ(outbox.take_due(turn, now, random).size(), 2U);
  put(outbox, turn, now, 3, Uid{2});  // its conversation comes first, and there is no room
  EXPECT_TRUE(outbox.take_due(turn, now, random).empty());

  now = now + std::chrono::hours(1);
  const auto again = outbox.take_due(turn, now, random);
  ASSERT_EQ(again.size(), 2U);
  EXPECT_EQ(again[0].id, first);
  EXPECT_EQ(again[1].id, second);
  EXPECT_GT(outbox.wake_at(), now);
}

}  // namespace
}  // namespace hy::client
