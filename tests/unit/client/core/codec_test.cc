#include "client/core/codec.h"

#include <gtest/gtest.h>

#include "client/core/device_frames.h"
#include "client/core/link_fsm.h"
#include "common/base/limits.h"
#include "common/base/random.h"
#include "hy/client/v1/login.pb.h"
#include "hy/client/v1/message.pb.h"
#include "hy/client/v1/sync.pb.h"

namespace hy::client {
namespace {

namespace v1 = hy::client::v1;

v1::Push good_push() {
  v1::Push push;
  push.set_conversation(ConversationId::pair(Uid{1}, Uid{2}).to_bytes());
  push.set_seq(3);
  push.set_sender(2);
  push.set_client_msg_id(Bytes(16, 'i'));
  push.set_kind(1);
  push.set_body("hi");
  return push;
}
Errc push_code(const v1::Push& push) {
  const Bytes body = push.SerializeAsString();
  const auto decoded = decode_push(as_bytes(body));
  return decoded ? Errc::kOk : decoded.error().code;
}

TEST(Codec, AGoodPush) {
  const Bytes body = good_push().SerializeAsString();
  const auto message = decode_push(as_bytes(body));
  ASSERT_TRUE(message);
  EXPECT_EQ(message->seq, Seq{3});
  EXPECT_EQ(message->body, "hi");
  EXPECT_FALSE(message->provisional);
}

TEST(Codec, WhatNoServerOfOursSendsIsMalformed) {
  auto push = good_push();
  push.set_conversation("short");
  EXPECT_EQ(push_code(push), Errc::kMalformedBody);
  push = good_push();
  push.set_client_msg_id("short");
  EXPECT_EQ(push_code(push), Errc::kMalformedBody);
  push = good_push();
  push.set_seq(1ULL << 63);
  EXPECT_EQ(push_code(push), Errc::kMalformedBody) << "would sort negative in the store";
  push = good_push();
  push.set_sender(~0ULL);
  EXPECT_EQ(push_code(push), Errc::kMalformedBody);
  push = good_push();
  push.set_seq(0);
  EXPECT_EQ(push_code(push), Errc::kMalformedBody) << "no seq, and not provisional";
  push = good_push();
  push.set_provisional(true);
  EXPECT_EQ(push_code(push), Errc::kMalformedBody) << "a seq is given by the commit alone";
  push = good_push();
  push.set_body(Bytes(limits::kMessageBodyBytesMax + 1, 'x'));
  EXPECT_EQ(push_code(push), Errc::kMalformedBody);
}

TEST(Codec, StoredHasASeqAndRelayedHasNone) {
  v1::SendAnswer answer;
  answer.set_ack(v1::STORED);
  EXPECT_FALSE(decode_send(as_bytes(answer.SerializeAsString())));
  answer.set_seq(1);
  EXPECT_TRUE(decode_send(as_bytes(answer.SerializeAsString()))->stored);
  answer.set_ack(v1::RELAYED);
  EXPECT_FALSE(decode_send(as_bytes(answer.SerializeAsString())));
  answer.set_ack(v1::ACK_UNSPECIFIED);
  EXPECT_FALSE(decode_send(as_bytes(answer.SerializeAsString())));
}

TEST(Codec, APullAnswerRises) {
  v1::PullAnswer answer;
  answer.set_conversation(good_push().conversation());
  answer.set_head_seq(9);
  *answer.add_messages() = good_push();
  *answer.add_messages() = good_push();
  EXPECT_FALSE(decode_pull(as_bytes(answer.SerializeAsString())));
  answer.mutable_messages(1)->set_seq(4);
  EXPECT_TRUE(decode_pull(as_bytes(answer.SerializeAsString())));
  answer.mutable_messages(1)->set_conversation(ConversationId::pair(Uid{1}, Uid{9}).to_bytes());
  EXPECT_FALSE(decode_pull(as_bytes(answer.SerializeAsString())));
}

TEST(Codec, APageThatPromisesMoreAndNamesNothingIsMalformed) {
  v1::SyncAnswer answer;
  answer.set_more(true);
  EXPECT_FALSE(decode_sync(as_bytes(answer.SerializeAsString())));
}

TEST(Codec, ATokenKeepsTheCredentialsOutOfTheLogin) {
  LoginFields fields;
  fields.name = "alice";
  fields.password = Secret("secret password");
  fields.token = Secret(std::string(144, 't'));
  v1::LoginRequest request;
  ASSERT_TRUE(request.ParseFromString(encode_login(fields)));
  EXPECT_TRUE(request.password().empty());
  EXPECT_TRUE(request.name().empty());
  EXPECT_EQ(request.token().size(), 144u);
}

TEST(Codec, RandomBytesNeverCrashAndGiveValuesThatTheStoreTakes) {
  SeededRandom random(11);
  std::size_t accepted = 0;
  for (int i = 0; i < 20'000; ++i) {
    Bytes body = i % 2 == 0 ? good_push().SerializeAsString() : Bytes(random.below(64), '\0');
    if (i % 2 == 1) random.fill({reinterpret_cast<std::uint8_t*>(body.data()), body.size()});
    if (!body.empty()) body[random.below(body.size())] = static_cast<char>(random.below(256));
    const ByteView view = as_bytes(body);
    if (const auto m = decode_push(view)) {
      ++accepted;
      EXPECT_LE(m->seq.value(), static_cast<std::uint64_t>(INT64_MAX));
      EXPECT_LE(m->sender.value(), static_cast<std::uint64_t>(INT64_MAX));
    }
    (void)decode_login(view);
    (void)decode_sync(view);
    (void)decode_pull(view);
    (void)decode_receipts(view);
    (void)decode_goaway(view);
    (void)decode_recents(view);
    (void)decode_message_state(view);
  }
  EXPECT_GT(accepted, 100u);
}

TEST(Frames, TheAcknowledgementHasTheHighestBit) {
  EXPECT_EQ(type_of_ack(Type::kSend), 0x8101);
  EXPECT_EQ(type_of_ack(Type::kPushAck), 0x8102);
}

}  // namespace
}  // namespace hy::client
