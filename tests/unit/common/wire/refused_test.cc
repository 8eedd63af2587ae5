#include "common/wire/refused.h"

#include <gtest/gtest.h>

namespace hy::wire {
namespace {

TEST(Refused, RoundTrip) {
  const Error error{Errc::kRateLimited, "слишком быстро", std::chrono::milliseconds(1500)};
  const Bytes body = encode_refused(error, 12, 34);
  const auto out = decode_refused(as_bytes(body));
  ASSERT_TRUE(out);
  EXPECT_EQ(out->error.code, Errc::kRateLimited);
  EXPECT_EQ(out->error.detail, "слишком быстро");
  EXPECT_EQ(out->error.retry_after.count(), 1500);
  EXPECT_EQ(out->scope, error_info(Errc::kRateLimited).scope);
  EXPECT_EQ(out->conn_counter, 12U);
  EXPECT_EQ(out->head_seq, 34U);
}

TEST(Refused, EveryRowOfTheTable) {
  for (const ErrorInfo& row : error_table()) {
    if (row.code == Errc::kOk) continue;
    const auto out = decode_refused(as_bytes(encode_refused({row.code, "", {}})));
    ASSERT_TRUE(out);
    EXPECT_EQ(out->error.code, row.code);
    EXPECT_EQ(out->scope, row.scope);
  }
}

TEST(Refused, DetailThatIsNoUtf8IsDropped) {
  const auto out = decode_refused(as_bytes(encode_refused({Errc::kInternal, "a\xff\xfe", {}})));
  ASSERT_TRUE(out);
  EXPECT_EQ(out->error.detail, "");
}

TEST(Refused, NegativeAndHugeWaitsAreCut) {
  using std::chrono::milliseconds;
  const auto wait = [](std::int64_t ms) {
    const auto body = encode_refused({Errc::kInternal, "", milliseconds(ms)});
    return decode_refused(as_bytes(body)).value().error.retry_after.count();
  };
  EXPECT_EQ(wait(-5), 0);
  EXPECT_EQ(wait(1LL << 40), 0xFFFFFFFF);
}

TEST(Refused, HostileBodies) {
  EXPECT_FALSE(decode_refused({})) << "a refusal without a code says nothing";
  EXPECT_FALSE(decode_refused(as_bytes("\xff\xff\xff")));
  EXPECT_FALSE(decode_refused(as_bytes("\x08\x80\x80\x80\x01"))) << "a code above 16 bits";
  EXPECT_FALSE(decode_refused(as_bytes("\x08\x01\x22\x02\xff\xfe"))) << "detail is not UTF-8";
  const auto unknown = decode_refused(as_bytes("\x08\xb9\x3e\x10\x09"));  // 7993, scope 9
  ASSERT_TRUE(unknown);
  EXPECT_EQ(static_cast<int>(unknown->error.code), 7993);
  EXPECT_GE(static_cast<int>(unknown->scope), 1);
  EXPECT_LE(static_cast<int>(unknown->scope), 4);
}

}  // namespace
}  // namespace hy::wire
