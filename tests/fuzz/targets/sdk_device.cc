// A rogue server at the other end of a real channel: any bytes, any well-sealed frames, any answer
// to any request, against the whole SDK core. No crash, nothing shown twice, and never a ✓ without
// STORED.
#include <map>
#include <set>

#include "client/core/codec.h"
#include "client/core/device.h"
#include "client/sdk/store/store.h"
#include "hy/client/v1/login.pb.h"
#include "hy/client/v1/message.pb.h"
#include "hy/client/v1/sync.pb.h"
#include "tests/fuzz/channel.h"

namespace hy::fuzz {
namespace {

namespace pb = hy::client::v1;
using client::Type;
using MessageKey = std::tuple<ConversationId, Uid, ClientMsgId>;

constexpr Uid kAlice{1};
constexpr Uid kBob{2};
const ConversationId kPair = ConversationId::pair(kAlice, kBob);

class Rogue {
 public:
  Rogue() {
    client::DeviceSettings settings;
    settings.link.entries = {"entry-a"};
    settings.link.server_key = Bytes(as_text(server_key().public_key()));
    auto snapshot = store_->load();
    snapshot->device.device_id = "device";
    device_.emplace(settings, std::move(*snapshot), random_, now_, 1'800'000'000'000);
    turn([&](client::Turn& t) {
      device_->login(t, now_, {"alice", Uid{}, Secret("password"), Secret()});
    });
  }

  /// One deed of the server, the app or time.
  void deed(Reader& reader) {
    const std::uint8_t what = reader.u8();
    switch (what % 10) {
      case 0: return login_answer();
      case 1: return raw(reader.take(reader.u8()));
      case 2: return answer(reader, reader.take(reader.u8()));
      case 3: return frame(reader.u16(), reader.u16() & 4, reader.u32(), reader.take(reader.u8()));
      case 4: return push(reader);
      case 5: return send_answer(reader);
      case 6: return submit(reader);
      case 7: return advance(Millis{reader.u8() * 100});
      case 8: return sync_answer(reader);
      default: return close();
    }
  }

