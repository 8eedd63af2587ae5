#include "entry/session/push_window.h"

#include <gtest/gtest.h>

namespace hy::entry {
namespace {

const MonoTime kStart{std::chrono::hours{1}};

MonoTime at(int ms) {
  return kStart + Millis{ms};
}

std::shared_ptr<PushPayload> payload(std::uint64_t seq, std::size_t bytes = 10) {
  auto out = std::make_shared<PushPayload>();
  out->type = inner_type::kPush;
  out->body.assign(bytes, 'x');
  out->conversation = ConversationId::pair(Uid{1}, Uid{2});
  out->seq = Seq{seq};
  out->sender = Uid{1};
  return out;
}

struct Bench {
  WindowLimits limits{};
  PushWindow window{PushNumber{1}};
  RoundTrip round_trip{};

  PushWindow::Taken offer(std::shared_ptr<PushPayload> p) {
    return window.offer(std::move(p), limits, std::nullopt, MonoTime{});
  }
  void send(std::uint64_t seq, int ms) {
    const auto taken = offer(payload(seq));
    ASSERT_EQ(taken.offer, PushWindow::Offer::kTaken);
    window.on_sent(taken.number, at(ms));
  }
  bool ack(std::uint32_t n, int ms, PushWindow::Acked& out) {
    return window.ack(PushNumber{n}, at(ms), round_trip, out);
  }
};

TEST(PushWindow, NumbersRunFromOneAndAckIsCumulative) {
  Bench b;
  for (std::uint64_t seq = 1; seq <= 3; ++seq) b.send(seq, 0);
  PushWindow::Acked acked;
  EXPECT_TRUE(b.ack(2, 40, acked));
  ASSERT_EQ(acked.confirmed.size(), 2U);
  EXPECT_EQ(acked.confirmed[0]->seq, Seq{1});
  EXPECT_EQ(acked.confirmed[1]->seq, Seq{2});
  EXPECT_EQ(acked.confirmed[1]->sender, Uid{1});
  EXPECT_EQ(b.window.size(), 1U);
  EXPECT_TRUE(b.ack(3, 50, acked));
  EXPECT_TRUE(b.window.empty());
  EXPECT_EQ(b.window.bytes(), 0U);
  EXPECT_EQ(b.offer(payload(4)).number, PushNumber{4});
}

TEST(PushWindow, ADeviceMayOweAnEighthOfTheWindowForAQuarterOfTheResendWait) {
  WindowLimits limits;
  AckTerms terms = ack_terms(limits);
  EXPECT_EQ(terms.within, Millis{100});
  EXPECT_EQ(terms.owed_max, 32U);
  EXPECT_EQ(terms.bytes_max, 131'072U);
  limits.resend_min = Millis{200};
  EXPECT_EQ(ack_terms(limits).within, Millis{50}) << "or what only waits would be sent again";
  limits.resend_first = Millis{80};
  EXPECT_EQ(ack_terms(limits).within, Millis{20});
}

TEST(PushWindow, WhereNothingCouldGatherNothingMayWait) {
  WindowLimits limits;
  limits.frames_max = 15;
  EXPECT_EQ(ack_terms(limits).within, Millis{0});
  limits.frames_max = 16;
  EXPECT_EQ(ack_terms(limits).owed_max, 2U);
  limits.ack_within = Millis{0};
  EXPECT_EQ(ack_terms(limits).owed_max, 0U);
}

TEST(PushWindow, OldAcksConfirmNothingAndUngivenOnesAreFaults) {
  Bench b;
  b.send(1, 0);
  PushWindow::Acked acked;
  EXPECT_TRUE(b.ack(0, 10, acked));
  EXPECT_TRUE(acked.confirmed.empty());
  EXPECT_TRUE(b.ack(1, 10, acked));
  EXPECT_TRUE(b.ack(1, 11, acked));
  EXPECT_EQ(acked.confirmed.size(), 1U);
  EXPECT_FALSE(b.ack(2, 12, acked));
  EXPECT_FALSE(b.ack(0xFFFFFFFF, 12, acked));
}

TEST(PushWindow, AckOfAFrameThatWasNeverSentIsAFault) {
  Bench b;
  ASSERT_EQ(b.offer(payload(1)).offer, PushWindow::Offer::kTaken);
  PushWindow::Acked acked;
  EXPECT_FALSE(b.ack(1, 1, acked));
  EXPECT_TRUE(acked.confirmed.empty());
}

TEST(PushWindow, SameMessageInsideTheWindowIsDropped) {
  Bench b;
  b.send(7, 0);
  EXPECT_EQ(b.offer(payload(7)).offer, PushWindow::Offer::kDuplicate);
  EXPECT_EQ(b.window.size(), 1U);
  auto elsewhere = payload(7);
  elsewhere->conversation = ConversationId::pair(Uid{1}, Uid{3});
  EXPECT_EQ(b.offer(elsewhere).offer, PushWindow::Offer::kTaken);

  auto first = payload(0);
  first->client_msg_id.bytes[0] = 1;
  auto second = payload(0);
  second->client_msg_id.bytes[0] = 2;
  EXPECT_EQ(b.offer(first).offer, PushWindow::Offer::kTaken);
  EXPECT_EQ(b.offer(second).offer, PushWindow::Offer::kTaken);
  EXPECT_EQ(b.offer(std::make_shared<PushPayload>(*first)).offer, PushWindow::Offer::kDuplicate);
}

TEST(PushWindow, BoundedInFramesAndBytes) {
  Bench b;
  b.limits.frames_max = 4;
  for (std::uint64_t seq = 1; seq <= 4; ++seq) b.send(seq, 0);
  EXPECT_EQ(b.offer(payload(5)).offer, PushWindow::Offer::kFull);

  Bench heavy;
  heavy.limits.bytes_max = 100;
  EXPECT_EQ(heavy.offer(payload(1, 60)).offer, PushWindow::Offer::kTaken);
  EXPECT_EQ(heavy.offer(payload(2, 60)).offer, PushWindow::Offer::kFull);
  EXPECT_EQ(heavy.offer(payload(3, 40)).offer, PushWindow::Offer::kTaken);
}

TEST(PushWindow, ResendsWithBackOffThenGivesUp) {
  Bench b;
  b.send(1, 0);
  b.send(2, 0);
  std::vector<PushWindow::Resend> out;
  EXPECT_EQ(b.window.deadline(b.limits, b.round_trip), at(2'000));
  EXPECT_TRUE(b.window.step(at(1'999), b.limits, b.round_trip, out));
  EXPECT_TRUE(out.empty());
  int now = 2'000;
  for (const int wait : {4'000, 8'000, 16'000}) {
    out.clear();
    EXPECT_TRUE(b.window.step(at(now), b.limits, b.round_trip, out));
    ASSERT_EQ(out.size(), 2U);
    EXPECT_EQ(out[0].number, PushNumber{1});
    EXPECT_EQ(out[1].number, PushNumber{2});
    EXPECT_EQ(out[0].payload->seq, Seq{1});
    now += wait;
    EXPECT_EQ(b.window.deadline(b.limits, b.round_trip), at(now));
  }
  out.clear();
  EXPECT_FALSE(b.window.step(at(now), b.limits, b.round_trip, out));
  EXPECT_TRUE(out.empty());
}

TEST(PushWindow, ProgressStartsTheBackOffAnew) {
  Bench b;
  b.send(1, 0);
  b.send(2, 0);
  std::vector<PushWindow::Resend> out;
  EXPECT_TRUE(b.window.step(at(2'000), b.limits, b.round_trip, out));
  EXPECT_TRUE(b.window.step(at(6'000), b.limits, b.round_trip, out));
  PushWindow::Acked acked;
  EXPECT_TRUE(b.ack(1, 6'500, acked));
  EXPECT_FALSE(b.round_trip.is_known()) << "a resent frame says nothing about the round trip";
  EXPECT_EQ(b.window.deadline(b.limits, b.round_trip), at(8'500));
}

TEST(PushWindow, RoundTripSetsTheWait) {
  Bench b;
  b.send(1, 0);
  PushWindow::Acked acked;
  EXPECT_TRUE(b.ack(1, 800, acked));
  EXPECT_EQ(b.round_trip.resend_after(b.limits), Millis{3'200});
  b.round_trip.sample(Millis{0});
  EXPECT_LT(b.round_trip.resend_after(b.limits), Millis{3'200});
  RoundTrip fast;
  fast.sample(Millis{1});
  EXPECT_EQ(fast.resend_after(b.limits), b.limits.resend_min);
  RoundTrip slow;
  slow.sample(Millis{3'600'000});
  EXPECT_EQ(slow.resend_after(b.limits), b.limits.resend_max);
}

TEST(PushWindow, NothingIsDueBeforeAnythingWasSent) {
  Bench b;
  ASSERT_EQ(b.offer(payload(1)).offer, PushWindow::Offer::kTaken);
  EXPECT_EQ(b.window.deadline(b.limits, b.round_trip), std::nullopt);
  std::vector<PushWindow::Resend> out;
  EXPECT_TRUE(b.window.step(at(100'000), b.limits, b.round_trip, out));
  EXPECT_TRUE(out.empty());
}

TEST(PushWindow, WaitersLearnOfTheAckInTimeOnly) {
  Bench b;
  const DeliveryRef early{.replica = 0, .stream = 1, .id = 11};
  const DeliveryRef late{.replica = 1, .stream = 1, .id = 12};
  auto taken = b.window.offer(payload(1), b.limits, early, at(3'000));
  b.window.on_sent(taken.number, at(0));
  // The same message again, by another replica: no second frame, but its waiter is told too.
  EXPECT_EQ(b.window.offer(payload(1), b.limits, late, at(50)).offer,
            PushWindow::Offer::kDuplicate);
  PushWindow::Acked acked;
  EXPECT_TRUE(b.ack(1, 100, acked));
  ASSERT_EQ(acked.waiters.size(), 1U);
  EXPECT_EQ(acked.waiters[0].id, 11U);
}

TEST(PushWindow, LongRunKeepsNoDeadFront) {
  Bench b;
  PushWindow::Acked acked;
  for (std::uint64_t seq = 1; seq <= 10'000; ++seq) {
    b.send(seq, 0);
    if (seq > 3) ASSERT_TRUE(b.ack(static_cast<std::uint32_t>(seq - 3), 1, acked));
  }
  EXPECT_EQ(acked.confirmed.size(), 9'997U);
  EXPECT_EQ(b.window.size(), 3U);
}

}  // namespace
}  // namespace hy::entry
