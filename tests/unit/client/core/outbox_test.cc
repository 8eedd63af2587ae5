#include "client/core/outbox.h"

#include <gtest/gtest.h>

#include "client/core/backoff.h"
#include "client/core/receipt_watch.h"

namespace hy::client {
namespace {

constexpr Uid kMe{1};

class OutboxTest : public testing::Test {
 protected:
  explicit OutboxTest(OutboxSettings s = {}) : settings(s), outbox(s) {}
  ClientMsgId put(std::uint64_t n, Uid to = Uid{2}) {
    OutboxRecord record;
    put_be(record.id.bytes.data(), n);
    record.conversation = ConversationId::pair(kMe, to);
    record.to = to;
    record.body = "m" + std::to_string(n);
    const ClientMsgId id = record.id;
    EXPECT_TRUE(outbox.submit(turn, now, std::move(record)));
    return id;
  }
  std::vector<SendOrder> due() { return outbox.take_due(turn, now, random); }
  std::vector<std::string> due_bodies() {
    std::vector<std::string> out;
    for (const SendOrder& order : due()) out.push_back(order.body);
    return out;
  }
  void store(const ClientMsgId& id, std::uint64_t seq) {
    EXPECT_NE(outbox.answered(turn, now, id, {.stored = true, .seq = Seq{seq}}, random), nullptr);
  }
  void refuse(const ClientMsgId& id, Errc code, Millis after = Millis{0}) {
    outbox.refused(turn, now, id, code, after, random);
  }
  using List = std::vector<std::string>;

