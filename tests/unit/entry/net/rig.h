#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <vector>

#include "common/crypto/system_random.h"
#include "common/wire/hello.h"
#include "common/wire/inner.h"
#include "common/wire/refused.h"
#include "entry/link/hub.h"
#include "entry/net/shard_thread.h"
#include "tests/unit/entry/fakes.h"

namespace hy::entry::test {

inline constexpr Uid kAlice{1001};
inline constexpr Uid kBob{1002};

/// A client on one end of a socket pair: the real wire, byte by byte if wanted.
class RawClient {
 public:
  explicit RawClient(int fd) : fd_(fd) { fcntl(fd_, F_SETFL, O_NONBLOCK); }
  ~RawClient() {
    if (fd_ >= 0) close(fd_);
  }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  struct Message {
    std::uint16_t type = 0;
    std::uint16_t flags = 0;
    std::uint32_t request_id = 0;
    Bytes body;
  };

  void write(std::string_view bytes) {
    ASSERT_EQ(::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }
  Bytes hello_and_handshake(const crypto::X25519KeyPair& server, std::uint8_t suite = 1,
                            std::optional<wire::KeyId> key_id = std::nullopt) {
    Bytes out;
    wire::append_hello(
        {.suite = suite, .key_id = key_id.value_or(wire::key_id(server.public_key()))}, out);
    initiator_.emplace(*wire::find_suite(suite), as_bytes(out), server.public_key(),
                       crypto::X25519KeyPair::generate(random_));
    Bytes body;
    EXPECT_TRUE(initiator_->write_1({}, body));
    wire::append_frame(wire::Outer::kHandshake1, as_bytes(body), out);
    return out;
  }
  Bytes frame(std::uint16_t type, std::uint32_t request_id, std::string_view body,
              std::uint16_t flags = 0) {
    Bytes out;
    EXPECT_TRUE(wire::seal_frame(
        transport_,
        {.type = type, .flags = flags, .request_id = request_id, .body = as_bytes(body)}, {}, out));
    return out;
  }
  void send(std::uint16_t type, std::uint32_t request_id, std::string_view body = {}) {
    write(frame(type, request_id, body));
  }
  /// Reads what is there. Clear frames end up in clear(), sealed ones are returned.
  std::vector<Message> receive() {
    std::vector<Message> out;
    std::vector<std::uint8_t> buffer(1 << 20);
    for (;;) {
      const ssize_t n = recv(fd_, buffer.data(), buffer.size(), 0);
      if (n == 0) ended_ = true;
      if (n < 0 && errno != EAGAIN) ended_ = true;
      if (n <= 0) break;
      received_ += static_cast<std::size_t>(n);
      std::span<std::uint8_t> input(buffer.data(), static_cast<std::size_t>(n));
      take(input, out);
    }
    return out;
  }
  [[nodiscard]] bool ended() {
    (void)receive();
    return ended_;
  }
  [[nodiscard]] bool is_up() const { return transport_.is_open(); }
  [[nodiscard]] std::size_t received_bytes() const { return received_; }
  [[nodiscard]] const std::vector<wire::Outer>& clear() const { return clear_; }
  void hang_up() {
    close(fd_);
    fd_ = -1;
  }

 private:
  void take(std::span<std::uint8_t> input, std::vector<Message>& out) {
    for (;;) {
      const auto state = is_up()    ? wire::ReadState::kClientOpen
                         : noticed_ ? wire::ReadState::kClientAfterNotice
                                    : wire::ReadState::kClientHandshake;
      auto frame = decoder_.next(input, state);
      ASSERT_TRUE(frame) << frame.error().detail;
      if (!*frame) return;
      if ((*frame)->header.command != wire::Outer::kData) {
        clear_.push_back((*frame)->header.command);
        if ((*frame)->header.command == wire::Outer::kKeyNotice) {
          noticed_ = true;
          continue;
        }
        Bytes payload;
        auto transport = initiator_->read_2((*frame)->body, payload);
        ASSERT_TRUE(transport);
        transport_ = std::move(*transport);
        initiator_.reset();
        continue;
      }
      Bytes scratch;
      const auto inner =
          wire::open_frame(transport_, **frame, wire::Compression::kAllowed, scratch);
      ASSERT_TRUE(inner);
      out.push_back({inner->type, inner->flags, inner->request_id, Bytes(as_text(inner->body))});
    }
  }

  int fd_;
  crypto::SystemRandom random_;
  std::optional<wire::NkInitiator> initiator_;
  wire::Transport transport_;
  wire::FrameDecoder decoder_;
  std::vector<wire::Outer> clear_;
  std::size_t received_ = 0;
  bool ended_ = false;
  bool noticed_ = false;
};

/// One I/O thread and the hub, driven by hand in the test's thread, with fake inner tiers.
class Rig {
 public:
  /// An entry that wants each PUSH_ACK at once: its login answers are the logic's own.
  static ShardOptions plain() {
    ShardOptions out;
    out.window.ack_within = Millis{0};
    return out;
  }
  explicit Rig(ShardOptions options = plain(), HubOptions hub_options = {},
               GateLimits gate = wide())
      : key_(crypto::X25519KeyPair::generate(random_)),
        metrics_(registry_),
        gatekeeper_(gate),
        hub_(logic, router, random_, hub_options),
        shard_(
            thread_.sockets(), [this](Shard::Task task) { thread_.post(std::move(task)); }, clock,
            random_, gatekeeper_, metrics_, with_key(std::move(options)),
            [this] {
              if (on_wake_hub) on_wake_hub();
            },
            [this] { soon_asked_ = true; }) {
    EXPECT_TRUE(thread_.start(shard_));
    hub_.on_logic_up(0);
  }
  ~Rig() { thread_.stop(); }

