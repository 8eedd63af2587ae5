#include "tests/support/sim_world.h"

#include <algorithm>

namespace hy::test {

using client::AttemptId;

client::DeviceSettings sim_settings(const ModelServer& server) {
  client::DeviceSettings s;
  s.link.entries = {"entry-a"};
  s.link.server_key = server.public_key();
  return s;
}

void SimWorld::run_for(Millis span) {
  const MonoTime end = now + span;
  for (;;) {
    MonoTime next = events_.empty() ? client::kNever : events_.begin()->first;
    for (SimDevice* device : devices_) {
      next = std::min(next, std::max(device->device_->wake_at(), now));
    }
    if (next > end) break;
    now = std::max(now, next);
    if (!events_.empty() && events_.begin()->first <= now) {
      const auto f = std::move(events_.begin()->second);
      events_.erase(events_.begin());
      f();
      continue;
    }
    for (SimDevice* device : std::vector(devices_)) {
      if (device->device_->wake_at() > now) continue;
      device->run([this](client::Device& d, client::Turn& turn) { d.tick(turn, now); });
    }
  }
  now = end;
}

bool SimWorld::run_until(const std::function<bool()>& done, Millis within) {
  const MonoTime end = now + within;
  while (!done()) {
    if (now >= end) return false;
    run_for(Millis{1});
  }
  return true;
}

SimDevice::SimDevice(SimWorld& world, std::string name, client::DeviceSettings settings,
                     OpenStore open_store)
    : world_(world),
      name_(std::move(name)),
      settings_(std::move(settings)),
      open_store_(std::move(open_store)),
      random_(world.random.next()) {
  load();
  world_.devices_.push_back(this);
}

SimDevice::~SimDevice() {
  std::erase(world_.devices_, this);
  ++life_;
}

void SimDevice::load() {
  // In memory, the store itself is what survives the process.
  if (open_store_) {
    store_.reset();
    store_ = open_store_();
  } else if (store_ == nullptr) {
    store_ = client::make_memory_store();
  }
  auto snapshot = store_->load();
  HY_CHECK(snapshot.has_value());
  if (snapshot->device.device_id.empty()) snapshot->device.device_id = "sim-" + name_;
  device_ = std::make_unique<client::Device>(settings_, std::move(*snapshot), random_, world_.now,
                                             world_.wall_ms);
}

void SimDevice::login(const std::string& password) {
  identity_ = {name_, Uid{}, Secret(password), Secret()};
  wants_login_ = true;
  run([this](client::Device& d, client::Turn& turn) { d.login(turn, world_.now, identity_); });
}

Result<ClientMsgId> SimDevice::send(Uid to, const Bytes& body) {
  Result<ClientMsgId> id = fail(Errc::kInternal);
  run([&](client::Device& d, client::Turn& turn) {
    id = d.submit(turn, world_.now, world_.wall_ms, to, 1, body);
  });
  return id;
}

void SimDevice::run(const std::function<void(client::Device&, client::Turn&)>& f) {
  client::Turn turn;
  f(*device_, turn);
  device_->finish(turn, world_.now);
  std::vector<client::RowFate> fates;
  if (!turn.writes.empty()) {
    if (crash_before_commit > 0 && --crash_before_commit == 0) return crash_and_restart();
    auto applied = store_->apply(turn.writes);
    HY_CHECK(applied.has_value());
    fates = std::move(*applied);
    ++commits;
    if (crash_after_commit > 0 && --crash_after_commit == 0) {
      // What was committed to be shown is shown after the restart from the store; the model of the
      // app is that it reads its rows there, so the notices of this turn still count.
      tell(turn, fates);
      return crash_and_restart();
    }
  }
  act(turn);
  tell(turn, fates);
}

void SimDevice::crash_and_restart() {
  ++crashes;
  ++life_;
  for (auto& [attempt, wire] : wires_) {
    wire->is_open = false;
    if (wire->server_side != nullptr) wire->server_side->shut();
  }
  wires_.clear();
  load();
  if (wants_login_) {
    world_.at(world_.now + Millis{5}, [this, life = life_] {
      if (life == life_) {
        run([this](client::Device& d, client::Turn& turn) {
          d.login(turn, world_.now, identity_);
        });
      }
    });
  }
}

MonoTime SimDevice::hop(MonoTime& last) {
  Millis delay{1};
  if (world_.jitter_max.count() > 0) {
    delay += Millis(static_cast<std::int64_t>(
        world_.random.below(static_cast<std::uint64_t>(world_.jitter_max.count()) + 1)));
  }
  last = std::max(last, world_.now + delay);
  return last;
}

void SimDevice::act(client::Turn& turn) {
  for (client::NetAction& action : turn.net) {
    if (const auto* c = std::get_if<client::Connect>(&action)) connect(c->attempt, c->address);
    if (auto* s = std::get_if<client::SendBytes>(&action)) carry(s->attempt, std::move(s->bytes));
    if (const auto* c = std::get_if<client::CloseConnection>(&action)) {
      const auto at = wires_.find(c->attempt);
      if (at == wires_.end()) continue;
      const auto wire = at->second;
      wires_.erase(at);
      wire->is_open = false;
      world_.at(hop(wire->last_out), [wire, cut = is_cut_] {
        if (wire->server_side != nullptr && !cut) wire->server_side->shut();
      });
    }
  }
}

void SimDevice::connect(AttemptId attempt, const std::string& address) {
  auto wire = std::make_shared<Wire>();
  wires_[attempt] = wire;
  const auto now = [this] { return world_.now; };
  world_.at(hop(wire->last_out), [this, wire, attempt, address, now, life = life_] {
    if (life != life_ || !wire->is_open || is_cut_) return;
    if (world_.is_network_down || address.starts_with("dead")) {
      wires_.erase(attempt);
      run([&](client::Device& d, client::Turn& t) {
        d.connect_failed(t, now(), attempt, "refused");
      });
      return;
    }
    const auto in = [this, wire, attempt, now, life](Bytes bytes) {
      auto shared = std::make_shared<Bytes>(std::move(bytes));
      world_.at(hop(wire->last_in), [this, wire, attempt, now, life, shared] {
        if (life != life_ || !wire->is_open || is_cut_) return;
        std::span<std::uint8_t> view{reinterpret_cast<std::uint8_t*>(shared->data()),
                                     shared->size()};
        run([&](client::Device& d, client::Turn& t) { d.received(t, now(), attempt, view); });
      });
    };
    const auto end = [this, wire, attempt, now, life] {
      world_.at(hop(wire->last_in), [this, wire, attempt, now, life] {
        if (life != life_ || !wire->is_open || is_cut_) return;
        wires_.erase(attempt);
        run([&](client::Device& d, client::Turn& t) { d.closed(t, now(), attempt, "eof"); });
      });
    };
    wire->server_side = world_.server.accept(in, end);
    run([&](client::Device& d, client::Turn& t) { d.connected(t, now(), attempt); });
  });
}

void SimDevice::carry(AttemptId attempt, Bytes bytes) {
  const auto at = wires_.find(attempt);
  if (at == wires_.end()) return;
  const auto wire = at->second;
  auto shared = std::make_shared<Bytes>(std::move(bytes));
  world_.at(hop(wire->last_out), [this, wire, shared, life = life_] {
    if (life != life_ || is_cut_ || wire->server_side == nullptr) return;
    wire->server_side->received({reinterpret_cast<std::uint8_t*>(shared->data()), shared->size()});
  });
}

void SimDevice::tell(client::Turn& turn, const std::vector<client::RowFate>& fates) {
  for (client::Notice& notice : turn.notices) {
    if (auto* s = std::get_if<client::Shown>(&notice)) {
      const auto fate = fates.at(s->row);
      if (fate == client::RowFate::kKnown) continue;
      s->message.moved = fate == client::RowFate::kMoved;
      shown.push_back(s->message);
    } else if (const auto* step = std::get_if<client::StepChanged>(&notice)) {
      steps[step->id] = step->step;
      codes[step->id] = step->code;
    } else if (const auto* link = std::get_if<client::LinkChanged>(&notice)) {
      states.emplace_back(link->state, link->why);
    } else if (const auto* rung = std::get_if<client::Ladder>(&notice)) {
      ladder.push_back(rung->event);
    } else if (const auto* ended = std::get_if<client::LoginEnded>(&notice)) {
      logins.push_back(ended->status);
    } else if (std::get_if<client::UpToDate>(&notice) != nullptr) {
      ++up_to_date;
    }
  }
}

Step SimDevice::step_of(const ClientMsgId& id) const {
  const auto at = steps.find(id);
  return at == steps.end() ? Step::kQueued : at->second;
}

std::vector<Bytes> SimDevice::bodies() const {
  std::vector<Bytes> out;
  for (const Message& m : shown) {
    if (!m.moved) out.push_back(m.body);
  }
  return out;
}

}  // namespace hy::test
