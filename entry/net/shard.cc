#include "entry/net/shard.h"

#include <algorithm>
#include <utility>

#include "common/base/check.h"
#include "common/base/test_hooks.h"
#include "entry/session/small_bodies.h"

namespace hy::entry {
namespace {

constexpr std::size_t kReadBytes = 128 * 1'024;  // the longest frame and more
/// More patient connections than this: the shard is busy, and they wait for company.
constexpr std::size_t kPatientFew = 32;
constexpr std::size_t kPoolMax = 1'024;
constexpr std::size_t kSparePairs = 16;
constexpr std::size_t kSparePairsPerTick = 4;

}  // namespace

Shard::Shard(Sockets& sockets, Post post, const Clock& clock, Random& random,
             Gatekeeper& gatekeeper, Metrics& metrics, ShardOptions options, WakeHub wake_hub,
             CallSoon call_soon)
    : sockets_(sockets),
      post_(std::move(post)),
      clock_(clock),
      random_(random),
      gatekeeper_(gatekeeper),
      metrics_(metrics),
      options_(std::move(options)),
      wake_hub_(std::move(wake_hub)),
      call_soon_(std::move(call_soon)),
      table_(options_.shard, options_.connections_max),
      start_(clock.now()),
      wheel_(start_, kTick),
      now_(start_),
      read_buffer_(kReadBytes),
      overloaded_(refused_body(Errc::kOverloaded, kOverloadedRetry)) {}

Shard::~Shard() {
  for (std::uint32_t i = 0; i < table_.slots(); ++i) {
    if (Connection* c = table_.at_index(i)) sockets_.close(c->fd);
  }
}

std::uint32_t Shard::now_ms() const {
  return static_cast<std::uint32_t>(std::chrono::duration_cast<Millis>(now_ - start_).count());
}

void Shard::turn() {
  now_ = clock_.now();
  hub_backlog_ = up_shared_.waiting_commands();
  for (const Sockets::Event& event : sockets_.ready()) {
    const ConnId conn{event.tag};
    if (Connection* c = table_.find(conn); c != nullptr && event.writable) on_writable(*c);
    if (Connection* c = table_.find(conn); c != nullptr && event.readable) on_readable(*c);
  }
  // Those behind work on what was read while this thread writes.
  hand_up();
  take_down();
  end_turn();
}

void Shard::take_down() {
  down_.clear();
  down_shared_.take(down_);
  on_down(down_);
}

void Shard::tick() {
  now_ = clock_.now();
  fired_.clear();
  wheel_.step(now_, fired_);
  for (const std::uint32_t index : fired_) {
    if (Connection* c = table_.at_index(index)) on_timer(*c);
  }
  for (std::size_t i = 0; i < kSparePairsPerTick && spare_pairs_.size() < kSparePairs; ++i) {
    spare_pairs_.push_back(crypto::X25519KeyPair::generate(random_));
  }
  append_moved(up_.commands, pings_);
  end_turn();
}

void Shard::soon() {
  soon_asked_ = false;
  now_ = clock_.now();
  release_patient();
  append_moved(up_.results, calm_results_);
  confirms_.take(up_.confirms);
  end_turn();
}

bool Shard::is_busy() const {
  return receipts_.size() + oks_.size() > kPatientFew;
}

void Shard::release_patient() {
  const bool all = !is_busy();
  const auto go = [this](ConnId conn, std::uint32_t since_ms) {
    Connection* c = table_.find(conn);
    if (c == nullptr || c->patience == Patience::kNone) return;
    if (c->patient_since == static_cast<std::uint16_t>(since_ms)) mark_dirty(*c);
  };
  receipts_.release(now_ms(), all, go);
  oks_.release(now_ms(), all, go);
  if (!receipts_.empty() || !oks_.empty()) ask_soon();
}

void Shard::ask_soon() {
  if (std::exchange(soon_asked_, true)) return;
  call_soon_();
}

void Shard::end_turn() {
  run_handshakes();
  for (std::size_t i = 0; i < dirty_.size(); ++i) {  // flush may add
    Connection* c = table_.find(dirty_[i]);
    if (c == nullptr) continue;
    c->dirty = false;
    flush(*c);
  }
  dirty_.clear();
  release_activities();
  hand_up();
}

void Shard::hand_up() {
  if (up_.empty()) return;
  if (up_shared_.give(up_)) wake_hub_();
}

void Shard::drop_what_is_too_much(DownBatch& batch) {
  if (batch.deliveries.empty()) return;
  const std::size_t waiting =
      down_shared_.waiting_deliveries() + crowd_waiting_.load(std::memory_order_relaxed);
  const bool is_full = waiting >= options_.waiting_deliveries_max;
  if (!is_full && waiting < options_.waiting_deliveries_max / 2) return;
  std::size_t dropped = 0;
  std::erase_if(batch.deliveries, [&](const Delivery& delivery) {
    if (!is_full && !delivery.brief) return false;
    dropped += delivery.conns.size();
    return true;
  });
  if (dropped == 0) return;
  batch.deliveries_to -= dropped;
  metrics_.deliveries_dropped(dropped);
  behind_.warn(clock_.now(), "deliver_failed",
               {{"code", Errc::kOverloaded}, {"deliveries", dropped}});
}

void Shard::give(DownBatch& batch) {
  drop_what_is_too_much(batch);
  if (!down_shared_.give(batch)) return;
  post_([this] { turn(); });
}

void Shard::adopt(int socket, const IpAddress& address) {
  now_ = clock_.now();
  Connection* c = table_.open();
  if (c == nullptr) {
    sockets_.close(socket);
    gatekeeper_.leave(address, false);
    metrics_.refused_connect(Errc::kTooManyConnections);
    return;
  }
  c->fd = socket;
  c->address = address;
  c->accepted_ms = now_ms();
  c->heard_ms = c->accepted_ms;
  c->frames.reset(c->accepted_ms, options_.frames);
  sync_point("entry.after_accept");
  metrics_.accepted();
  if (!sockets_.add(socket, tag_of(*c))) {
    close(*c, Errc::kTooManyConnections);
    return;
  }
  arm_next(*c);
}

void Shard::close(Connection& c, Errc why) {
  const bool was_open = c.fsm.is_open();
  std::erase_if(pings_, [conn = id_of(c)](const Command& ping) { return ping.conn == conn; });
  sockets_.close(c.fd);
  wheel_.cancel(c.index);
  gatekeeper_.leave(c.address, was_open);
  metrics_.closed(was_open, c.told_to_go, why);
  if (c.blocked) metrics_.slow_reader_ended();
  if (c.activity && c.activity->window) {
    metrics_.window_shrank(static_cast<std::int64_t>(c.activity->window->size()));
  }
  if (c.seen_login) {
    Closed closed{.conn = id_of(c), .session = std::nullopt, .why = why};
    if (was_open) closed.session = c.session;
    up_.closed.push_back(std::move(closed));
  }
  table_.close(c);
}

void Shard::close_when_sent(Connection& c, Errc why) {
  if (c.closing) return;
  c.closing = true;
  c.close_why = why;
  if (!c.blocked) c.since_ms = now_ms();
  if (!c.reading) set_interest(c, true, c.blocked);  // to see the peer's end
  arm(c, options_.closing_max);
  mark_dirty(c);
}

void Shard::set_interest(Connection& c, bool read, bool write) {
  c.reading = read;
  sockets_.want(c.fd, tag_of(c), read, write);
}

Activity& Shard::activity(Connection& c) {
  if (!c.activity) {
    if (pool_.empty()) {
      c.activity = std::make_unique<Activity>();
    } else {
      c.activity = std::move(pool_.back());
      pool_.pop_back();
    }
  }
  if (!c.active_listed) {
    c.active_listed = true;
    busy_.push_back(id_of(c));
  }
  return *c.activity;
}

void Shard::release_activities() {
  for (const ConnId conn : busy_) {
    Connection* c = table_.find(conn);
    if (c == nullptr) continue;
    c->active_listed = false;
    if (!c->activity || !c->activity->is_over()) continue;
    if (pool_.size() < kPoolMax) {
      c->activity->decoder = wire::FrameDecoder{};
      pool_.push_back(std::move(c->activity));
    }
    c->activity.reset();
  }
  busy_.clear();
}

void Shard::tell_to_go(std::uint32_t count, Millis wait_max, Errc code) {
  now_ = clock_.now();
  leaving_ = true;
  sync_point("entry.drain_mid");
  while (count > 0 && told_up_to_ < table_.slots()) {
    Connection* c = table_.at_index(told_up_to_++);
    if (c == nullptr || !c->fsm.is_open() || c->told_to_go || c->closing) continue;
    send_goaway(*c, wait_max, code);
    --count;
  }
  end_turn();
}

void Shard::send_goaway(Connection& c, Millis wait_max, Errc code) {
  c.told_to_go = true;
  c.fsm.on_draining();
  metrics_.drain_told();
  queue_frame(c, inner_type::kGoAway, 0, 0, goaway_body(code, wait_max));
}

void Shard::close_all(Errc why) {
  now_ = clock_.now();
  append_moved(up_.results, calm_results_);
  confirms_.take(up_.confirms);
  for (std::uint32_t i = 0; i < table_.slots(); ++i) {
    Connection* c = table_.at_index(i);
    if (c == nullptr) continue;
    if (c->fsm.is_open()) {
      close_when_sent(*c, why);
    } else {
      close(*c, why);
    }
  }
  end_turn();
}

void Shard::set_limits(const ShardOptions& limits) {
  options_.times = limits.times;
  options_.window = limits.window;
  options_.queue = limits.queue;
  options_.frames = limits.frames;
  options_.in_flight_max = limits.in_flight_max;
  options_.command_within = limits.command_within;
  options_.blocked_max = limits.blocked_max;
  options_.age_max = limits.age_max;
  options_.age_spread = limits.age_spread;
  options_.padding = limits.padding;
  options_.handshakes_per_turn = limits.handshakes_per_turn;
  options_.handshakes_waiting_max = limits.handshakes_waiting_max;
}

void Shard::enforce_lists() {
  now_ = clock_.now();
  const auto list = gatekeeper_.list();
  for (std::uint32_t i = 0; i < table_.slots(); ++i) {
    Connection* c = table_.at_index(i);
    if (c == nullptr || c->closing) continue;
    const bool admitted =
        list->admits(c->address) && (!c->fsm.is_open() || list->admits(c->session.uid));
    if (admitted) continue;
    if (c->fsm.is_open()) {
      queue_frame(*c, inner_type::kKicked, 0, 0, refused_body(Errc::kDenied));
      close_when_sent(*c, Errc::kDenied);
    } else {
      close(*c, Errc::kDenied);
    }
  }
  end_turn();
}

}  // namespace hy::entry