 private:
  void turn(const std::function<void(client::Turn&)>& f) {
    client::Turn t;
    f(t);
    device_->finish(t, now_);
    std::vector<client::RowFate> fates;
    if (!t.writes.empty()) {
      auto applied = store_->apply(t.writes);
      law(applied.has_value(), "what the cores write can be written");
      fates = std::move(*applied);
    }
    for (const client::Notice& notice : t.notices) note(notice, fates);
    for (client::NetAction& action : t.net) act(action);
  }
  void note(const client::Notice& notice, const std::vector<client::RowFate>& fates) {
    if (const auto* shown = std::get_if<client::Shown>(&notice)) {
      law(shown->row < fates.size(), "what is shown was written");
      if (fates[shown->row] != client::RowFate::kNew) return;
      const Message& m = shown->message;
      law(shown_.insert({m.conversation, m.sender, m.client_msg_id}).second,
          "nothing is shown twice");
    }
    if (const auto* step = std::get_if<client::StepChanged>(&notice)) {
      const bool says_stored = step->step == Step::kStored || step->step == Step::kDelivered ||
                               step->step == Step::kRead;
      law(!says_stored || stored_.contains(step->id), "no tick without STORED");
      law(step->step != Step::kRelayed || relayed_.contains(step->id),
          "no RELAYED without RELAYED");
    }
  }
  void act(client::NetAction& action) {
    if (const auto* c = std::get_if<client::Connect>(&action)) {
      pending_.push_back(c->attempt);
    } else if (auto* s = std::get_if<client::SendBytes>(&action)) {
      if (s->attempt == attempt_) from_client_ += s->bytes;
    } else if (std::get<client::CloseConnection>(action).attempt == attempt_) {
      is_up_ = false;
    }
  }
  /// Lets the next connection through: handshake, up to LOGIN.
  void accept() {
    while (!is_up_ && !pending_.empty()) {
      attempt_ = pending_.front();
      pending_.erase(pending_.begin());
      is_up_ = true;
      transport_ = {};
      decoder_ = {};
      state_ = wire::ReadState::kServerHello;
      from_client_.clear();
      turn([&](client::Turn& t) { device_->connected(t, now_, attempt_); });
      read_client();
    }
  }
  void read_client() {
    Bytes bytes = std::exchange(from_client_, {});
    std::span<std::uint8_t> rest = writable(bytes);
    for (;;) {
      const auto next = decoder_.next(rest, state_);
      law(next.has_value(), "a client sends well-formed frames");
      if (!*next) return;
      const wire::Frame& f = **next;
      if (f.header.command == wire::Outer::kHello) {
        prologue_ = wire::hello_prologue(f.header_bytes, f.body);
        state_ = wire::ReadState::kServerHandshake;
      } else if (f.header.command == wire::Outer::kHandshake1) {
        wire::NkResponder responder(*wire::find_suite(1), as_bytes(prologue_), server_key());
        Bytes payload;
        Bytes two;
        law(responder.read_1(f.body, payload).has_value(), "a client's handshake is right");
        auto up = responder.write_2(crypto::X25519KeyPair::generate(random_), {}, two);
        transport_ = std::move(*up);
        state_ = wire::ReadState::kServerOpen;
        Bytes out;
        wire::append_frame(wire::Outer::kHandshake2, as_bytes(two), out);
        receive(out);
      } else {
        Bytes scratch;
        const auto inner = wire::open_frame(transport_, f, wire::Compression::kAllowed, scratch);
        law(inner.has_value(), "a client seals what it sends");
        asked(*inner);
      }
    }
  }
  void asked(const wire::Inner& inner) {
    last_type_ = inner.type;
    last_id_ = inner.request_id;
    if (inner.type == Type::kLogin) login_id_ = inner.request_id;
    if (inner.type != Type::kSend) return;
    pb::SendRequest send;
    law(send.ParseFromArray(inner.body.data(), static_cast<int>(inner.body.size())) &&
            send.client_msg_id().size() == 16,
        "a client sends well-formed messages");
    sends_[inner.request_id] = ClientMsgId::from_bytes(send.client_msg_id());
  }
  void receive(Bytes bytes) {
    if (!is_up_) return;
    turn([&](client::Turn& t) { device_->received(t, now_, attempt_, writable(bytes)); });
    if (is_up_) read_client();
  }
  void frame(std::uint16_t type, std::uint16_t flags, std::uint32_t id, ByteView body) {
    accept();
    if (!is_up_ || !transport_.is_open()) return;
    // What the frame says decides which claims of the device are true from now on.
    const auto sent = sends_.find(id);
    if (type == (Type::kSend | wire::kTypeAck) && flags == 0 && sent != sends_.end()) {
      pb::SendAnswer said;
      if (said.ParseFromArray(body.data(), static_cast<int>(body.size()))) {
        if (said.ack() == pb::STORED) stored_.insert(sent->second);
        if (said.ack() == pb::RELAYED) relayed_.insert(sent->second);
      }
    }
    // A device that pulls its own message from the server's log has proof as well.
    if ((type == (Type::kPull | wire::kTypeAck)) || (type == (Type::kHistory | wire::kTypeAck))) {
      pb::PullAnswer said;
      if (said.ParseFromArray(body.data(), static_cast<int>(body.size()))) {
        for (const pb::Push& row : said.messages()) claims_row(row);
      }
    }
    pb::Push row;
    if (type == Type::kPush && row.ParseFromArray(body.data(), static_cast<int>(body.size()))) {
      claims_row(row);
    }
    Bytes out;
    if (!wire::seal_frame(
            transport_, {.type = type, .flags = flags, .request_id = id, .body = body}, {}, out)) {
      return;
    }
    receive(out);
  }
  void claims_row(const pb::Push& row) {
    if (row.client_msg_id().size() == 16 && !row.provisional()) {
      stored_.insert(ClientMsgId::from_bytes(row.client_msg_id()));
    }
  }
  template <class Message>
  void say(std::uint16_t type, std::uint32_t id, const Message& message) {
    const Bytes body = message.SerializeAsString();
    frame(type, 0, id, as_bytes(body));
  }
  void login_answer() {
    accept();
    pb::LoginAnswer answer;
    answer.set_uid(kAlice.value());
    answer.set_name("alice");
    answer.set_auth_epoch(1);
    answer.set_conn_counter(device_->record().conn_counter);
    answer.set_heartbeat_ms(60'000);
    answer.set_store_epoch(1);
    say(Type::kLogin | wire::kTypeAck, login_id_, answer);
  }
  void raw(ByteView bytes) {
    accept();
    receive(copy_of(bytes));
  }
  /// Any body as the answer to what was asked last.
  void answer(Reader& reader, ByteView body) {
    const std::uint8_t how = reader.u8();
    frame(static_cast<std::uint16_t>(last_type_ | wire::kTypeAck),
          static_cast<std::uint16_t>(how & 4), last_id_ + (how & 1U), body);
  }
  void push(Reader& reader) {
    pb::Push row;
    const std::uint8_t how = reader.u8();
    row.set_conversation(((how & 1) != 0 ? ConversationId{5, 9} : kPair).to_bytes());
    row.set_seq((how & 2) != 0 ? reader.u64() : reader.u8() % 8U);
    row.set_sender((how & 4) != 0 ? reader.u8() % 4U : kBob.value());
    row.set_client_msg_id(
        Bytes((how & 8) != 0 ? reader.u8() % 20U : 16U, static_cast<char>(reader.u8() % 8)));
    row.set_kind(1);
    row.set_body("text");
    row.set_provisional((how & 16) != 0);
    if ((how & 32) == 0) ++push_number_;
    say(Type::kPush, push_number_, row);
  }
  void send_answer(Reader& reader) {
    if (sends_.empty()) return;
    const std::uint8_t how = reader.u8();
    pb::SendAnswer answer;
    answer.set_ack(static_cast<pb::Ack>(how % 4));
    answer.set_conversation(kPair.to_bytes());
    answer.set_seq((how & 16) != 0 ? reader.u64() : 1 + reader.u8() % 8U);
    answer.set_recheck_after_ms(reader.u16());
    auto at = sends_.begin();
    std::advance(at, static_cast<std::ptrdiff_t>(reader.u8() % sends_.size()));
    say(Type::kSend | wire::kTypeAck, at->first, answer);
  }
  void sync_answer(Reader& reader) {
    pb::SyncAnswer answer;
    for (std::uint8_t n = reader.u8() % 4; n > 0; --n) {
      const std::uint8_t how = reader.u8();
      auto* state = answer.add_conversations();
      state->set_conversation(((how & 1) != 0 ? ConversationId{1, 3} : kPair).to_bytes());
      state->set_peer(kBob.value());
      state->set_head_seq((how & 2) != 0 ? reader.u64() : reader.u8() % 16U);
      state->set_read_seq((how & 4) != 0 ? reader.u64() : reader.u8() % 16U);
      state->set_peer_read_seq(reader.u8() % 16U);
    }
    const std::uint8_t how = reader.u8();
    answer.set_more((how & 1) != 0);
    answer.set_too_far((how & 2) != 0);
    answer.set_store_epoch((how & 4) != 0 ? 2 : 1);
    answer.set_since((how & 8) != 0 ? static_cast<std::int64_t>(reader.u64()) : 1'000);
    answer.set_useq(reader.u8());
    say(Type::kSync | wire::kTypeAck, (how & 16) != 0 ? reader.u32() : last_id_, answer);
  }
  void submit(Reader& reader) {
    const Bytes body = copy_of(reader.take(reader.u8() % 32));
    turn([&](client::Turn& t) {
      (void)device_->submit(t, now_, 1'800'000'000'000, (body.size() & 1) != 0 ? Uid{3} : kBob, 1,
                            body);
    });
    if (is_up_) read_client();
  }
  void advance(Millis by) {
    const MonoTime end = now_ + by;
    for (int steps = 0; device_->wake_at() <= end; ++steps) {
      law(steps < 5'000, "time-outs move on");
      now_ = std::max(now_, device_->wake_at());
      turn([&](client::Turn& t) { device_->tick(t, now_); });
      if (is_up_) read_client();
    }
    now_ = end;
    accept();
  }
  void close() {
    if (!is_up_) return;
    is_up_ = false;
    turn([&](client::Turn& t) { device_->closed(t, now_, attempt_, "the server closed"); });
  }

  SeededRandom random_{21};
  MonoTime now_ = MonoTime{} + std::chrono::hours(1);
  std::unique_ptr<client::Store> store_ = client::make_memory_store();
  std::optional<client::Device> device_;
  std::vector<client::AttemptId> pending_;
  client::AttemptId attempt_{};
  bool is_up_ = false;
  Bytes from_client_;
  Bytes prologue_;
  wire::FrameDecoder decoder_;
  wire::ReadState state_ = wire::ReadState::kServerHello;
  wire::Transport transport_;
  std::uint16_t last_type_ = 0;
  std::uint32_t last_id_ = 0;
  std::uint32_t login_id_ = 0;
  std::uint32_t push_number_ = 0;
  std::map<std::uint32_t, ClientMsgId> sends_;
  std::set<ClientMsgId> stored_;
  std::set<ClientMsgId> relayed_;
  std::set<MessageKey> shown_;
};

void run(ByteView input) {
  Reader reader(input);
  Rogue server;
  for (int deeds = 0; deeds < 100 && !reader.empty(); ++deeds) server.deed(reader);
}

std::vector<Seed> seeds() {
  using namespace std::string_literals;
  const Bytes online = "\0\x08\0\0\0"s;  // LOGIN is answered, SYNC is answered with nothing
  std::vector<Seed> out = {
      {"online", online},
      {"push", online + "\4\0\1\1\4\0\2\2"s},
      {"push-twice", online + "\4\0\1\1\4\0\1\1"s},
      {"push-hole", online + "\4\0\5\1"s},
      {"push-huge-seq", online + "\4\2\x7f\xff\xff\xff\xff\xff\xff\xff\1"s},
      {"push-seq-above", online + "\4\2\xff\xff\xff\xff\xff\xff\xff\xff\1"s},
      {"push-provisional", online + "\4\x10\0\1\4\0\1\1"s},
      {"push-number-again", online + "\4\0\1\1\4\x20\2\2"s},
      {"push-stranger", online + "\4\1\1\1"s},
      {"push-short-id", online + "\4\x08\1\3\1"s},
      {"send-stored", online + "\6\2ab\5\1\0\0\0\0"s},
      {"send-relayed", online + "\6\2ab\5\2\0\0\0\0\7\xff\5\1\0\0\0\0"s},
      {"send-no-ack", online + "\6\2ab\5\0\0\0\0\0"s},
      {"send-unknown-ack", online + "\6\2ab\5\3\0\0\0\0"s},
      {"send-huge-seq", online + "\6\2ab\5\x11\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0"s},
      {"sync-heads", "\0\x08\2\0\5\1\1\2\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0"s},
      {"sync-more", "\0\x08\1\0\5\1\1\1\0\x08\1\0\5\1\1\1\0"s},
      {"sync-epoch", "\0\x08\1\0\5\1\1\4\0"s + online},
      {"receipt", online + "\6\2ab\5\1\0\0\0\0\3\x40\2\0\0\0\0\0\0\x1e\x0a\x1c\x0a\x10"s +
                      kPair.to_bytes() + "\x10\5\x18\2\x20\1\x28\1"s},
      {"kicked", online + "\3\x40\3\0\0\0\0\0\0\2\x08\x65"s},
      {"goaway", online + "\3\x40\5\0\0\0\0\0\0\5\x08\xdc\x36\x10\1"s},
      {"sync-hint", online + "\3\x40\4\0\0\0\0\0\0\0"s},
      {"raw", online + "\1\x10 garbage in clear"s},
      {"answer-garbage", online + "\2\4\xff\xff\xff\xff\0"s},
      {"refused", online + "\6\2ab\2\3\x08\xb9\x17\4"s},
      {"close", online + "\x09\7\xff\7\xff"s + online},
      {"time", online + "\7\xff\7\xff\7\xff\7\xff"s}};
  return out;
}

HY_FUZZ_TARGET(sdk_device, run, seeds, 2'048);

}  // namespace
}  // namespace hy::fuzz
