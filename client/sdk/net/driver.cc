#include "client/sdk/net/driver.h"

#include <algorithm>

#include "common/base/test_hooks.h"

namespace hy::client {
namespace {

constexpr int kReadsPerTurn = 8;
constexpr auto kStoreAgain = Millis{1'000};

}  // namespace

Driver::Driver(asio::io_context& context, DeviceSettings settings, std::string device_id,
               OpenStore open_store, OnNotice on_notice)
    : context_(context),
      settings_(std::move(settings)),
      device_id_(std::move(device_id)),
      open_store_(std::move(open_store)),
      on_notice_(std::move(on_notice)),
      timer_(context) {}

Status Driver::open() {
  return load();
}

Status Driver::load() {
  store_.reset();  // its file is locked until it is gone
  HY_TRY(auto store, open_store_());
  HY_TRY(Snapshot snapshot, store->load());
  if (!device_id_.empty()) snapshot.device.device_id = device_id_;
  if (snapshot.device.device_id.empty()) {
    std::array<std::uint8_t, 16> id{};
    random_.fill(id);
    snapshot.device.device_id = to_hex(id);
  }
  device_id_ = snapshot.device.device_id;
  store_ = std::move(store);
  device_ = std::make_unique<Device>(settings_, std::move(snapshot), random_, clock_.now(),
                                     clock_.wall_ms());
  device_->set_tap(observer_);
  return {};
}

Status Driver::run(const std::function<void(Device&, Turn&, MonoTime)>& f) {
  if (is_shut_) return fail(Errc::kUnavailable, "closed");
  if (is_broken_) return fail(Errc::kStoreDown, "the device's store");
  Turn turn;
  turn.want_ladder = want_ladder_;
  f(*device_, turn, clock_.now());
  return end_turn(turn);
}

Status Driver::end_turn(Turn& turn) {
  device_->finish(turn, clock_.now());
  std::vector<RowFate> fates;
  if (!turn.writes.empty()) {
    auto applied = store_->apply(turn.writes);
    if (!applied) {
      const Error error = applied.error();
      recover(error);
      return std::unexpected(error);
    }
    fates = std::move(*applied);
  }
  if (observer_ != nullptr) observer_->committed(clock_.now(), turn, fates);
  sync_point("sdk.after_persist_before_ack");
  act(turn);
  arm();
  if (observer_ != nullptr) observer_->told(clock_.now(), turn, fates);
  tell(turn, fates);
  return {};
}

void Driver::act(Turn& turn) {
  for (NetAction& action : turn.net) {
    if (const auto* connect = std::get_if<Connect>(&action)) {
      auto connection =
          std::make_shared<Connection>(context_, connect->attempt, weak_from_this(), is_unplugged_);
      connections_[connect->attempt] = connection;
      sync_point("sdk.counter_before_connect");
      connection->connect(connect->address);
    } else if (auto* send = std::get_if<SendBytes>(&action)) {
      const auto at = connections_.find(send->attempt);
      if (at != connections_.end()) at->second->send(std::move(send->bytes));
      sync_point("sdk.after_send_before_ack");
    } else if (const auto* close = std::get_if<CloseConnection>(&action)) {
      const auto at = connections_.find(close->attempt);
      if (at == connections_.end()) continue;
      at->second->close(close->flush);
      // Unplugged, its socket stays open like one whose cable is out.
      if (!is_unplugged_) connections_.erase(at);
    }
  }
}

void Driver::tell(Turn& turn, const std::vector<RowFate>& fates) {
  sync_point("sdk.after_ack_before_show");
  const std::int64_t released_us = to_us(clock_.now());
  for (Notice& notice : turn.notices) {
    if (auto* shown = std::get_if<Shown>(&notice)) {
      const RowFate fate = fates[shown->row];
      if (fate == RowFate::kKnown) continue;
      shown->message.moved = fate == RowFate::kMoved;
    } else if (auto* rung = std::get_if<Ladder>(&notice)) {
      if (rung->at_release) rung->event.at_us = released_us;
    }
    notices_.push_back(std::move(notice));
  }
  deliver();
}

void Driver::deliver() {
  if (is_delivering_) return;  // a callback made a turn of its own: its notices come behind
  is_delivering_ = true;
  const auto self = shared_from_this();
  while (!notices_.empty() && !is_shut_) {
    Notice notice = std::move(notices_.front());
    notices_.pop_front();
    on_notice_(notice);
  }
  is_delivering_ = false;
}

void Driver::arm() {
  const MonoTime at = device_->wake_at();
  if (at == armed_for_) return;
  armed_for_ = at;
  if (at == kNever) {
    timer_.cancel();
    return;
  }
  timer_.expires_at(std::chrono::time_point_cast<asio::steady_timer::duration>(at));
  timer_.async_wait([self = weak_from_this()](const net::ErrorCode& error) {
    const auto driver = self.lock();
    if (error || driver == nullptr || driver->is_shut_) return;
    driver->armed_for_ = kNever;
    if (driver->is_broken_) {
      driver->after_recovery();
      return;
    }
    (void)driver->run([](Device& d, Turn& turn, MonoTime now) { d.tick(turn, now); });
    if (!driver->is_broken_) driver->arm();
  });
}

void Driver::recover(const Error& error) {
  for (auto& [attempt, connection] : connections_) connection->close(false);
  connections_.clear();
  is_broken_ = true;
  notices_.emplace_back(
      LinkChanged{LinkState::kBackingOff, error_text(error.code, "store: " + error.detail)});
  armed_for_ = clock_.now() + kStoreAgain;
  timer_.expires_after(kStoreAgain);
  timer_.async_wait([self = weak_from_this()](const net::ErrorCode& failed) {
    const auto driver = self.lock();
    if (!failed && driver != nullptr && !driver->is_shut_) driver->after_recovery();
  });
  deliver();
}

void Driver::after_recovery() {
  if (const Status loaded = load(); !loaded) {
    recover(loaded.error());
    return;
  }
  is_broken_ = false;
  armed_for_ = kNever;
  if (has_identity_) login(identity_);
}

void Driver::login(Identity identity) {
  identity_ = identity;
  has_identity_ = true;
  (void)run([&](Device& d, Turn& turn, MonoTime now) { d.login(turn, now, std::move(identity)); });
}

Status Driver::write(Write write) {
  if (is_shut_ || is_broken_) return fail(Errc::kStoreDown);
  const std::array<Write, 1> writes{std::move(write)};
  const auto applied = store_->apply(writes);
  return applied ? Status{} : Status(std::unexpected(applied.error()));
}

void Driver::unplug(bool unplugged) {
  is_unplugged_ = unplugged;
  const auto all = connections_;
  for (const auto& [attempt, connection] : all) connection->plug(!unplugged);
}

void Driver::drop_connection() {
  for (auto& [attempt, connection] : connections_) connection->abort_on_close();
  (void)run([](Device& d, Turn& turn, MonoTime now) { d.drop_connection(turn, now); });
}

void Driver::shut() {
  if (std::exchange(is_shut_, true)) return;
  timer_.cancel();
  for (auto& [attempt, connection] : connections_) {
    if (is_unplugged_) connection->plug(true);
    connection->close(true);
  }
  connections_.clear();
  notices_.clear();
}

void Driver::on_connected(AttemptId attempt) {
  (void)run([=](Device& d, Turn& turn, MonoTime now) { d.connected(turn, now, attempt); });
}

void Driver::on_connect_failed(AttemptId attempt, const std::string& why) {
  connections_.erase(attempt);
  (void)run(
      [&](Device& d, Turn& turn, MonoTime now) { d.connect_failed(turn, now, attempt, why); });
}

void Driver::on_readable(AttemptId attempt) {
  const auto at = connections_.find(attempt);
  if (at == connections_.end()) return;
  const auto connection = at->second;
  (void)run([&](Device& d, Turn& turn, MonoTime now) {
    // All that has arrived is one turn: one commit, one PUSH_ACK.
    for (int i = 0; i < kReadsPerTurn; ++i) {
      const auto bytes = connection->read();
      if (bytes.empty()) break;
      d.received(turn, now, attempt, bytes);
    }
  });
}

void Driver::on_closed(AttemptId attempt, const std::string& why) {
  connections_.erase(attempt);
  (void)run([&](Device& d, Turn& turn, MonoTime now) { d.closed(turn, now, attempt, why); });
}

}  // namespace hy::client
