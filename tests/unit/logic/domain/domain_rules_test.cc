// conversation_id, message_rules, permission, name_rules, pair_facts_cache, lru_map, payload_hash.
#include <gtest/gtest.h>

#include "logic/domain/conversation_id.h"
#include "logic/domain/lru_map.h"
#include "logic/domain/message_rules.h"
#include "logic/domain/name_rules.h"
#include "logic/domain/pair_facts_cache.h"
#include "logic/domain/payload_hash.h"
#include "logic/domain/permission.h"

namespace hy::logic {
namespace {

Errc code(const Status& status) {
  return status ? Errc::kOk : status.error().code;
}

TEST(ConversationOf, OnlyOwnPairs) {
  const auto pair = ConversationId::pair(Uid{3}, Uid{7});
  EXPECT_EQ(*conversation_of(pair.to_bytes(), Uid{7}), pair);
  EXPECT_EQ(conversation_of(pair.to_bytes(), Uid{4}).error().code, Errc::kNotMember);
  EXPECT_EQ(conversation_of(ConversationId{7, 7}.to_bytes(), Uid{7}).error().code,
            Errc::kNotMember);
  EXPECT_EQ(conversation_of("", Uid{7}).error().code, Errc::kMalformedBody);
  EXPECT_EQ(conversation_of(std::string(17, 'x'), Uid{7}).error().code, Errc::kMalformedBody);
}

TEST(ConversationOf, GroupsAreTheStoresToJudge) {
  const auto group = ConversationId::group(Gid{9});
  EXPECT_EQ(*conversation_of(group.to_bytes(), Uid{7}), group);
  EXPECT_EQ(conversation_of(ConversationId{}.to_bytes(), Uid{7}).error().code, Errc::kNotMember);
  EXPECT_EQ(conversation_of(ConversationId{0, 1ULL << 63U}.to_bytes(), Uid{7}).error().code,
            Errc::kNotMember);
}

TEST(Permission, EveryCombination) {
  const auto pair = ConversationId::pair(Uid{1}, Uid{2});
  for (int bits = 0; bits < 16; ++bits) {
    const PairFacts facts{.a_exists = (bits & 1) != 0,
                          .b_exists = (bits & 2) != 0,
                          .a_blocks_b = (bits & 4) != 0,
                          .b_blocks_a = (bits & 8) != 0};
    const bool exist = facts.a_exists && facts.b_exists;
    EXPECT_EQ(code(may_send(pair, Uid{1}, facts)), !exist             ? Errc::kUnknownUser
                                                   : facts.b_blocks_a ? Errc::kBlocked
                                                                      : Errc::kOk);
    EXPECT_EQ(code(may_send(pair, Uid{2}, facts)), !exist             ? Errc::kUnknownUser
                                                   : facts.a_blocks_b ? Errc::kBlocked
                                                                      : Errc::kOk);
  }
}

TEST(Names, UtfEightWithoutWhatTurnsOrHidesText) {
  for (const std::string_view good : {"a", "alice", "鸿雁", "Ünïcödé", "name with space", "👋"}) {
    EXPECT_EQ(code(check_name(good)), Errc::kOk) << good;
  }
  EXPECT_EQ(code(check_name(std::string(64, 'x'))), Errc::kOk);
  for (const std::string_view bad :
       {"", " a", "a ", "a\nb", "a\x7f", "a\u202eb", "\u200b", "\ufeffa", "a\u2028", "\u0085"}) {
    EXPECT_EQ(code(check_name(bad)), Errc::kNameInvalid) << bad;
  }
  EXPECT_EQ(code(check_name(std::string(65, 'x'))), Errc::kNameInvalid);
  EXPECT_EQ(code(check_name("\xff")), Errc::kInvalidText);
  EXPECT_EQ(code(check_name("\xed\xa0\x80")), Errc::kInvalidText);
}

TEST(Names, Passwords) {
  EXPECT_FALSE(check_password("1234567"));
  EXPECT_TRUE(check_password("12345678"));
  EXPECT_TRUE(check_password(std::string(256, 'p')));
  EXPECT_FALSE(check_password(std::string(257, 'p')));
}

TEST(Names, DisplayableCutsAtCharacters) {
  EXPECT_EQ(displayable("雁雁雁", 7), "雁雁");
  EXPECT_EQ(displayable("a\x01z", 10), "a z");
  EXPECT_EQ(displayable("\xff", 10), "");
}

TEST(PairFactsCacheTest, LaterAnswerDoesNotPutBackAnOlderVersion) {
  PairFactsCache cache(2);
  const ConversationId pair{1, 2};
  cache.put(pair, {.a_exists = true, .b_exists = true, .member_version = 5}, MonoTime{Millis{2}});
  cache.put(pair, {.a_exists = true, .b_exists = true, .member_version = 4}, MonoTime{Millis{1}});
  EXPECT_EQ(cache.find(pair)->facts.member_version, 5U);
  cache.forget(pair);
  EXPECT_EQ(cache.find(pair), nullptr);
}

TEST(LruMapTest, ForgetsTheLeastRecentlyUsed) {
  LruMap<int, int> map(2);
  map.put(1, 10);
  map.put(2, 20);
  EXPECT_EQ(*map.find(1), 10);
  map.put(3, 30);
  EXPECT_EQ(map.find(2), nullptr);
  EXPECT_EQ(*map.find(1), 10);
  EXPECT_EQ(*map.find(3), 30);
  EXPECT_EQ(map.size(), 2U);
}

TEST(LruMapTest, ErasedPlacesAreUsedAgainAndTheOrderHolds) {
  LruMap<int, int> map(3);
  for (int i = 1; i <= 3; ++i) map.put(i, i);
  map.erase(2);
  EXPECT_EQ(map.find(2), nullptr);
  EXPECT_EQ(map.size(), 2U);
  map.put(4, 4);
  EXPECT_EQ(*map.find(1), 1);  // the oldest is now 3
  map.put(5, 5);
  EXPECT_EQ(map.find(3), nullptr);
  map.erase(5);  // the newest
  map.erase(4);  // the oldest
  map.erase(1);  // the last
  EXPECT_EQ(map.size(), 0U);
  for (int i = 6; i <= 9; ++i) map.put(i, i);
  EXPECT_EQ(map.find(6), nullptr);
  for (int i = 7; i <= 9; ++i) EXPECT_EQ(*map.find(i), i);
}

TEST(PayloadHashTest, CoversKindAndBody) {
  EXPECT_EQ(payload_hash(1, "a"), payload_hash(1, "a"));
  EXPECT_NE(payload_hash(1, "a"), payload_hash(2, "a"));
  EXPECT_NE(payload_hash(1, "a"), payload_hash(1, "b"));
  EXPECT_NE(payload_hash(1, ""), payload_hash(2, ""));
}

}  // namespace
}  // namespace hy::logic
