#include "entry/session/small_bodies.h"

#include <gtest/gtest.h>

#include "hy/client/v1/command.pb.h"
#include "hy/client/v1/login.pb.h"

namespace hy::entry {
namespace {

TEST(SmallBodies, AreWhatTheGeneratedCodeReads) {
  client::v1::GoAway goaway;
  ASSERT_TRUE(goaway.ParseFromString(goaway_body(Errc::kConnectionTooOld, Millis{70'000})));
  EXPECT_EQ(goaway.code(), 1017U);
  EXPECT_EQ(goaway.wait_max_ms(), 70'000U);
  ASSERT_TRUE(goaway.ParseFromString(goaway_body(Errc::kDraining, Millis{0})));
  EXPECT_EQ(goaway.wait_max_ms(), 0U);
  EXPECT_EQ(goaway.SerializeAsString(), goaway_body(Errc::kDraining, Millis{-5}));

  client::v1::Refused refused;
  ASSERT_TRUE(refused.ParseFromString(
      refused_body(Errc::kStaleEpoch, Millis{250}, "a newer connection", 9)));
  EXPECT_EQ(refused.code(), 2007U);
  EXPECT_EQ(refused.scope(), 2U);
  EXPECT_EQ(refused.retry_after_ms(), 250U);
  EXPECT_EQ(refused.detail(), "a newer connection");
  EXPECT_EQ(refused.conn_counter(), 9U);
}

TEST(SmallBodies, LoginAnswerIsExtendedByConcatenation) {
  client::v1::LoginAnswer answer;
  answer.set_uid(5);
  answer.set_name("alice");
  Bytes body = answer.SerializeAsString();
  append_registration_partial(body);
  client::v1::LoginAnswer extended;
  ASSERT_TRUE(extended.ParseFromString(body));
  EXPECT_TRUE(extended.registration_partial());
  EXPECT_EQ(extended.name(), "alice");
  EXPECT_EQ(extended.ack_within_ms(), 0U);
  append_ack_terms(body, {.within = Millis{100}, .owed_max = 32, .bytes_max = 131'072});
  ASSERT_TRUE(extended.ParseFromString(body));
  EXPECT_EQ(extended.ack_within_ms(), 100U);
  EXPECT_EQ(extended.ack_owed_max(), 32U);
  EXPECT_EQ(extended.ack_owed_bytes_max(), 131'072U);
  EXPECT_TRUE(extended.registration_partial());
}

TEST(SmallBodies, NothingIsSaidWhereNothingMayBeOwed) {
  Bytes body;
  append_ack_terms(body, {});
  EXPECT_TRUE(body.empty());
}

}  // namespace
}  // namespace hy::entry
