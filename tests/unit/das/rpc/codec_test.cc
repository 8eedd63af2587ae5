#include "das/rpc/codec.h"

#include <gtest/gtest.h>

#include "common/base/limits.h"

namespace hy::das {
namespace {

pb::Append good() {
  pb::Append in;
  in.set_conversation(ConversationId::pair(Uid{1}, Uid{2}).to_bytes());
  in.set_sender(1);
  in.set_client_msg_id(std::string(16, 'i'));
  in.set_payload_hash(std::string(16, 'h'));
  in.set_kind(1);
  in.set_body("text");
  in.set_member_version(3);
  return in;
}
Errc refused(pb::Append in) {
  const auto item = decode(in);
  return item ? Errc::kOk : item.error().code;
}

TEST(DasCodec, AnAppendComesAcross) {
  pb::Append in = good();
  in.set_after_client_msg_id(std::string(16, 'a'));
  in.add_tell(5);
  in.add_tell(6);
  const auto item = decode(in);
  ASSERT_TRUE(item.has_value());
  EXPECT_EQ(item->conv, ConversationId::pair(Uid{1}, Uid{2}));
  EXPECT_EQ(item->body.bytes, "text");
  EXPECT_EQ(item->tell, (std::vector{Uid{5}, Uid{6}}));
  EXPECT_EQ(item->after->to_bytes(), std::string(16, 'a'));
  EXPECT_FALSE(item->after_proven) << "only the lane knows that";
}

TEST(DasCodec, WhatCannotBeIsRefusedBeforeItReachesALane) {
  const auto with = [](auto&& change) {
    pb::Append in = good();
    change(in);
    return refused(in);
  };
  EXPECT_EQ(with([](auto& in) { in.set_conversation("short"); }), Errc::kMalformedBody);
  EXPECT_EQ(with([](auto& in) { in.set_conversation(std::string(16, '\xff')); }),
            Errc::kMalformedBody)
      << "numbers above 2^63-1 do not fit the store";
  EXPECT_EQ(with([](auto& in) { in.set_conversation(std::string(16, '\0')); }),
            Errc::kMalformedBody);
  EXPECT_EQ(with([](auto& in) { in.set_conversation(ConversationId{2, 1}.to_bytes()); }),
            Errc::kMalformedBody)
      << "a pair is in ascending order";
  EXPECT_EQ(with([](auto& in) { in.set_sender(3); }), Errc::kMalformedBody);
  EXPECT_EQ(with([](auto& in) { in.set_sender(0); }), Errc::kMalformedBody);
  EXPECT_EQ(with([](auto& in) { in.mutable_tell()->Resize(513, 7); }), Errc::kMalformedBody);
  EXPECT_EQ(with([](auto& in) { in.mutable_tell()->Resize(512, 7); }), Errc::kOk);
  EXPECT_EQ(with([](auto& in) { in.set_client_msg_id("x"); }), Errc::kMalformedBody);
  EXPECT_EQ(with([](auto& in) { in.set_payload_hash(""); }), Errc::kMalformedBody);
  EXPECT_EQ(with([](auto& in) { in.set_after_client_msg_id("x"); }), Errc::kMalformedBody);
  EXPECT_EQ(with([](auto& in) { in.set_body(std::string(limits::kMessageBodyBytesMax + 1, 'x')); }),
            Errc::kBodyTooLarge);
  EXPECT_EQ(with([](auto& in) { in.set_body(std::string(limits::kMessageBodyBytesMax, 'x')); }),
            Errc::kOk);
}

TEST(DasCodec, ALastBodyIsCutBetweenCharacters) {
  Body body{"ab鸿雁"};
  cut_body(1, 4, body);
  EXPECT_EQ(body.bytes, "ab");
  body.bytes = "ab鸿雁";
  cut_body(1, 5, body);
  EXPECT_EQ(body.bytes, "ab鸿");
  body.bytes = "ab鸿雁";
  cut_body(2, 4, body);
  EXPECT_EQ(body.bytes.size(), 4U) << "binary is cut where it is";
  body.bytes = std::string(10, '\x80');
  cut_body(1, 8, body);
  EXPECT_GE(body.bytes.size(), 5U) << "bytes that are no text cost three at most";
  body.bytes = "ab";
  cut_body(1, 4, body);
  EXPECT_EQ(body.bytes, "ab");
}

TEST(DasCodec, AFailureCarriesCodeDetailAndTime) {
  hy::common::v1::Failure out;
  encode(Error{Errc::kOverloaded, "full", std::chrono::milliseconds{120}}, out);
  EXPECT_EQ(out.code(), 7003U);
  EXPECT_EQ(out.detail(), "full");
  EXPECT_EQ(out.retry_after_ms(), 120U);
}

}  // namespace
}  // namespace hy::das
