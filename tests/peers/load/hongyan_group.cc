#include "tests/peers/load/hongyan_group.h"

#include <arpa/inet.h>

#include <algorithm>
#include <deque>
#include <fstream>
#include <nlohmann/json.hpp>

#include "client/core/message_id.h"
#include "client/load/light_client.h"
#include "client/load/light_pairs.h"
#include "client/load/proto_scan.h"
#include "common/crypto/system_random.h"
#include "tests/peers/load/meter.h"

namespace hy::peers {

using load::LightClient;

struct HongyanGroup::Impl final : load::Listener {
  struct Member {
    std::unique_ptr<LightClient> client;
    std::deque<Bytes> unanswered;  ///< bodies of the numbers first …; empty: answered
    std::uint32_t first = 1;
    std::uint64_t pushed_to = 0;
    bool is_told = false;
  };
  Impl(Meter& m, const std::filesystem::path& access, const std::string& from_address)
      : meter(m), shared{.loop = loop, .random = random, .listener = *this} {
    std::ifstream in(access);
    const nlohmann::json file = nlohmann::json::parse(in);
    entry = load::socket_address(file.at("address"));
    const auto key = from_hex(file.at("server_key").get<std::string>());
    std::ranges::copy(*key, reinterpret_cast<char*>(shared.server_key.data()));
    shared.sync_at_login = false;
    ::inet_pton(AF_INET, from_address.c_str(), &from);
    const auto& users = file.at("users");
    for (std::size_t i = 0; i < meter.settings().connections; ++i) {
      Member& one = members.emplace_back();
      one.client =
          std::make_unique<LightClient>(shared, Uid{users.at(i).at(0).get<std::uint64_t>()},
                                        *from_hex(users.at(i).at(1).get<std::string>()));
      one.client->index = static_cast<std::uint32_t>(i);
    }
  }

  /// The last one to log in is ready when everybody is in the group.
  void on_open(LightClient& c) override {
    if (++opened < members.size()) return meter.ready(c.index);
    last = c.index;
    // Nobody asks by SYNC here: what is pushed while a login is still being told is not to be
    // missed.
    ask_at = clock.now() + std::chrono::seconds(1);
  }
  void ask_when_due() {
    if (clock.now() < ask_at) return;
    ask_at = MonoTime::max();
    Bytes body;
    load::put_bytes(body, 1, "peers");
    Bytes uids;
    for (std::size_t i = 1; i < members.size(); ++i)
      load::put_varint(uids, members[i].client->uid().value());
    load::put_bytes(body, 2, uids);
    load::put_bytes(body, 3, as_text(client::make_message_id(clock.wall_ms(), random).bytes));
    members[0].client->ask(LightClient::kGroupCreate, body);
  }
  void on_answer(LightClient& c, std::uint16_t, Errc refused, ByteView body) override {
    load::FieldReader answer(body);
    while (refused == Errc::kOk && answer.next()) {
      if (answer.field() != 1) continue;
      load::FieldReader group(answer.bytes());
      while (group.next()) {
        if (group.field() == 1) gid = Gid{group.number()};
      }
    }
    if (gid.value() == 0) return meter.failed(c.index, "the group was refused");
    told(members[c.index]);
  }
  /// Somebody knows that he is in the group: who asked by the answer, the others by the event.
  void told(Member& one) {
    if (!std::exchange(one.is_told, true) && ++told_of_it == members.size()) meter.ready(last);
  }
  void on_reply(LightClient& c, std::uint32_t number, const load::SendReply& reply) override {
    Member& one = members[c.index];
    const std::uint32_t at = number - one.first;
    if (at >= one.unanswered.size()) return;
    if (reply.kind == load::SendReply::Kind::kStored) {
      ++stored;
    } else {
      last_refusal = reply.code;
      meter.group_refused(one.unanswered[at]);
    }
    one.unanswered[at].clear();
    for (; !one.unanswered.empty() && one.unanswered.front().empty(); ++one.first)
      one.unanswered.pop_front();
  }
  void on_push(LightClient& c, std::uint32_t, const load::PushView& push) override {
    Member& one = members[c.index];
    constexpr std::uint32_t kEvent = 3;
    if (push.kind == kEvent) {
      one.pushed_to = std::max(one.pushed_to, push.seq);
      return told(one);
    }
    if (push.seq <= one.pushed_to) {
      ++again;
      return;
    }
    // Seqs of a group have holes only where this person spoke.
    one.pushed_to = push.seq;
    meter.received(c.index, push.body);
  }
  void on_ack(LightClient&, std::uint32_t) override {}
  void on_receipt(LightClient&, ConversationId, std::uint64_t, Uid) override {}
  void on_hint(LightClient&) override { ++hints; }
  void on_slice(LightClient&, ConversationId, std::span<const load::PushView>, std::uint64_t,
                bool) override {}
  void on_heads(LightClient&, std::span<const std::pair<ConversationId, std::uint64_t>>,
                bool) override {}
  void on_sync_refused(LightClient&, Millis) override {}
  void on_closed(LightClient& c, load::Blame, Errc) override {
    meter.failed(c.index, "refused at login, or the connection was lost");
  }

