// What a client may do wrong once the channel is up: requests that are answered with a code of the
// error table and leave nothing behind, and frames that end the connection.
#include <map>

#include "common/wire/server_key.h"
#include "tests/e2e/wire_fixture.h"

namespace hy {
namespace {

/// A zstd frame by hand (RFC 8878 §3.1): window of 256 KiB, then run-length blocks of `run` bytes.
Bytes run_length_zstd(int blocks, std::uint32_t run) {
  Bytes out("\x28\xB5\x2F\xFD\x00\x40", 6);
  for (int i = 0; i < blocks; ++i) {
    const std::uint32_t block = (i + 1 == blocks ? 1U : 0U) | (1U << 1) | (run << 3);
    for (const int shift : {0, 8, 16}) out += static_cast<char>((block >> shift) & 0xFF);
    out += 'x';
  }
  return out;
}

Bytes conversation_of(const Somebody& a, const Somebody& b) {
  return ConversationId::pair(a.uid, b.uid).to_bytes();
}

const Bytes kNotProtobuf("\x0A\xFF\xFF\xFF\xFF\x0F", 6);  // a field longer than the body

}  // namespace

class WireRequests : public WireTest {};

TEST_F(WireRequests, UnknownInnerTypeIsRefused) {
  const auto client = sign_in(somebody());
  for (const int type : {0, 4, 0x0100, 0x0105, 0x0303, 0x3FFF}) {
    SCOPED_TRACE(type);
    EXPECT_REFUSED(client->call(static_cast<std::uint16_t>(type), {}), Errc::kUnknownCommand);
  }
  EXPECT_TRUE(client->call(pb::PING, {}).ok());
}

TEST_F(WireRequests, TypesOfTheServerClose) {
  for (const int type : {0x4001, 0x4005, 0x8101, 0xC001}) {
    SCOPED_TRACE(type);
    const auto client = sign_in(somebody());
    ASSERT_TRUE(client->write(client->seal(static_cast<std::uint16_t>(type), 1, {})));
    EXPECT_CLOSES_SILENTLY(*client);
  }
}

TEST_F(WireRequests, MalformedProtobufOfEveryCommand) {
  const auto client = sign_in(somebody());
  for (const int type : {pb::PING, pb::SEND, pb::READ, pb::MESSAGE_STATE, pb::SYNC, pb::PULL,
                         pb::HISTORY, pb::RECENTS, pb::USER_LOOKUP, pb::BLOCK}) {
    SCOPED_TRACE(type);
    EXPECT_REFUSED(client->call(static_cast<std::uint16_t>(type), kNotProtobuf),
                   Errc::kMalformedBody);
    EXPECT_TRUE(client->call(pb::PING, {}).ok());
  }
  const auto stranger = channel();
  EXPECT_REFUSED(stranger->call(pb::LOGIN, kNotProtobuf), Errc::kMalformedBody);
  EXPECT_REFUSED(stranger->call(pb::LOGIN, {}), Errc::kMalformedBody);
}

TEST_F(WireRequests, LoginTwiceIsRefused) {
  const Somebody who = somebody();
  const auto client = sign_in(who);
  EXPECT_REFUSED(client->call(pb::LOGIN, login_of(who).SerializeAsString()),
                 Errc::kAlreadyLoggedIn);
  EXPECT_TRUE(client->call(pb::PING, {}).ok());
}

TEST_F(WireRequests, OversizedMessage) {
  const Somebody who = somebody();
  const Somebody peer = somebody();
  const auto client = sign_in(who);
  const auto send = [&](std::size_t bytes) {
    return client->call(pb::SEND, message_to(peer.uid, Bytes(bytes, 'x')).SerializeAsString());
  };
  EXPECT_REFUSED(send(16'385), Errc::kBodyTooLarge);
  EXPECT_REFUSED(send(60'000), Errc::kBodyTooLarge);
  EXPECT_TRUE(history(who, peer.uid).empty());
  const auto again = sign_in(who);
  EXPECT_TRUE(
      again->call(pb::SEND, message_to(peer.uid, Bytes(16'384, 'x')).SerializeAsString()).ok());
  EXPECT_TRUE(again->call(pb::SEND, message_to(peer.uid, {}).SerializeAsString()).ok());
  // A frame above the protocol's limit is judged by its header.
  const wire::HeaderBytes too_long = wire::pack_header({wire::Outer::kData, 65'536});
  ASSERT_TRUE(again->write(as_text(too_long)));
  EXPECT_CLOSES_SILENTLY(*again);
  const std::vector<pb::Push> rows = history(who, peer.uid);
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].body().size(), 16'384U);
  EXPECT_EQ(rows[1].body().size(), 0U);
}

TEST_F(WireRequests, BadCompressionCloses) {
  const struct {
    const char* what;
    Bytes body;
  } cases[] = {
      {"a bomb of 393 KB in 18 bytes", run_length_zstd(3, 128 * 1'024)},
      {"above the ratio", run_length_zstd(1, 8'192)},
      {"below 1 KiB", run_length_zstd(1, 100)},
      {"not zstd", Bytes(2'000, 'x')},
      {"cut off", run_length_zstd(2, 600).substr(0, 9)},
      {"empty", {}},
      {"two frames", run_length_zstd(1, 100) + run_length_zstd(1, 1'000)},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.what);
    const auto client = sign_in(somebody());
    ASSERT_TRUE(client->write(client->seal(pb::SEND, 7, c.body, wire::kFlagCompressed)));
    EXPECT_CLOSES_SILENTLY(*client);
  }
}

TEST_F(WireRequests, EveryFlippedByteOfASentFrame) {
  const Somebody who = somebody();
  const Somebody peer = somebody();
  const Bytes garbage(70'000, '\x5A');  // completes a frame whose length was raised
  std::size_t size = 1;
  for (std::size_t at = 0; at < size; at += at < 26 ? 1 : 5) {
    const auto client = sign_in(who);
    Bytes frame =
        client->seal(pb::SEND, 7, message_to(peer.uid, "never to be stored").SerializeAsString());
    size = frame.size();
    frame[at] = static_cast<char>(frame[at] ^ (1 << (at % 8)));
    (void)client->write(frame);
    (void)client->write(garbage);
    EXPECT_CLOSES_SILENTLY(*client) << "byte " << at;
  }
  EXPECT_TRUE(history(who, peer.uid).empty());
}

TEST_F(WireRequests, TruncatedFramesStoreNothing) {
  const Somebody who = somebody();
  const Somebody peer = somebody();
  std::size_t size = 1;
  for (std::size_t at = 0; at < size; at += at < 26 ? 1 : 9) {
    const auto client = sign_in(who);
    const Bytes frame =
        client->seal(pb::SEND, 7, message_to(peer.uid, "never to be stored").SerializeAsString());
    size = frame.size();
    ASSERT_TRUE(client->write(frame.substr(0, at)));
    client->half_close();
    EXPECT_CLOSES_SILENTLY(*client) << "after " << at << " bytes";
  }
  EXPECT_TRUE(history(who, peer.uid).empty());
}

TEST_F(WireRequests, ReplayedDataClosesAndStoresOnce) {
  const Somebody who = somebody();
  const Somebody peer = somebody();
  const auto client = sign_in(who);
  const Bytes frame = client->seal(pb::SEND, 7, message_to(peer.uid, "once").SerializeAsString());
  ASSERT_TRUE(client->write(frame));
  ASSERT_TRUE(client->await(7).ok());
  ASSERT_TRUE(client->write(frame));
  EXPECT_CLOSES_SILENTLY(*client);
  // Nor on another connection of the same person, whose keys are others.
  const auto other = sign_in(who);
  ASSERT_TRUE(other->write(frame));
  EXPECT_CLOSES_SILENTLY(*other);
  EXPECT_EQ(history(who, peer.uid).size(), 1U);
}

TEST_F(WireRequests, InvalidUtf8) {
  const Bytes bad("\xC3\x28", 2);
  const Somebody who = somebody();
  // Written by hand: the generated classes refuse to hold such a string.
  const auto field = [](int number, const Bytes& value) {
    Bytes out;
    out += static_cast<char>((number << 3) | 2);
    out += static_cast<char>(value.size());
    return out + value;
  };
  const struct {
    const char* what;
    int number;
  } fields[] = {{"name", pb::LoginRequest::kNameFieldNumber},
                {"device_id", pb::LoginRequest::kDeviceIdFieldNumber},
                {"client_version", pb::LoginRequest::kClientVersionFieldNumber},
                {"device_name", pb::LoginRequest::kDeviceNameFieldNumber}};
  for (const auto& f : fields) {
    SCOPED_TRACE(f.what);
    const auto client = channel();
    EXPECT_REFUSED(
        client->call(pb::LOGIN, login_of(who).SerializeAsString() + field(f.number, bad)),
        Errc::kInvalidText);
  }
  const auto client = sign_in(who);
  for (const Bytes& name :
       {bad, Bytes("\xED\xA0\x80"), Bytes("\xF4\x90\x80\x80"), Bytes("\xC0\xAF")}) {
    EXPECT_REFUSED(
        client->call(pb::USER_LOOKUP, field(pb::UserLookupRequest::kNamesFieldNumber, name)),
        Errc::kInvalidText);
  }
  EXPECT_TRUE(client->call(pb::PING, {}).ok());
}

TEST_F(WireRequests, BadSends) {
  const Somebody who = somebody();
  const Somebody peer = somebody();
  const auto client = sign_in(who);
  const auto send = [&](const pb::SendRequest& request) {
    return client->call(pb::SEND, request.SerializeAsString());
  };
  EXPECT_REFUSED(send(message_to(Uid{0}, "x")), Errc::kUnknownUser);
  EXPECT_REFUSED(send(message_to(Uid{1ULL << 40}, "x")), Errc::kUnknownUser);
  EXPECT_REFUSED(send(message_to(Uid{~0ULL}, "x")), Errc::kUnknownUser);
  EXPECT_REFUSED(send(message_to(who.uid, "x")), Errc::kSelfSend);
  for (const std::size_t size : {0U, 15U, 17U}) {
    pb::SendRequest request = message_to(peer.uid, "x");
    request.set_client_msg_id(Bytes(size, 'i'));
    EXPECT_REFUSED(send(request), Errc::kMalformedBody);
  }
  pb::SendRequest kind = message_to(peer.uid, "x");
  kind.set_kind(0);
  EXPECT_REFUSED(send(kind), Errc::kMalformedBody);
  pb::SendRequest after = message_to(peer.uid, "x");
  after.set_after_client_msg_id(Bytes(15, 'i'));
  EXPECT_REFUSED(send(after), Errc::kMalformedBody);
  // A predecessor that was never stored.
  after.set_after_client_msg_id(Bytes(16, 'i'));
  EXPECT_REFUSED(send(after), Errc::kGap);
  EXPECT_TRUE(history(who, peer.uid).empty());
}

TEST_F(WireRequests, BlockedSender) {
  const Somebody who = somebody();
  const Somebody peer = somebody();
  const auto sender = sign_in(who);
  const auto blocker = sign_in(peer);
  pb::BlockRequest block;
  block.set_uid(who.uid.value());
  block.set_blocked(true);
  ASSERT_TRUE(blocker->call(pb::BLOCK, block.SerializeAsString()).ok());
  const pb::SendRequest message = message_to(peer.uid, "please");
  EXPECT_REFUSED(sender->call(pb::SEND, message.SerializeAsString()), Errc::kBlocked);
  EXPECT_TRUE(history(peer, who.uid).empty());
  const auto again = sign_in(peer);
  block.set_blocked(false);
  ASSERT_TRUE(again->call(pb::BLOCK, block.SerializeAsString()).ok());
  EXPECT_TRUE(sender->call(pb::SEND, message.SerializeAsString()).ok());
  EXPECT_EQ(history(peer, who.uid).size(), 1U);
}

TEST_F(WireRequests, WhatWasStoredBeforeABlockIsNotRefusedAfterIt) {
  const Somebody who = somebody();
  const Somebody peer = somebody();
  pb::SendRequest message = message_to(peer.uid, "in time");
  {
    // The connection ends before its answer is read.
    const auto first = sign_in(who);
    ASSERT_TRUE(first->write(first->seal(pb::SEND, 7, message.SerializeAsString())));
    for (int tries = 0; tries < 100 && history(peer, who.uid).empty(); ++tries) continue;
    first->close();
  }
  ASSERT_EQ(history(peer, who.uid).size(), 1U);
  const auto blocker = sign_in(peer);
  pb::BlockRequest block;
  block.set_uid(who.uid.value());
  block.set_blocked(true);
  ASSERT_TRUE(blocker->call(pb::BLOCK, block.SerializeAsString()).ok());

  // This refusal teaches the block to the logic that the resend comes to.
  const auto sender = sign_in(who);
  EXPECT_REFUSED(sender->call(pb::SEND, message_to(peer.uid, "too late").SerializeAsString()),
                 Errc::kBlocked);
  message.set_try_number(2);
  const raw::Answer again = sender->call(pb::SEND, message.SerializeAsString());
  ASSERT_TRUE(again.ok());
  pb::SendAnswer answer;
  ASSERT_TRUE(answer.ParseFromString(again.body));
  EXPECT_EQ(answer.ack(), pb::STORED);
  EXPECT_EQ(answer.seq(), 1U);
  EXPECT_TRUE(answer.repeat());
  message.set_body("other words");
  EXPECT_REFUSED(sender->call(pb::SEND, message.SerializeAsString()), Errc::kConflict);
  EXPECT_EQ(history(peer, who.uid).size(), 1U);
}

TEST_F(WireRequests, SameIdSameAndOtherContent) {
  const Somebody who = somebody();
  const Somebody peer = somebody();
  const auto client = sign_in(who);
  pb::SendRequest message = message_to(peer.uid, "first");
  ASSERT_TRUE(client->call(pb::SEND, message.SerializeAsString()).ok());
  message.set_try_number(2);
  const raw::Answer repeat = client->call(pb::SEND, message.SerializeAsString());
  ASSERT_TRUE(repeat.ok());
  pb::SendAnswer answer;
  ASSERT_TRUE(answer.ParseFromString(repeat.body));
  EXPECT_TRUE(answer.repeat());
  EXPECT_EQ(answer.seq(), 1U);
  message.set_body("second");
  EXPECT_REFUSED(client->call(pb::SEND, message.SerializeAsString()), Errc::kConflict);
  message.set_body("first");
  message.set_kind(2);
  EXPECT_REFUSED(client->call(pb::SEND, message.SerializeAsString()), Errc::kConflict);
  const std::vector<pb::Push> rows = history(who, peer.uid);
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].body(), "first");
}

TEST_F(WireRequests, RangesAndCursors) {
  const Somebody who = somebody();
  const Somebody peer = somebody();
  const auto client = sign_in(who);
  ASSERT_TRUE(client->call(pb::SEND, message_to(peer.uid, "one").SerializeAsString()).ok());
  const auto history_of = [&](std::uint64_t from, std::uint64_t to) {
    pb::HistoryRequest ask;
    ask.set_conversation(conversation_of(who, peer));
    ask.set_from(from);
    ask.set_to(to);
    return client->call(pb::HISTORY, ask.SerializeAsString());
  };
  const auto pull = [&](std::uint64_t from, std::uint64_t to) {
    pb::PullRequest ask;
    ask.set_conversation(conversation_of(who, peer));
    ask.set_from(from);
    ask.set_to(to);
    return client->call(pb::PULL, ask.SerializeAsString());
  };
  EXPECT_TRUE(history_of(1, 0).ok());
  EXPECT_REFUSED(history_of(100, 0), Errc::kRangeInvalid);
  EXPECT_REFUSED(history_of(0, 5), Errc::kRangeInvalid);
  EXPECT_REFUSED(history_of(5, 4), Errc::kRangeInvalid);
  EXPECT_TRUE(pull(1, 0).ok());
  EXPECT_TRUE(pull(1, ~0ULL).ok()) << "to beyond the end is the end";
  const raw::Answer ahead = pull(1'000, 0);
  EXPECT_REFUSED(ahead, Errc::kCursorAhead);
  EXPECT_EQ(ahead.refusal.head_seq, 1U);
  EXPECT_REFUSED(pull(~0ULL, 0), Errc::kCursorAhead);
  EXPECT_REFUSED(pull(0, 0), Errc::kRangeInvalid);
  // A time from the future means "nothing changed", an event number from the future means that the
  // events are not this store's.
  pb::SyncRequest sync;
  sync.set_since(std::numeric_limits<std::int64_t>::max());
  EXPECT_TRUE(client->call(pb::SYNC, sync.SerializeAsString()).ok());
  sync.set_since(-1);
  EXPECT_TRUE(client->call(pb::SYNC, sync.SerializeAsString()).ok());
  sync.set_useq(1'000'000);
  const raw::Answer far = client->call(pb::SYNC, sync.SerializeAsString());
  ASSERT_TRUE(far.ok());
  pb::SyncAnswer answer;
  ASSERT_TRUE(answer.ParseFromString(far.body));
  EXPECT_TRUE(answer.too_far());
  pb::ReadRequest read;
  read.set_conversation(conversation_of(who, peer));
  read.set_seq(1'000'000);
  const raw::Answer marked = client->call(pb::READ, read.SerializeAsString());
  pb::ReadAnswer mark;
  if (marked.ok()) {
    ASSERT_TRUE(mark.ParseFromString(marked.body));
    EXPECT_LE(mark.read_seq(), 1U) << "nobody has read what is not there";
  } else {
    EXPECT_REFUSED(marked, Errc::kCursorAhead);
  }
}

TEST_F(WireRequests, OtherPeoplesConversations) {
  const Somebody who = somebody();
  const Somebody a = somebody();
  const Somebody b = somebody();
  const auto client = sign_in(who);
  for (const Bytes& conversation :
       {conversation_of(a, b), ConversationId{b.uid.value(), a.uid.value()}.to_bytes(),
        ConversationId{who.uid.value(), who.uid.value()}.to_bytes(),
        ConversationId{0, 7}.to_bytes()}) {
    pb::PullRequest pull;
    pull.set_conversation(conversation);
    pull.set_from(1);
    EXPECT_REFUSED(client->call(pb::PULL, pull.SerializeAsString()), Errc::kNotMember);
    pb::ReadRequest read;
    read.set_conversation(conversation);
    read.set_seq(1);
    EXPECT_REFUSED(client->call(pb::READ, read.SerializeAsString()), Errc::kNotMember);
  }
  pb::PullRequest pull;
  pull.set_conversation("short");
  pull.set_from(1);
  EXPECT_REFUSED(client->call(pb::PULL, pull.SerializeAsString()), Errc::kMalformedBody);
}

TEST_F(WireRequests, AckOfAPushThatNeverWas) {
  const auto client = sign_in(somebody());
  ASSERT_TRUE(client->write(client->seal(pb::PUSH_ACK, 1, {})));
  EXPECT_CLOSES_SILENTLY(*client);
}

TEST_F(WireRequests, ListsBeyondTheLimit) {
  const auto client = sign_in(somebody());
  pb::UserLookupRequest ask;
  for (std::uint64_t uid = 1; uid <= 501; ++uid) ask.add_uids(uid);
  EXPECT_REFUSED(client->call(pb::USER_LOOKUP, ask.SerializeAsString()), Errc::kRangeInvalid);
  pb::RecentsRequest recents;
  for (const std::uint32_t limit : {0U, 201U}) {
    recents.set_limit(limit);
    EXPECT_REFUSED(client->call(pb::RECENTS, recents.SerializeAsString()), Errc::kRangeInvalid);
  }
}

}  // namespace hy
