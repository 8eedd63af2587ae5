#include <algorithm>
#include <utility>

#include "tests/sim/kernel/sim_stream.h"

namespace hy::rpc {
namespace {

constexpr Millis kDialMax{3'000};
constexpr Millis kStableAfter{1'000};

}  // namespace

struct Client::Impl final : StreamOwner, std::enable_shared_from_this<Client::Impl> {
  Impl(Loop& l, ClientOptions o, RawClientEvents& e)
      : loop(l.impl()), options(std::move(o)), handler(e), random(loop.node->random.next()) {}

  void dial();
  void dialled(std::uint64_t number, std::shared_ptr<Connection> connection);
  void schedule_dial();
  void watch_dial(std::uint64_t number);
  void watch_silence();
  void drop(const std::string& why);
  void tell_down(const std::string& why);
  void happened(SimStream& stream, Ready& event) override;
  void ended(const std::string& why);
  MessagePtr make_out(SimStream& /*stream*/) override { return handler.make_out(); }
  void stop();

  Loop::Impl& loop;
  const ClientOptions options;
  RawClientEvents& handler;
  SeededRandom random;
  std::shared_ptr<SimStream> current;
  std::uint64_t dial_number = 0;
  bool dialling = false;
  bool up = false;
  bool started = false;
  bool stopping = false;
  int attempt = 0;
  MonoTime dialled_at{};
  MonoTime up_since{};
  MonoTime heard_at{};
};

void Client::Impl::dial() {
  if (stopping || dialling || current != nullptr) return;
  dialling = true;
  dialled_at = loop.world.now();
  const std::uint64_t number = ++dial_number;
  sim::Network::get().dial(*loop.node, options.target, options.method,
                           [weak = weak_from_this(), number](std::shared_ptr<Connection> made) {
                             if (const auto self = weak.lock()) {
                               self->dialled(number, std::move(made));
                             } else if (made != nullptr) {
                               made->reset(Connection::kDialler);
                             }
                           });
  watch_dial(number);
}

void Client::Impl::dialled(std::uint64_t number, std::shared_ptr<Connection> connection) {
  if (number != dial_number || !dialling) {
    if (connection != nullptr) connection->reset(Connection::kDialler);
    return;
  }
  if (connection == nullptr) return ended("connection refused");
  current = std::make_shared<SimStream>(loop, options.queue, *this, std::move(connection),
                                        Connection::kDialler);
  current->peer_info = {options.peer_role, options.peer_name, options.target, false};
}

/// Connection, handshake and acceptance have one limit; a process that was stopped starts it anew.
void Client::Impl::watch_dial(std::uint64_t number) {
  const MonoTime from = std::max(dialled_at, loop.node->resumed_at());
  const MonoTime now = loop.world.now();
  const Millis left = std::chrono::ceil<Millis>(from + kDialMax - now);
  loop.add_timer(std::max(left, Millis{1}), Millis{0}, [weak = weak_from_this(), number] {
    const auto self = weak.lock();
    if (self == nullptr || self->stopping || self->dial_number != number || self->up) return;
    if (!self->dialling && (self->current == nullptr || self->current->accepted)) return;
    const MonoTime since = std::max(self->dialled_at, self->loop.node->resumed_at());
    if (self->loop.world.now() - since < kDialMax) return self->watch_dial(number);
    self->drop("no answer to the dial");
  });
}

void Client::Impl::watch_silence() {
  const MonoTime since = std::max(heard_at, loop.node->resumed_at());
  const Millis left = std::chrono::ceil<Millis>(since + options.silence_max - loop.world.now());
  loop.add_timer(std::max(left, Millis{1}), Millis{0},
                 [weak = weak_from_this(), number = dial_number] {
                   const auto self = weak.lock();
                   if (self == nullptr || !self->up || self->dial_number != number) return;
                   const MonoTime from = std::max(self->heard_at, self->loop.node->resumed_at());
                   if (self->loop.world.now() - from > self->options.silence_max) {
                     self->drop("silent");
                   } else {
                     self->watch_silence();
                   }
                 });
}

/// Full jitter, as the real one.
void Client::Impl::schedule_dial() {
  if (stopping) return;
  const auto ceiling = std::min(options.backoff_max, options.backoff_min * (1 << attempt));
  attempt = std::min(attempt + 1, 16);
  const Millis delay{random.below(static_cast<std::uint64_t>(ceiling.count()) + 1)};
  loop.add_timer(delay, Millis{0}, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->dial();
  });
}

void Client::Impl::drop(const std::string& why) {
  if (current == nullptr && !dialling) return;
  dialling = false;
  if (const auto stream = std::exchange(current, nullptr)) {
    stream->over = true;  // nothing of it is of interest any more
    stream->detach();
    stream->cancel_silently();
    loop.graveyard.push_back(stream);
  }
  tell_down(why);
  schedule_dial();
}

void Client::Impl::tell_down(const std::string& why) {
  if (!std::exchange(up, false)) return;
  if (loop.world.now() - up_since >= kStableAfter) attempt = 0;
  handler.raw_down(why);
}

void Client::Impl::ended(const std::string& why) {
  dialling = false;
  if (const auto stream = std::exchange(current, nullptr)) {
    stream->over = true;
    stream->finish();
    stream->detach();
    loop.graveyard.push_back(stream);
  }
  tell_down(why);
  schedule_dial();
}

void Client::Impl::happened(SimStream& stream, Ready& event) {
  if (&stream != current.get()) return;
  switch (event.what) {
    case Happened::kPacket:
      heard_at = loop.turn_time;
      if (event.packet.tag == kAccepted) {
        dialling = false;
        stream.accepted = true;
        up_since = loop.turn_time;
        up = true;
        stream.open_writes();
        if (options.silence_max.count() > 0) watch_silence();
        handler.raw_up(stream);
      } else if (event.packet.message != nullptr) {
        handler.raw_batch(*event.packet.message);
      }
      return;
    case Happened::kFin: return ended("ended by the peer");
    case Happened::kReset:
      return ended(stream.local_fault.empty() ? "connection reset" : stream.local_fault);
    case Happened::kBegin:
    case Happened::kFinished:
    case Happened::kRoom: return;
  }
}

void Client::Impl::stop() {
  if (!std::exchange(started, false)) return;
  stopping = true;
  dialling = false;
  ++dial_number;
  if (const auto stream = std::exchange(current, nullptr)) {
    if (!sim::is_dead_here()) {
      stream->flush_all();
      stream->finish();
    }
    stream->over = true;
    stream->detach();
  }
  if (!sim::is_dead_here()) tell_down("stopped");  // a dead process tells itself nothing
}

Client::Client(Loop& loop, ClientOptions options, RawClientEvents& events)
    : impl_(std::make_shared<Impl>(loop, std::move(options), events)) {}
Client::~Client() {
  stop();
}
void Client::start() {
  if (std::exchange(impl_->started, true)) return;
  impl_->loop.post([impl = impl_] { impl->dial(); });
}
void Client::stop() {
  impl_->stop();
}
bool Client::is_up() const {
  return impl_->up;
}
void Client::redial(const std::string& why) {
  impl_->loop.post([impl = impl_, why] {
    if (!impl->stopping) impl->drop(why);
  });
}

}  // namespace hy::rpc