  OutboxSettings settings;
  Outbox outbox;
  SeededRandom random{1};
  Turn turn;
  MonoTime now{std::chrono::hours(1)};
};

TEST_F(OutboxTest, OfflineItOnlyWritesAndOnlineItSendsInOrderEachNamingItsPredecessor) {
  const auto m1 = put(1);
  const auto m2 = put(2);
  EXPECT_EQ(turn.writes.size(), 2u);
  EXPECT_TRUE(due().empty());
  outbox.connected(now);
  const auto orders = due();
  ASSERT_EQ(orders.size(), 2u);
  EXPECT_FALSE(orders[0].after);
  EXPECT_EQ(orders[1].after, m1);
  EXPECT_EQ(orders[1].id, m2);
  EXPECT_TRUE(due().empty()) << "nothing twice before its time";
}

TEST_F(OutboxTest, ResendsWithinTheirBoundsAndBacksOff) {
  outbox.connected(now);
  put(1);
  due();
  for (std::uint32_t n = 1; n <= 12; ++n) {
    const MonoTime sent = now;
    now = outbox.wake_at();
    const auto wait = std::chrono::duration_cast<Millis>(now - sent);
    EXPECT_GE(wait, settings.resend_min);
    EXPECT_LE(wait,
              settings.resend_min + backoff_cap(settings.resend_min, settings.resend_max, n - 1));
    const auto again = due();
    ASSERT_EQ(again.size(), 1u);
    EXPECT_EQ(again[0].try_number, n + 1);
  }
}

TEST_F(OutboxTest, TheWindowBoundsWhatIsInFlight) {
  outbox.connected(now);
  for (std::uint64_t n = 1; n <= 100; ++n) put(n);
  EXPECT_EQ(due().size(), settings.window_per_conversation);
  for (std::uint64_t n = 101; n <= 200; ++n) put(n, Uid{3});
  EXPECT_EQ(due().size(), settings.window_total - settings.window_per_conversation);
  EXPECT_EQ(outbox.in_flight(), settings.window_total);
}

/// A server that takes less at once than the window refuses the rest of each round: without a
/// smaller window the same ones would be refused again, later and later.
TEST_F(OutboxTest, TooManyInFlightHalvesTheWindowAndEachStoredOneWidensIt) {
  outbox.connected(now);
  for (std::uint64_t n = 1; n <= 20; ++n) put(n);
  const auto first = due();
  ASSERT_EQ(first.size(), 20u);
  for (const SendOrder& order : first) refuse(order.id, Errc::kTooManyInFlight);
  now += settings.resend_max;
  auto orders = due();
  ASSERT_EQ(orders.size(), 1u);
  std::uint64_t seq = 0;
  std::size_t widest = 1;
  while (!orders.empty()) {
    for (const SendOrder& order : orders) store(order.id, ++seq);
    orders = due();
    widest = std::max(widest, orders.size());
  }
  EXPECT_EQ(seq, 20u) << "each round goes out as soon as the one before is stored";
  EXPECT_GT(widest, 4u);
}

TEST_F(OutboxTest, AGapMakesThePredecessorDueAndTheSuccessorFollowsBehindIt) {
  outbox.connected(now);
  put(1);
  const auto m2 = put(2);
  const auto m3 = put(3);
  due();
  refuse(m2, Errc::kGap);
  refuse(m3, Errc::kGap);
  EXPECT_TRUE(due().empty()) << "not before m1";
  now += settings.gap_wait;
  EXPECT_EQ(due_bodies(), (List{"m1", "m2", "m3"}));
}

TEST_F(OutboxTest, AGapAnsweredLateGoesOutAtOnceWhenThePredecessorWasStored) {
  outbox.connected(now);
  const auto m1 = put(1);
  const auto m2 = put(2);
  due();
  refuse(m2, Errc::kGap);
  store(m1, 1);
  const auto orders = due();
  ASSERT_EQ(orders.size(), 1u);
  EXPECT_FALSE(orders[0].after);
}

TEST_F(OutboxTest, AnythingButStoredKeepsTheItem) {
  outbox.connected(now);
  const auto id = put(1);
  for (const ErrorInfo& info : error_table()) {
    if (info.code == Errc::kOk) continue;
    due();
    refuse(id, info.code);
    EXPECT_TRUE(outbox.has(id)) << info.name;
    (void)outbox.retry(turn, now, id);
    now += std::chrono::minutes(2);
  }
  outbox.disconnected();
  EXPECT_EQ(outbox.size(), 1u);
  turn.clear();
  store(id, 1);
  EXPECT_FALSE(outbox.has(id));
  ASSERT_EQ(turn.writes.size(), 1u);
  EXPECT_TRUE(std::holds_alternative<DropOutbox>(turn.writes[0]));
}

TEST_F(OutboxTest, ARefusalThatMayPassHoldsTheLineForItsTime) {
  outbox.connected(now);
  const auto m1 = put(1);
  due();
  refuse(m1, Errc::kRateLimited, Millis{5'000});
  put(2, Uid{3});
  EXPECT_TRUE(due().empty()) << "the limit is the user's: other conversations wait too";
  now += Millis{4'999};
  EXPECT_TRUE(due().empty());
  now += Millis{1 + 1'000};
  EXPECT_EQ(due_bodies(), (List{"m1", "m2"}));
}

TEST_F(OutboxTest, ARefusalForGoodIsSetAsideAndTheChainClosesOverIt) {
  outbox.connected(now);
  const auto m1 = put(1);
  const auto m2 = put(2);
  due();
  refuse(m1, Errc::kBlocked);
  refuse(m2, Errc::kGap);
  now += settings.gap_wait;
  const auto orders = due();
  ASSERT_EQ(orders.size(), 1u);
  EXPECT_FALSE(orders[0].after) << "m1 is no predecessor any more";
  EXPECT_TRUE(outbox.has(m1));
}

TEST_F(OutboxTest, RelayedRechecksAndTheFirstStoredWakesTheOthers) {
  outbox.connected(now);
  const auto m1 = put(1);
  const auto m2 = put(2);
  due();
  for (const auto& id : {m1, m2}) {
    EXPECT_EQ(outbox.answered(turn, now, id, {.recheck_after = Millis{20'000}}, random), nullptr);
  }
  EXPECT_TRUE(due().empty());
  now += Millis{21'000};
  EXPECT_EQ(due_bodies().front(), "m1");
  store(m1, 1);
  if (outbox.in_flight() == 0) EXPECT_EQ(due_bodies(), (List{"m2"}));
}

TEST_F(OutboxTest, AGapBehindRelayedOnesBringsThemAllAtOnce) {
  outbox.connected(now);
  std::vector<ClientMsgId> relayed;
  for (std::uint64_t n = 1; n <= 6; ++n) relayed.push_back(put(n));
  due();
  for (const auto& id : relayed)
    EXPECT_EQ(outbox.answered(turn, now, id, {.recheck_after = Millis{20'000}}, random), nullptr);
  const auto fresh = put(7);
  EXPECT_EQ(due_bodies(), (List{"m7"}));
  refuse(fresh, Errc::kGap);  // the store is back, and m6 is not in it
  now += settings.gap_wait;
  EXPECT_EQ(due_bodies(), (List{"m1", "m2", "m3", "m4", "m5", "m6", "m7"}))
      << "one round trip, not one for each of them";
}

TEST_F(OutboxTest, TheStoresReturnBringsWhatWasRelayedAtOnce) {
  outbox.connected(now);
  std::vector<ClientMsgId> relayed;
  for (std::uint64_t n = 1; n <= 3; ++n) relayed.push_back(put(n));
  due();
  for (const auto& id : relayed)
    EXPECT_EQ(outbox.answered(turn, now, id, {.recheck_after = Millis{20'000}}, random), nullptr);
  now += Millis{5};
  const auto fresh = put(4);
  EXPECT_EQ(due_bodies(), (List{"m4"}));
  now += Millis{5};
  outbox.store_is_back(now);
  EXPECT_EQ(outbox.wake_at(), now);
  EXPECT_EQ(due_bodies(), (List{"m1", "m2", "m3"})) << "m4 is on its way";
  // Its answer was on its way when the store came back: it does not wait for a recheck time.
  now += Millis{5};
  EXPECT_EQ(outbox.answered(turn, now, fresh, {.recheck_after = Millis{5'000}}, random), nullptr);
  EXPECT_EQ(due_bodies(), (List{"m4"}));
  // What is relayed again after the return waits as before: the hint makes no loop.
  now += Millis{5};
  EXPECT_EQ(outbox.answered(turn, now, fresh, {.recheck_after = Millis{5'000}}, random), nullptr);
  EXPECT_TRUE(due_bodies().empty());
  EXPECT_GE(outbox.wake_at(), now + settings.resend_min);
}

TEST_F(OutboxTest, AfterARestartTheOldOrderAndAgesHold) {
  OutboxRecord old;
  put_be(old.id.bytes.data(), std::uint64_t{1});
  old.conversation = ConversationId::pair(kMe, Uid{2});
  old.order = 7;
  old.created_ms = 0;
  OutboxRecord young = old;
  put_be(young.id.bytes.data(), std::uint64_t{2});
  young.order = 8;
  young.body = "young";
  young.created_ms = Millis(settings.resend_for).count();
  outbox.load({old, young}, now, Millis(settings.resend_for).count());
  outbox.expire(turn, now);
  outbox.connected(now);
  EXPECT_EQ(due_bodies(), (List{"young"})) << "the other one is 72 hours old: unsure, kept";
  EXPECT_EQ(outbox.items().front().step, Step::kUnsure);
  put(3);
  EXPECT_EQ(outbox.items().back().order, 9u);
}

TEST_F(OutboxTest, ABoundedNumberOfItems) {
  OutboxSettings small;
  small.items_max = 2;
  outbox = Outbox(small);
  put(1);
  put(2);
  OutboxRecord third;
  third.conversation = ConversationId::pair(kMe, Uid{2});
  put_be(third.id.bytes.data(), std::uint64_t{3});
  EXPECT_EQ(outbox.submit(turn, now, third).error().code, Errc::kStoreFull);
}

TEST(ReceiptWatch, ReceiptsBeforeAndAfterTheAnswerReachTheRightMessages) {
  const auto conversation = ConversationId::pair(Uid{1}, Uid{2});
  const auto id_of = [](std::uint8_t n) {
    ClientMsgId id;
    id.bytes[0] = n;
    return id;
  };
  ReceiptWatch watch;
  Turn turn;
  watch.stored(turn, conversation, Seq{1}, id_of(1));
  watch.stored(turn, conversation, Seq{3}, id_of(3));
  EXPECT_EQ(watch.receipt(turn, conversation, Seq{3}, false), id_of(3));
  watch.stored(turn, conversation, Seq{2}, id_of(2));  // its answer came late
  watch.receipt(turn, conversation, Seq{3}, true);
  std::vector<std::pair<int, Step>> steps;
  for (const Notice& notice : turn.notices) {
    const auto& step = std::get<StepChanged>(notice);
    steps.emplace_back(step.id.bytes[0], step.step);
  }
  EXPECT_EQ(steps, (std::vector<std::pair<int, Step>>{{1, Step::kDelivered},
                                                      {3, Step::kDelivered},
                                                      {2, Step::kDelivered},
                                                      {1, Step::kRead},
                                                      {2, Step::kRead},
                                                      {3, Step::kRead}}));
}

}  // namespace
}  // namespace hy::client
