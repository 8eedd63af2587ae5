// client_body, client_proto, failures, request, registry: what answers and notifications are made
// of.
#include <gtest/gtest.h>

#include <set>

#include "hy/client/v1/command.pb.h"
#include "hy/client/v1/login.pb.h"
#include "logic/command/client_body.h"
#include "logic/command/client_proto.h"
#include "logic/command/failures.h"
#include "logic/command/logout.h"
#include "logic/command/registry.h"
#include "logic/command/request.h"
#include "tests/support/logic_bench.h"

namespace hy::logic::test {
namespace {

namespace pb = hy::client::v1;

TEST(Registry, NumbersAreThoseOfTheProtocolAndNamesAreUnique) {
  std::set<std::string_view> names;
  for (const CommandRow& row : command_rows()) {
    EXPECT_TRUE(pb::Command_IsValid(row.number)) << row.name;
    EXPECT_EQ(row.number & 0xC000, 0) << "a request: " << row.name;
    EXPECT_TRUE(names.insert(row.name).second);
    EXPECT_EQ(find_command(row.number), &row);
    EXPECT_GT(row.body_bytes_max, 0U);
  }
  for (int number = 1; number < 0x4000; ++number) {
    if (!pb::Command_IsValid(number) || number == pb::PUSH_ACK) continue;
    EXPECT_NE(find_command(static_cast<std::uint32_t>(number)), nullptr) << number;
  }
}

TEST(BadText, IsFoundOnlyInTextFieldsOfTheTopLevel) {
  const std::array<std::uint32_t, 1> fields{2};
  EXPECT_TRUE(has_bad_text("\x12\x01\xff", fields));
  EXPECT_FALSE(has_bad_text("\x0a\x01\xff", fields));
  EXPECT_FALSE(has_bad_text("\x12\x01q", fields));
  EXPECT_TRUE(has_bad_text(std::string_view("\x08\x05\x12\x01\xff", 5), fields));
  // Broken in other ways: no verdict, no endless loop, nothing read beyond the end.
  for (const std::string_view broken :
       {std::string_view("\x12\x05q", 3), std::string_view("\x12", 1),
        std::string_view("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 11),
        std::string_view("\x0d\x01", 2), std::string_view("\x09\x01", 2),
        std::string_view("\x0b", 1)}) {
    EXPECT_FALSE(has_bad_text(broken, fields));
  }
}

TEST(BadText, ParserNeverTakesIt) {
  pb::LoginRequest in;
  EXPECT_EQ(parse_body("\x1a\x01\xff", in, std::array<std::uint32_t, 1>{3}).error().code,
            Errc::kInvalidText);
  EXPECT_EQ(parse_body("\x1a\x01\xff", in).error().code, Errc::kMalformedBody);
  EXPECT_TRUE(parse_body("", in));
}

TEST(ClientBody, ProvisionalPushHasNeitherSeqNorTime) {
  const StoredMessage message{.conversation = kPair,
                              .seq = Seq{4},
                              .sender = kAlice,
                              .client_msg_id = message_id(1),
                              .kind = 2,
                              .body = "b",
                              .server_ms = 9};
  pb::Push push;
  ASSERT_TRUE(push.ParseFromString(encode_push(message, true)));
  EXPECT_EQ(push.seq(), 0U);
  EXPECT_EQ(push.server_ms(), 0);
  EXPECT_TRUE(push.provisional());
  EXPECT_EQ(push.body(), "b");
  ASSERT_TRUE(push.ParseFromString(encode_push(message, false)));
  EXPECT_EQ(push.seq(), 4U);
  EXPECT_FALSE(push.provisional());
}

TEST(ClientBody, RefusalCarriesScopeOfTheTable) {
  const auto refusal = wire::decode_refused(as_bytes(encode_refused(
      {.code = Errc::kCursorAhead, .retry_after = Millis{5}, .detail = "d", .head_seq = 8})));
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->scope, Scope::kConversation);
  EXPECT_EQ(refusal->head_seq, 8U);
  EXPECT_EQ(refusal->error.retry_after, Millis{5});
}

struct RequestTest : ::testing::Test {
  std::unique_ptr<Request> request() {
    RequestContext context;
    context.type = pb::PULL;
    return std::make_unique<Request>(context, bench.replies, bench.metrics);
  }
  LogicBench bench;
};

TEST_F(RequestTest, LaterMeansAWait) {
  request()->refuse(Error{Errc::kOverloaded, {}, {}});
  const auto refusal = wire::decode_refused(as_bytes(bench.replies.said[0].answer.body));
  EXPECT_GT(refusal->error.retry_after.count(), 0);
  request()->refuse(Error{Errc::kBlocked, {}, {}});
  EXPECT_EQ(
      wire::decode_refused(as_bytes(bench.replies.said[1].answer.body))->error.retry_after.count(),
      0);
}

TEST_F(RequestTest, DroppedRequestIsCountedAsLeft) {
  {
    const auto dropped = request();
  }
  EXPECT_EQ(bench.replies.left, 1);
  EXPECT_TRUE(bench.replies.said.empty());
  EXPECT_EQ(bench.metric("hy_logic_unanswered_total", {{"command", "pull"}}), 1);
}

TEST_F(RequestTest, RenewedGrantRidesOnAnAnswerButNotOnOneThatCloses) {
  auto one = request();
  one->renew(bench.session_of(kAlice));
  one->answer(Bytes{});
  EXPECT_TRUE(bench.replies.said[0].answer.session_opened);
  auto two = request();
  two->renew(bench.session_of(kAlice));
  Logout::run(std::move(two), {});
  EXPECT_FALSE(bench.replies.said[1].answer.session_opened);
}

TEST_F(RequestTest, UnknownOfAReadIsSaidAsUnavailable) {
  auto one = request();
  refuse_read(*one, Error{Errc::kOutcomeUnknown, {}, {}});
  EXPECT_EQ(bench.replies.said[0].answer.code, Errc::kUnavailable);
}

}  // namespace
}  // namespace hy::logic::test
