#include "tests/sim/cluster/device_host.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "client/core/codec.h"
#include "client/core/group_codec.h"
#include "common/base/check.h"

namespace hy::sim {
namespace {

using client::AttemptId;
using client::Type;

constexpr Millis kStoreAgain{1'000};
constexpr Millis kAnswerWithin{8'000};
constexpr std::uint32_t kTicksAtOnceMax = 200;

/// What a device writes in one turn: on a narrow link the server sees its beginning long before its
/// end, as TCP's segments come.
void send_pieces(Connection& connection, Bytes bytes) {
  constexpr std::size_t kSegment = 1'448;
  const std::size_t piece = connection.is_narrow() ? kSegment : bytes.size();
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    Packet packet;
    packet.bytes = bytes.substr(at, piece);
    packet.size = packet.bytes.size();
    connection.send(Connection::kDialler, std::move(packet));
  }
}

}  // namespace

/// One connection of the device.
struct DeviceHost::Wire final : EndPoint {
  Wire(DeviceHost& h, AttemptId a, std::shared_ptr<Connection> c)
      : host(h), attempt(a), connection(std::move(c)) {
    connection->attach(Connection::kDialler, this);
  }
  ~Wire() override { connection->attach(Connection::kDialler, nullptr); }
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;

  void on_packet(Packet packet) override {
    // Lives until this call ends, which may be the end of the connection.
    const auto held = connection;
    DeviceHost& h = host;
    const std::uint32_t before = h.recorder_.last_answered();
    const std::uint32_t last = last_whole;
    host.run([&](client::Device& d, client::Turn& t, MonoTime now) {
      d.received(t, now, attempt,
                 {reinterpret_cast<std::uint8_t*>(packet.bytes.data()), packet.bytes.size()});
    });
    const std::uint32_t answered = h.recorder_.last_answered();
    if (last == 0 || answered == before || answered <= last || !h.on_broken) return;
    h.on_broken(
        fmt::format("G16: bytes of {} were changed on their way before request {}, and that "
                    "was answered on the same connection",
                    h.node_.name(), answered));
  }
  void on_end(End how) override {
    DeviceHost& h = host;
    const AttemptId which = attempt;
    connection->close(Connection::kDialler);
    const auto self = h.wires_[which];  // lives until this call ends
    h.wires_.erase(which);
    h.run([&](client::Device& d, client::Turn& t, MonoTime now) {
      d.closed(t, now, which, how == End::kFin ? "the server closed the connection" : "reset");
    });
  }