  /// Between windows everybody is heard of once in 20 s: the entry closes silent connections.
  void ping_idle() {
    constexpr std::chrono::nanoseconds kRound = std::chrono::seconds(20);
    const MonoTime now = clock.now();
    if (meter.is_sending()) next_ping = now;
    for (; next_ping < now; next_ping += kRound / members.size(), ++pinged) {
      LightClient& c = *members[pinged % members.size()].client;
      if (c.is_open()) c.ping();
    }
  }

  Meter& meter;
  SystemClock clock;
  crypto::SystemRandom random;
  load::Loop loop;
  load::SwarmShared shared;
  sockaddr_in entry{};
  in_addr from{};
  std::vector<Member> members;
  Gid gid{};
  std::size_t opened = 0;
  std::size_t told_of_it = 0;
  std::size_t last = 0;
  MonoTime ask_at = MonoTime::max();
  std::uint64_t stored = 0;
  std::uint64_t again = 0;
  std::uint64_t hints = 0;
  Errc last_refusal = Errc::kOk;
  MonoTime next_ping = clock.now();
  std::size_t pinged = 0;
};

HongyanGroup::HongyanGroup(Meter& meter, const std::filesystem::path& access,
                           const std::string& from)
    : impl_(std::make_unique<Impl>(meter, access, from)) {}
HongyanGroup::~HongyanGroup() = default;

void HongyanGroup::begin_login(std::size_t client) {
  impl_->members[client].client->connect(impl_->entry, impl_->from);
}

void HongyanGroup::send(std::size_t client, std::string_view body) {
  Impl::Member& one = impl_->members[client];
  const auto number = one.first + static_cast<std::uint32_t>(one.unanswered.size());
  one.unanswered.emplace_back(body);
  const ClientMsgId id = client::make_message_id(impl_->clock.wall_ms(), impl_->random);
  one.client->send(number, impl_->gid, as_text(id.bytes), body);
}

void HongyanGroup::turn(std::chrono::milliseconds at_most) {
  impl_->loop.turn(impl_->clock.now() + at_most);
  impl_->ask_when_due();
  impl_->ping_idle();
}

bool HongyanGroup::is_settled() const {
  return std::ranges::all_of(impl_->members,
                             [](const Impl::Member& m) { return m.unanswered.empty(); });
}

std::vector<std::pair<const char*, std::uint64_t>> HongyanGroup::checks() const {
  return {{"stored_in_group", impl_->stored},
          {"pushed_again", impl_->again},
          {"hints", impl_->hints},
          {"last_refusal", static_cast<std::uint64_t>(impl_->last_refusal)}};
}

}  // namespace hy::peers
