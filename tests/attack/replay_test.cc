// What a wire-tapper can do with recorded bytes: nothing. Whole connections are played again,
// record by record, changed and unchanged; no store, no session and no presence notices.
#include "tests/attack/world.h"

#include "hy/client/v1/command.pb.h"
#include "hy/client/v1/message.pb.h"
#include "hy/client/v1/sync.pb.h"

namespace hy::attack {
namespace {

namespace pb = hy::client::v1;

class Replay : public testing::Test {
 public:
  static void TearDownTestSuite() { world_.reset(); }

 protected:
  void SetUp() override {
    if (!world_) world_ = std::make_unique<World>();
    ASSERT_EQ(world_->error(), "");
  }
  static World& world() { return *world_; }
  static std::unique_ptr<World> world_;
};
std::unique_ptr<World> Replay::world_;

/// Everything that one device said on one connection, piece by piece.
struct Tape {
  std::vector<Bytes> pieces;
  [[nodiscard]] Bytes all() const {
    Bytes out;
    for (const Bytes& piece : pieces) out += piece;
    return out;
  }
};

/// Logs in, writes a message, marks it read, and keeps the connection.
std::unique_ptr<raw::Client> record(World& world, const Somebody& who, Uid peer, Tape& tape) {
  auto client = std::make_unique<raw::Client>(world.options());
  const auto say = [&](Bytes bytes) {
    EXPECT_TRUE(client->write(bytes));
    tape.pieces.push_back(std::move(bytes));
  };
  EXPECT_TRUE(client->connect());
  say(client->first_flight());
  EXPECT_TRUE(client->finish_handshake());
  const auto ask = [&](std::uint16_t type, const Bytes& body) {
    const std::uint32_t id = client->fresh_id();
    say(client->seal(type, id, body));
    return client->await(id);
  };
  EXPECT_TRUE(ask(pb::LOGIN, World::login_body(who, 1)).ok());
  EXPECT_TRUE(ask(pb::SYNC, pb::SyncRequest().SerializeAsString()).ok());
  EXPECT_TRUE(ask(pb::SEND, World::send_body(peer, "once and for all")).ok());
  pb::ReadRequest read;
  read.set_conversation(ConversationId::pair(who.uid, peer).to_bytes());
  read.set_seq(1);
  EXPECT_TRUE(ask(pb::READ, read.SerializeAsString()).ok());
  return client;
}

std::size_t messages(raw::Client& client, ConversationId conversation) {
  pb::HistoryRequest ask;
  ask.set_conversation(conversation.to_bytes());
  ask.set_last(200);
  const raw::Answer got = client.call(pb::HISTORY, ask.SerializeAsString());
  EXPECT_TRUE(got.ok()) << error_text(got.code);
  pb::PullAnswer slice;
  EXPECT_TRUE(slice.ParseFromString(got.body));
  return static_cast<std::size_t>(slice.messages_size());
}

TEST_F(Replay, AWholeConnectionPlayedAgainMovesNothing) {
  const Somebody alice = world().somebody();
  const Somebody bob = world().somebody();
  const ConversationId pair = ConversationId::pair(alice.uid, bob.uid);
  Tape tape;
  const auto live = record(world(), alice, bob.uid, tape);
  const double logins = world().entry_metric("hy_entry_logins_total");
  const double placements = world().entry_metric("hy_entry_placements");
  for (int times = 0; times < 10; ++times) {
    raw::Client again(world().options());
    ASSERT_TRUE(again.connect());
    // All at once, and record by record behind the server's answer to the first.
    if (times % 2 == 0) {
      (void)again.write(tape.all());
    } else {
      (void)again.write(tape.pieces[0]);
      (void)again.next(Millis{100});
      for (std::size_t i = 1; i < tape.pieces.size(); ++i) (void)again.write(tape.pieces[i]);
    }
    // HANDSHAKE_2 comes, for the first message is right; then the records fail, and that is all.
    raw::End end = raw::End::kSaidSomething;
    for (int i = 0; i < 3 && end == raw::End::kSaidSomething; ++i) {
      end = again.wait_end(Millis{8'000});
    }
    EXPECT_EQ(raw::end_name(end), "closed silently");
  }
  EXPECT_EQ(world().entry_metric("hy_entry_logins_total"), logins) << "no login was counted";
  EXPECT_EQ(world().entry_metric("hy_entry_placements"), placements) << "no presence moved";
  EXPECT_TRUE(live->call(pb::PING, {}).ok()) << "the session that was recorded lives";
  EXPECT_EQ(messages(*live, pair), 1U);
}

TEST_F(Replay, ARecordPlayedTwiceOnItsOwnConnectionClosesItAndStoresOnce) {
  const Somebody alice = world().somebody();
  const Somebody bob = world().somebody();
  Tape tape;
  const auto live = record(world(), alice, bob.uid, tape);
  ASSERT_TRUE(live->write(tape.pieces[3]));  // the SEND
  EXPECT_EQ(raw::end_name(live->wait_end()), "closed silently");
  const auto after = world().sign_in(alice);
  ASSERT_NE(after, nullptr);
  EXPECT_EQ(messages(*after, ConversationId::pair(alice.uid, bob.uid)), 1U);
}

TEST_F(Replay, RecordsOfAnotherConnectionClose) {
  const Somebody alice = world().somebody();
  const Somebody bob = world().somebody();
  const Somebody carol = world().somebody();
  Tape tape;
  const auto live = record(world(), alice, bob.uid, tape);
  for (std::size_t i = 1; i < tape.pieces.size(); ++i) {
    const auto other = world().sign_in(carol);
    ASSERT_NE(other, nullptr);
    ASSERT_TRUE(other->write(tape.pieces[i]));
    EXPECT_EQ(raw::end_name(other->wait_end()), "closed silently");
  }
  EXPECT_EQ(messages(*live, ConversationId::pair(alice.uid, bob.uid)), 1U);
}

TEST_F(Replay, EveryFlippedBitOfASealedSendClosesWithoutEffect) {
  const Somebody alice = world().somebody();
  const Somebody bob = world().somebody();
  const ConversationId pair = ConversationId::pair(alice.uid, bob.uid);
  {
    const auto first = world().sign_in(alice);
    ASSERT_NE(first, nullptr);
    ASSERT_TRUE(first->call(pb::SEND, World::send_body(bob.uid, "the only one")).ok());
  }
  // Each bit of the header, and one of each later byte: a connection for each.
  std::vector<std::size_t> bits;
  for (std::size_t bit = 0; bit < 16 * 8; bit += is_full_form() ? 1 : 5) bits.push_back(bit);
  for (std::size_t byte = 16; byte < 16 + 80; byte += is_full_form() ? 1 : 6) {
    bits.push_back(byte * 8 + byte % 8);
  }
  for (const std::size_t bit : bits) {
    const auto client = world().sign_in(alice);
    ASSERT_NE(client, nullptr);
    Bytes frame = client->seal(pb::SEND, client->fresh_id(), World::send_body(bob.uid, "no"));
    if (bit / 8 >= frame.size()) continue;
    frame[bit / 8] = static_cast<char>(frame[bit / 8] ^ (1 << bit % 8));
    ASSERT_TRUE(client->write(frame));
    // A length that grew makes the entry wait for the rest: the end of our stream settles it.
    client->half_close();
    EXPECT_EQ(raw::end_name(client->wait_end()), "closed silently") << "bit " << bit;
  }
  const auto after = world().sign_in(alice);
  ASSERT_NE(after, nullptr);
  EXPECT_EQ(messages(*after, pair), 1U);
}

}  // namespace
}  // namespace hy::attack