  DeviceHost& host;
  AttemptId attempt;
  std::shared_ptr<Connection> connection;
  std::uint32_t last_whole = 0;  ///< last request before bytes were changed on their way; 0: none
};

DeviceHost::DeviceHost(World& world, Network& network, Node& node, DeviceSpec spec)
    : world_(world),
      network_(network),
      node_(node),
      spec_(std::move(spec)),
      recorder_(judge::DeviceKey{spec_.uid, spec_.slot, spec_.installation}),
      store_(client::make_memory_store()) {
  identity_ = {spec_.name, spec_.uid, Secret("sim"), Secret()};
  node_.boot = [this] { boot(); };
  node_.destroy = [this] { destroy(); };
  network_.mark_outer(node_.id());
}

void DeviceHost::boot() {
  if (life_++ > 0) recorder_.restarted(world_.now());
  load();
  if (wants_online_) log_in();
}

void DeviceHost::destroy() {
  ++crashes_;
  world_.cancel(timer_);
  armed_for_ = client::kNever;
  forget_life();
}

void DeviceHost::forget_life() {
  wires_.clear();
  dialling_.clear();
  device_.reset();
  open_requests_ = 0;
  recents_.clear();
  unruly_.clear();
  asked_.clear();
  submitting_.reset();
}

void DeviceHost::load() {
  auto snapshot = store_->load();
  HY_CHECK(snapshot.has_value());
  if (snapshot->device.device_id.empty()) {
    snapshot->device.device_id = "sim-" + spec_.name + "-" + std::to_string(spec_.installation) +
                                 "-" + std::to_string(static_cast<int>(spec_.slot));
  }
  // As apps do: the token of the last login, and the password only without one.
  identity_.token = snapshot->device.token;
  device_ = std::make_unique<client::Device>(spec_.settings, std::move(*snapshot), node_.random,
                                             world_.now(), node_.clock.wall_ms());
  device_->set_tap(&recorder_);
}

bool DeviceHost::strikes(std::uint32_t per_million) {
  return faults != nullptr && per_million > 0 && world_.below(1'000'000) < per_million;
}

template <class F>
bool DeviceHost::run(F&& f) {
  if (device_ == nullptr || node_.is_zombie()) return false;
  client::Turn turn;
  f(*device_, turn, world_.now());
  end_turn(turn);
  return true;
}

void DeviceHost::end_turn(client::Turn& turn) {
  const MonoTime now = world_.now();
  device_->finish(turn, now);
  if (node_.is_zombie()) return recorder_.turn_lost(now);  // died inside of the turn
  std::vector<client::RowFate> fates;
  if (!turn.writes.empty()) {
    if (strikes(faults == nullptr ? 0 : faults->die_before_commit)) return world_.kill(node_);
    if (strikes(faults == nullptr ? 0 : faults->store_fails)) {
      ++disk_failures_;
      return recover();
    }
    auto applied = store_->apply(turn.writes);
    HY_CHECK(applied.has_value());
    fates = std::move(*applied);
    if (submitting_) {
      const client::OutboxRecord& r = *submitting_;
      recorder_.submitted(now, r.id, r.conversation, r.kind, r.body);
      ++submitted_;
      submitting_.reset();
    }
    recorder_.committed(now, turn, fates);
    if (strikes(faults == nullptr ? 0 : faults->die_after_commit)) {
      // The app shows what its store has after the restart: as if it had been told.
      tell(turn, fates);
      return world_.kill(node_);
    }
  }
  act(turn);
  if (!turn.net.empty() && strikes(faults == nullptr ? 0 : faults->die_after_sending)) {
    tell(turn, fates);
    return world_.kill(node_);
  }
  tell(turn, fates);
  if (device_ != nullptr) arm();
}

void DeviceHost::act(client::Turn& turn) {
  for (client::NetAction& action : turn.net) {
    if (const auto* to = std::get_if<client::Connect>(&action)) {
      connect(to->attempt, to->address);
    } else if (auto* send = std::get_if<client::SendBytes>(&action)) {
      const auto at = wires_.find(send->attempt);
      if (at == wires_.end()) continue;
      Wire& wire = *at->second;
      send_pieces(*wire.connection, std::move(send->bytes));
      if (wire.last_whole == 0 && wire.connection->is_corrupted(Connection::kDialler))
        wire.last_whole = recorder_.last_asked();
    } else if (const auto* close = std::get_if<client::CloseConnection>(&action)) {
      dialling_.erase(close->attempt);
      const auto at = wires_.find(close->attempt);
      if (at == wires_.end()) continue;
      at->second->connection->close(Connection::kDialler);
      wires_.erase(at);
    }
  }
}

void DeviceHost::connect(AttemptId attempt, const std::string& address) {
  dialling_.insert(attempt);
  network_.dial(node_, address, {}, [this, attempt](std::shared_ptr<Connection> made) {
    if (dialling_.erase(attempt) == 0) {
      if (made != nullptr) made->close(Connection::kDialler);  // not wanted any more
      return;
    }
    if (made == nullptr) {
      run([&](client::Device& d, client::Turn& t, MonoTime now) {
        d.connect_failed(t, now, attempt, "refused");
      });
      return;
    }
    wires_[attempt] = std::make_shared<Wire>(*this, attempt, std::move(made));
    run([&](client::Device& d, client::Turn& t, MonoTime now) { d.connected(t, now, attempt); });
  });
}

void DeviceHost::tell(const client::Turn& turn, const std::vector<client::RowFate>& fates) {
  recorder_.told(world_.now(), turn, fates);
  for (const client::Notice& notice : turn.notices) {
    const auto* link = std::get_if<client::LinkChanged>(&notice);
    if (link != nullptr && on_link) on_link(link->state, link->why);
    if (link != nullptr && on_broken && network_.counts.corrupted == 0 &&
        link->why.find("HY-1005") != std::string::npos) {
      on_broken(fmt::format("{} lost its connection by {}, and no byte was changed on its way",
                            node_.name(), link->why));
    }
    const auto* answered = std::get_if<client::Answered>(&notice);
    if (answered == nullptr) continue;
    if (open_requests_ > 0) --open_requests_;
    if (const auto unruly = unruly_.extract(answered->token); unruly) {
      // Refused for another reason it would show nothing, whatever the store does.
      HY_CHECK(answered->body || answered->body.error().code != Errc::kMalformedBody);
      if (answered->body) {
        const auto outcome = client::decode_send(as_bytes(*answered->body));
        if (outcome && outcome->stored) unruly.mapped()();
      }
    }
    if (const auto asked = asked_.extract(answered->token); asked) asked.mapped()(answered->body);
    const bool is_recents = recents_.erase(answered->token) > 0;
    if (!is_recents || !answered->body) continue;
    const auto rows = client::decode_recents(as_bytes(*answered->body));
    if (!rows) continue;
    for (const ConversationInfo& info : *rows) {
      recorder_.unread(world_.now(), info.conversation, info.unread);
    }
  }
}

void DeviceHost::arm() {
  const MonoTime at = device_->wake_at();
  if (at == armed_for_) return;
  world_.cancel(timer_);
  armed_for_ = at;
  if (at == client::kNever) return;
  timer_ = world_.at(at, &node_, [this] {
    armed_for_ = client::kNever;
    ticks_here_ = ticked_at_ == world_.now() ? ticks_here_ + 1 : 0;
    ticked_at_ = world_.now();
    if (ticks_here_ > kTicksAtOnceMax && on_spin) return on_spin();
    run([](client::Device& d, client::Turn& t, MonoTime now) { d.tick(t, now); });
  });
}

/// The transaction failed: nothing of the turn leaves; the cores are made anew from the store.
void DeviceHost::recover() {
  for (auto& [attempt, wire] : wires_) wire->connection->close(Connection::kDialler);
  forget_life();
  world_.cancel(timer_);
  armed_for_ = client::kNever;
  recorder_.restarted(world_.now());
  timer_ = world_.after(kStoreAgain, &node_, [this] {
    load();
    if (wants_online_) log_in();
  });
}

// ---- the person

void DeviceHost::log_in() {
  wants_online_ = true;
  run([this](client::Device& d, client::Turn& t, MonoTime now) { d.login(t, now, identity_); });
}

void DeviceHost::log_out() {
  wants_online_ = false;
  run([](client::Device& d, client::Turn& t, MonoTime now) { d.logout(t, now); });
}

void DeviceHost::go_offline() {
  wants_online_ = false;
  run([](client::Device& d, client::Turn& t, MonoTime now) { d.close(t, now); });
}

template <class To>
bool DeviceHost::submit(To to, ConversationId conv, const Bytes& body) {
  bool taken = false;
  run([&](client::Device& d, client::Turn& t, MonoTime now) {
    const auto id = d.submit(t, now, node_.clock.wall_ms(), to, 1, body);
    taken = id.has_value();
    if (!taken) return;
    last_sent_ = *id;
    client::OutboxRecord record;
    record.id = *id;
    record.conversation = conv;
    record.body = body;
    submitting_ = std::move(record);
  });
  submitting_.reset();
  return taken;
}

bool DeviceHost::send(Uid to, const Bytes& body) {
  return submit(to, ConversationId::pair(spec_.uid, to), body);
}

bool DeviceHost::send(Gid to, const Bytes& body) {
  return submit(to, ConversationId::group(to), body);
}

void DeviceHost::ask(std::uint16_t type, Bytes body,
                     std::function<void(const Result<Bytes>&)> told) {
  run([&](client::Device& d, client::Turn& /*t*/, MonoTime now) {
    const std::uint64_t token = next_token_++;
    ++open_requests_;
    if (told) asked_[token] = std::move(told);
    d.request(now, token, type, std::move(body), kAnswerWithin);
  });
}

void DeviceHost::create_group(std::string_view name, const std::vector<Uid>& members,
                              const ClientMsgId& creation_id, GroupAnswer told) {
  ask(Type::kGroupCreate, client::encode_group_create(name, members, creation_id),
      [told = std::move(told)](const Result<Bytes>& body) {
        told(body ? client::decode_group_create(as_bytes(*body)) : std::unexpected(body.error()));
      });
}

void DeviceHost::ask_group(Gid gid, GroupAnswer told) {
  ask(Type::kGroupInfo, client::encode_group_info(gid),
      [told = std::move(told)](const Result<Bytes>& body) {
        told(body ? client::decode_group_info(as_bytes(*body)) : std::unexpected(body.error()));
      });
}

void DeviceHost::change_group(Gid gid, const std::vector<Uid>& add,
                              const std::vector<Uid>& remove) {
  ask(Type::kGroupChange, client::encode_group_change(gid, add, remove), {});
}

bool DeviceHost::send_under(const ClientMsgId& id, Uid to, const Bytes& body,
                            std::function<void()> taken) {
  if (link() != LinkState::kOnline) return false;
  return run([&](client::Device& d, client::Turn& /*t*/, MonoTime now) {
    client::SendOrder order;
    order.id = id;
    order.conversation = ConversationId::pair(spec_.uid, to);
    order.to = to;
    order.kind = 1;
    order.body = body;
    ++open_requests_;
    unruly_[next_token_] = std::move(taken);
    recorder_.leave_out(id, body);
    d.request(now, next_token_++, Type::kSend, client::encode_send(order), kAnswerWithin);
  });
}

void DeviceHost::mark_read(ConversationId conv) {
  run([&](client::Device& d, client::Turn& /*t*/, MonoTime now) {
    const client::ConversationRecord* const record = d.inbox().find(conv);
    if (record == nullptr || record->have.value() == 0) return;
    if (record->have <= record->read_wanted) return;
    recorder_.read_wanted(now, conv, record->have);
    d.mark_read(now, conv, record->have);
  });
}

void DeviceHost::retry_refused() {
  if (device_ == nullptr) return;
  for (const client::OutboxRecord& record : device_->outbox().items()) {
    if (record.step != Step::kRefused && record.step != Step::kUnsure) continue;
    run([&](client::Device& d, client::Turn& t, MonoTime now) {
      if (d.retry(t, now, record.id)) submitting_ = record;
    });
    submitting_.reset();
    return;
  }
}

void DeviceHost::sync() {
  run([](client::Device& d, client::Turn& /*t*/, MonoTime now) { d.sync_now(now); });
}

void DeviceHost::ask_recents() {
  run([this](client::Device& d, client::Turn& /*t*/, MonoTime now) {
    const std::uint64_t token = next_token_++;
    recents_[token] = true;
    ++open_requests_;
    d.request(now, token, Type::kRecents, client::encode_recents(50), kAnswerWithin);
  });
}

void DeviceHost::ask_history(ConversationId conv) {
  run([&](client::Device& d, client::Turn& /*t*/, MonoTime now) {
    ++open_requests_;
    d.request(now, next_token_++, Type::kHistory, client::encode_history(conv, Seq{1}, Seq{0}, 20),
              kAnswerWithin);
  });
}

void DeviceHost::block(Uid uid, bool on) {
  run([&](client::Device& d, client::Turn& /*t*/, MonoTime now) {
    ++open_requests_;
    d.request(now, next_token_++, Type::kBlock, client::encode_block(uid, on), kAnswerWithin);
  });
}

void DeviceHost::drop_connection() {
  run([](client::Device& d, client::Turn& t, MonoTime now) { d.drop_connection(t, now); });
}

void DeviceHost::restore_counter(std::uint32_t lower_by) {
  if (device_ == nullptr) return;
  forget_life();
  world_.cancel(timer_);
  armed_for_ = client::kNever;
  recorder_.restarted(world_.now());
  auto snapshot = store_->load();
  HY_CHECK(snapshot.has_value());
  client::DeviceRecord record = std::move(snapshot->device);
  record.conn_counter -= std::min(record.conn_counter, lower_by);
  const std::array<client::Write, 1> old{client::PutDevice{std::move(record)}};
  HY_CHECK(store_->apply(old).has_value());
  load();
}

std::size_t DeviceHost::open_sends() const {
  if (device_ == nullptr) return 0;
  const auto items = device_->outbox().items();
  return static_cast<std::size_t>(std::ranges::count_if(items, [](const client::OutboxRecord& r) {
    return r.step != Step::kRefused && r.step != Step::kUnsure;
  }));
}

bool DeviceHost::is_settled() const {
  if (device_ == nullptr) return false;
  // Told to go elsewhere it still talks: with a small greatest age somebody always is.
  const LinkState link = device_->link().state();
  return (link == LinkState::kOnline || link == LinkState::kMoving) && device_->is_up_to_date() &&
         open_sends() == 0 && open_requests_ == 0 && device_->inbox().unconfirmed_reads().empty();
}

}  // namespace hy::sim
