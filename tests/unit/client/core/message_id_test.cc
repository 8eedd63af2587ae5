#include "client/core/message_id.h"

#include <gtest/gtest.h>

#include <set>

namespace hy::client {
namespace {

TEST(MessageId, HasTheLayoutOfUuidVersion7) {
  SeededRandom random(1);
  // RFC 9562 appendix A.6: 2022-02-22 14:22:22.00 GMT-05:00 is 017f22e2-79b0-7….
  const ClientMsgId id = make_message_id(1'645'557'742'000, random);
  EXPECT_EQ(id.to_hex().substr(0, 13), "017f22e279b07");
  EXPECT_EQ(id.bytes[8] & 0xC0U, 0x80U);
}

TEST(MessageId, LaterIdsSortBehindEarlierOnes) {
  SeededRandom random(2);
  ClientMsgId before = make_message_id(0, random);
  for (std::int64_t ms = 1; ms < 10'000'000'000'000; ms *= 7) {
    const ClientMsgId id = make_message_id(ms, random);
    EXPECT_LT(before, id);
    before = id;
  }
}

TEST(MessageId, IdsOfOneMillisecondDiffer) {
  SeededRandom random(3);
  std::set<ClientMsgId> seen;
  for (int i = 0; i < 10'000; ++i) seen.insert(make_message_id(1'700'000'000'000, random));
  EXPECT_EQ(seen.size(), 10'000U);
}

TEST(MessageId, AClockBefore1970CountsAsZero) {
  SeededRandom random(4);
  EXPECT_EQ(make_message_id(-5, random).to_hex().substr(0, 13), "0000000000007");
}

}  // namespace
}  // namespace hy::client