  static GateLimits wide() {
    GateLimits out;
    out.unauthenticated_per_peer_max = 1'000'000;
    out.connects_per_peer = {.per_second = 1e6, .burst = 1e6};
    return out;
  }

  /// Replica 0 asks for a dump and follows from then on.
  void router_follows(std::uint32_t replica = 0) {
    hub_.on_router_up(replica, clock.now());
    news(replica, {.need_snapshot = true});
    acks_ = true;
    run();
  }
  void news(std::uint32_t replica, RouterNews news) {
    (void)hub_.on_router_news(replica, news, clock.now());
  }
  void stop_acks() { acks_ = false; }

  std::unique_ptr<RawClient> connect(const char* from = "192.0.2.1") {
    const IpAddress address = *IpAddress::parse(from);
    int pair[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    EXPECT_EQ(gatekeeper_.accept(address, 0), Errc::kOk);
    shard_.adopt(pair[0], address);
    return std::make_unique<RawClient>(pair[1]);
  }
  std::unique_ptr<RawClient> connect_with_channel(std::uint8_t suite = 1) {
    auto client = connect();
    client->write(client->hello_and_handshake(key_, suite));
    run();
    EXPECT_TRUE(client->receive().empty());
    EXPECT_TRUE(client->is_up());
    return client;
  }
  /// Sends LOGIN, lets logic accept it, and returns what the client got.
  std::vector<RawClient::Message> login(RawClient& client, Uid uid, Epoch epoch,
                                        Slot slot = Slot::kPhone) {
    client.send(inner_type::kLogin, 1, "login");
    run();
    const auto forwarded = logic.take();
    EXPECT_TRUE(forwarded.has_value());
    if (!forwarded) return {};
    EXPECT_EQ(forwarded->command.type, inner_type::kLogin);
    EXPECT_FALSE(forwarded->command.session.has_value());
    reply(*forwarded, 0, "welcome", Session{.uid = uid, .slot = slot, .epoch = epoch});
    run();
    last_conn = forwarded->command.conn;
    return client.receive();
  }
  std::unique_ptr<RawClient> logged_in(Uid uid, Epoch epoch = {1, 1}, Slot slot = Slot::kPhone) {
    auto client = connect_with_channel();
    const auto got = login(*client, uid, epoch, slot);
    EXPECT_EQ(got.size(), 1U);
    return client;
  }
  void reply(const FakeLogic::Forwarded& to, std::uint16_t flags, Bytes body,
             std::optional<Session> opened = std::nullopt) {
    LogicReply out;
    out.id = to.id;
    out.answer.type = to.command.type | inner_type::kAnswerBit;
    out.answer.flags = flags;
    out.answer.body = std::move(body);
    out.session_opened = opened;
    out.heartbeat = Millis{60'000};
    hub_.on_reply(to.logic, std::move(out), clock.now());
  }
  struct Push {
    std::uint64_t id = 1;
    std::uint64_t seq = 1;
    std::size_t bytes = 20;
    bool until_ack = false;
    std::uint32_t replica = 0;
    bool ephemeral = false;
    std::uint16_t type = inner_type::kPush;
  };
  void push(ConnId conn, const Push& what) {
    auto payload = std::make_shared<PushPayload>();
    payload->type = what.type;
    payload->body.assign(what.bytes, 'm');
    payload->conversation = ConversationId::pair(kAlice, kBob);
    payload->seq = Seq{what.seq};
    payload->sender = kAlice;
    RouterForward out;
    out.id = what.id;
    out.payload = std::move(payload);
    out.conns = {conn};
    out.numbered = !what.ephemeral;
    out.ephemeral = what.ephemeral;
    out.until_ack = what.until_ack;
    out.remaining = Millis{2'000};
    hub_.on_forward(what.replica, std::move(out), clock.now());
  }

  /// Turns until nothing moves. What waits for a time that does not pass here waits on.
  void run() {
    int soons = 0;
    for (int quiet = 0; quiet < 3;) {
      context_.restart();
      const std::size_t handlers = context_.poll();
      shard_.turn();
      UpBatch batch;
      shard_.up().take(batch);
      const bool said = !batch.empty();
      hub_.on_connections(batch, clock.now());
      hub_.end_turn(clock.now());
      if (acks_) confirm_ops();
      DownBatch& down = hub_.down().front();
      const bool moved = said || !down.empty() || handlers > 0;
      if (!down.empty()) shard_.give(down);
      quiet = moved ? 0 : quiet + 1;
      if (!hold_soon && quiet > 0 && soons < 3 && std::exchange(soon_asked_, false)) {
        ++soons;
        shard_.soon();
        quiet = 0;
      }
    }
  }
  /// What the hub has said so far waits for the shard's next turn.
  void hand_down() { shard_.give(hub_.down().front()); }
  /// The first task that waits for the I/O thread, and nothing after it.
  void one_turn() {
    context_.restart();
    context_.poll_one();
  }
  /// Time passes in steps, as timers see it.
  void pass(Millis time, Millis step = Millis{100}) {
    for (Millis passed{0}; passed < time; passed += step) {
      clock.advance(step);
      shard_.tick();
      hub_.step(clock.now());
      run();
    }
  }

  [[nodiscard]] Hub& hub() { return hub_; }
  [[nodiscard]] Shard& shard() { return shard_; }
  [[nodiscard]] const crypto::X25519KeyPair& key() const { return key_; }
  [[nodiscard]] Gatekeeper& gatekeeper() { return gatekeeper_; }
  [[nodiscard]] const obs::Registry& registry() const { return registry_; }

  HandClock clock;
  FakeLogic logic;
  FakeRouter router;
  ConnId last_conn;
  bool hold_soon = false;  ///< run() does not let Shard::kSoon pass
  std::function<void()> on_wake_hub;

 private:
  ShardOptions with_key(ShardOptions options) {
    options.connections_max = 10'000;
    options.keys.push_back({.id = wire::key_id(key_.public_key()), .pair = key_});
    return options;
  }
  void confirm_ops() {
    for (std::uint32_t i = 0; i < hub_.routers().replicas(); ++i) {
      const std::uint64_t sent = router.last_op_sent(i);
      if (sent > acked_[i]) {
        acked_[i] = sent;
        news(i, {.acked_op = sent});
      }
    }
  }

  crypto::SystemRandom random_;
  crypto::X25519KeyPair key_;
  obs::Registry registry_;
  Metrics metrics_;
  Gatekeeper gatekeeper_;
  Hub hub_;
  asio::io_context context_{1};
  ShardThread thread_{context_};
  Shard shard_;
  bool acks_ = false;
  bool soon_asked_ = false;
  std::map<std::uint32_t, std::uint64_t> acked_;
};

inline Errc refused_code(const RawClient::Message& message) {
  const auto refused = wire::decode_refused(as_bytes(message.body));
  return refused ? refused->error.code : Errc::kOk;
}

}  // namespace hy::entry::test
