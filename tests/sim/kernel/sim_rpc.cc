#include <google/protobuf/message_lite.h>

#include <algorithm>
#include <deque>
#include <map>
#include <utility>

#include "common/base/check.h"
#include "common/base/limits.h"
#include "common/rpc/core/batcher.h"
#include "common/rpc/loop.h"
#include "common/rpc/stream.h"
#include "tests/sim/kernel/network.h"
#include "tests/sim/kernel/world.h"

// The second definition of hy::rpc::Loop, Server and Client: the same headers, the same order of
// calls, virtual time and the simulated network instead of gRPC. A program that links this file
// does not link the real one.
namespace hy::rpc {
namespace {

using sim::Connection;
using sim::End;
using sim::Node;
using sim::Packet;
using sim::World;
using MessagePtr = std::unique_ptr<google::protobuf::MessageLite>;

constexpr int kEventsPerTurn = 128;
constexpr Millis kCloseFlushMax{1'000};
constexpr Millis kDialMax{3'000};
constexpr Millis kStableAfter{1'000};
constexpr std::uint64_t kSerialiseOneIn = 16;

enum Tag : std::uint8_t { kBatch = 0, kAccepted = 1, kWritesDone = 2, kPing = 3, kPong = 4 };

class SimStream;

enum class Happened : std::uint8_t { kBegin, kPacket, kFin, kReset, kRoom, kFinished };

BatcherLimits batcher_limits(const QueueLimits& limits) {
  return {.batch_envelopes_max = limits::kBatchEnvelopesMax,
          .batch_bytes_max = limits::kBatchBytesMax,
          .queue_envelopes_max = limits.envelopes_max,
          .queue_bytes_max = limits.bytes_max};
}

struct Ready {
  std::shared_ptr<SimStream> stream;
  Packet packet;
  Happened what = Happened::kPacket;
};

}  // namespace

struct Loop::Impl {
  Impl() : world(World::get()), node(world.running()) {
    HY_CHECK(node != nullptr);
    turn_cost = sim::Nanos(2'000 + static_cast<std::int64_t>(world.below(30'000)));
    turn_time = world.now();
  }
  ~Impl() {
    world.cancel(wake);
    graveyard.clear();
    ready.clear();
  }

  void post(Task task) {
    posted.push_back(std::move(task));
    wake_at(world.now());
  }
  void add_timer(Millis delay, Millis period, Task task) {
    insert_timer(world.now() + delay, period, std::move(task));
    if (!in_turn) arm();
  }
  void insert_timer(MonoTime due, Millis period, Task task) {
    timers.push_back({due, ++timer_order, period, std::move(task)});
    std::push_heap(timers.begin(), timers.end(), later);
  }
  void came(Ready event) {
    ready.push_back(std::move(event));
    if (in_turn) return;
    if (world.now() >= busy_until && world.running() == node) {
      turn();
    } else {
      wake_at(world.now());
    }
  }
  void mark_dirty(SimStream* stream) { dirty.push_back(stream); }
  void forget(SimStream* stream) { std::erase(dirty, stream); }
  void wake_at(MonoTime at);
  void arm();
  void turn();
  void run_ready();
  void run_timers();
  void flush_dirty();

  struct Timer {
    MonoTime due;
    std::uint64_t order;
    Millis period;
    Task task;
  };
  static bool later(const Timer& a, const Timer& b) {
    return a.due != b.due ? a.due > b.due : a.order > b.order;
  }

  World& world;
  Node* const node;
  std::vector<Task> posted;
  std::deque<Ready> ready;
  std::vector<Timer> timers;
  std::uint64_t timer_order = 0;
  std::vector<Task> hooks;
  std::vector<SimStream*> dirty;
  std::vector<std::shared_ptr<SimStream>> graveyard;
  bool in_turn = false;
  bool any = false;
  MonoTime turn_time;
  MonoTime busy_until{};
  MonoTime woken_for = MonoTime::max();
  sim::EventId wake{};
  sim::Nanos turn_cost;
};

namespace {

/// What a stream needs of the server or the client that owns it.
class Owner {
 public:
  virtual ~Owner() = default;
  virtual void happened(SimStream& stream, Ready& event) = 0;
  virtual MessagePtr make_out(SimStream& stream) = 0;
};

class SimStream final : public RawStream,
                        public sim::EndPoint,
                        public std::enable_shared_from_this<SimStream> {
 public:
  SimStream(Loop::Impl& loop, const QueueLimits& limits, Owner& owner,
            std::shared_ptr<Connection> connection, Connection::Side side)
      : loop_(loop),
        owner_(&owner),
        connection_(std::move(connection)),
        side_(side),
        batcher_(batcher_limits(limits), [this] { return owner_->make_out(*this); }) {
    connection_->attach(side_, this);
  }
  ~SimStream() override {
    loop_.forget(this);
    connection_->attach(side_, nullptr);
  }
  SimStream(const SimStream&) = delete;
  SimStream& operator=(const SimStream&) = delete;

  // RawStream
  google::protobuf::MessageLite& next() override { return *batcher_.open(); }
  void queued(std::size_t bytes) override {
    if (writes_over_) {
      batcher_.clear();
      return;
    }
    batcher_.count(bytes);
    mark_dirty();
  }
  [[nodiscard]] bool has_room() const override {
    return !writes_over_ && !closing_ && batcher_.has_room();
  }
  [[nodiscard]] std::size_t queued_envelopes() const override { return batcher_.envelopes(); }
  [[nodiscard]] const PeerInfo& peer() const override { return peer_info; }
  void close() override {
    if (closing_) return;
    closing_ = true;
    loop_.add_timer(kCloseFlushMax, Millis{0}, [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->cancel("not flushed in time");
    });
    mark_dirty();
  }

  // EndPoint: on this node, outside of a turn.
  void on_packet(Packet packet) override {
    heard_at_ = loop_.world.now();
    if (packet.tag == kPong) return;
    if (packet.tag == kPing) return send_tag(kPong);
    tell({shared_from_this(), std::move(packet), Happened::kPacket});
  }
  void on_end(End how) override {
    tell({shared_from_this(), {}, how == End::kFin ? Happened::kFin : Happened::kReset});
  }
  void on_room() override { tell({shared_from_this(), {}, Happened::kRoom}); }

  void open_writes() {
    writable_ = true;
    if (!std::exchange(keeps_alive_, true)) keep_alive(kKeepAliveEvery);
    if (!batcher_.empty() || closing_) mark_dirty();
  }
  void stop_writes() {
    writes_over_ = true;
    writable_ = false;
    batcher_.clear();
  }
  void has_room_again() {
    waits_for_room_ = false;
    if (!batcher_.empty() || closing_) mark_dirty();
  }
  void send_tag(Tag tag) {
    Packet packet;
    packet.size = 16;
    packet.tag = tag;
    connection_->send(side_, std::move(packet));
  }
  void flush() {
    dirty_ = false;
    if (!writable_ || waits_for_room_) return;
    if (!batcher_.empty()) {
      write(batcher_.take());
    } else if (closing_ && !half_closed_) {
      half_closed_ = true;
      half_close();
    }
  }
  /// Everything that waits goes out at once (orderly stop of the process).
  void flush_all() {
    while (writable_ && !writes_over_ && !batcher_.empty()) write(batcher_.take());
  }
  /// Gives the transport up; kReset follows for the owner.
  void cancel(const std::string& why) {
    if (over) return;
    if (local_fault.empty()) local_fault = why;
    stop_writes();
    connection_->reset(side_);
    tell({shared_from_this(), {}, Happened::kReset});
  }
  void cancel_silently() {
    stop_writes();
    connection_->reset(side_);
  }
  /// Sends FIN behind what was written.
  void finish() {
    stop_writes();
    connection_->close(side_);
  }
  void detach() { connection_->attach(side_, nullptr); }
  [[nodiscard]] bool is_server() const { return side_ == Connection::kAcceptor; }
  [[nodiscard]] const Node& far() const {
    return connection_->node(is_server() ? Connection::kDialler : Connection::kAcceptor);
  }
  void happened(Ready& event) {
    if (event.what == Happened::kRoom) return has_room_again();
    owner_->happened(*this, event);
  }

  PeerInfo peer_info;
  std::string local_fault;
  std::unique_ptr<RawHandler> handler;  // server side
  Server::MakeOut make_out;             // server side
  std::string method;
  bool accepted = false;  // client side
  bool told = false;
  bool over = false;

 private:
  void tell(Ready event) { loop_.came(std::move(event)); }
  void mark_dirty() {
    if (!writable_ || waits_for_room_ || dirty_) return;
    dirty_ = true;
    loop_.mark_dirty(this);
    if (!loop_.in_turn) loop_.wake_at(loop_.world.now());
  }
  /// As gRPC's: who has heard nothing for a while asks; no answer in time ends the connection.
  void keep_alive(Millis wait) {
    loop_.add_timer(std::max(wait, Millis{1}), Millis{0}, [weak = weak_from_this()] {
      const auto self = weak.lock();
      if (self == nullptr || self->over) return;
      const MonoTime heard = std::max(self->heard_at_, self->loop_.node->resumed_at());
      const auto silent = self->loop_.world.now() - heard;
      if (silent < kKeepAliveEvery) {
        self->is_asking_ = false;
        return self->keep_alive(std::chrono::ceil<Millis>(kKeepAliveEvery - silent));
      }
      if (std::exchange(self->is_asking_, true)) return self->cancel("keep-alive ran out");
      self->send_tag(kPing);
      self->keep_alive(kKeepAliveWithin);
    });
  }
  void half_close() {
    if (!is_server()) return send_tag(kWritesDone);
    finish();
    tell({shared_from_this(), {}, Happened::kFinished});
  }
  void write(MessagePtr batch) {
    const std::size_t size = batch->ByteSizeLong();
    if (size > limits::kRpcMessageBytesMax) {
      cancel("a batch of " + std::to_string(size) + " bytes is above the limit");
      return;
    }
    Packet packet;
    packet.size = size;
    packet.tag = kBatch;
    if (loop_.world.one_in(kSerialiseOneIn)) {
      MessagePtr copy(batch->New());
      if (!copy->ParseFromString(batch->SerializeAsString())) {
        cancel("a batch that does not parse");
        return;
      }
      batch = std::move(copy);
    }
    packet.message = std::move(batch);
    connection_->send(side_, std::move(packet));
    waits_for_room_ = !connection_->has_room(side_);
    if (!waits_for_room_ && (!batcher_.empty() || closing_)) mark_dirty();
  }

  Loop::Impl& loop_;
  Owner* owner_;
  std::shared_ptr<Connection> connection_;
  Connection::Side side_;
  Batcher<MessagePtr> batcher_;
  bool writable_ = false;
  bool writes_over_ = false;
  bool closing_ = false;
  bool half_closed_ = false;
  bool waits_for_room_ = false;
  bool dirty_ = false;
  bool keeps_alive_ = false;
  bool is_asking_ = false;
  MonoTime heard_at_ = loop_.world.now();
};

}  // namespace

// ---- Loop

void Loop::Impl::wake_at(MonoTime at) {
  if (in_turn) return;  // the end of the turn arms again
  at = std::max(at, busy_until);
  if (at >= woken_for) return;
  world.cancel(wake);
  woken_for = at;
  wake = world.at(at, node, [this] {
    woken_for = MonoTime::max();
    turn();
  });
}

void Loop::Impl::arm() {
  if (!posted.empty() || !ready.empty() || !dirty.empty()) {
    wake_at(world.now());
  } else if (!timers.empty()) {
    wake_at(timers.front().due);
  }
}

void Loop::Impl::run_ready() {
  for (int i = 0; i < kEventsPerTurn && !ready.empty(); ++i) {
    Ready event = std::move(ready.front());
    ready.pop_front();
    any = true;
    SimStream& stream = *event.stream;
    graveyard.push_back(event.stream);
    if (!stream.over) stream.happened(event);
  }
}

void Loop::Impl::run_timers() {
  while (!timers.empty() && timers.front().due <= turn_time) {
    any = true;
    std::pop_heap(timers.begin(), timers.end(), later);
    Timer timer = std::move(timers.back());
    timers.pop_back();
    timer.task();
    if (timer.period.count() > 0) {
      insert_timer(turn_time + timer.period, timer.period, std::move(timer.task));
    }
  }
}

void Loop::Impl::flush_dirty() {
  std::vector<SimStream*> streams;
  streams.swap(dirty);
  for (SimStream* stream : streams) stream->flush();
}

void Loop::Impl::turn() {
  in_turn = true;
  any = false;
  turn_time = world.now();
  run_ready();
  std::vector<Task> tasks;
  tasks.swap(posted);
  any = any || !tasks.empty();
  for (Task& task : tasks) task();
  tasks.clear();
  run_timers();
  if (any) {
    for (Task& hook : hooks) hook();
  }
  flush_dirty();
  std::vector<std::shared_ptr<SimStream>> buried;
  buried.swap(graveyard);
  buried.clear();
  in_turn = false;
  busy_until = world.now() + turn_cost;
  arm();
}

Loop::Loop() : impl_(std::make_unique<Impl>()) {}
Loop::~Loop() = default;
void Loop::run() {
  HY_CHECK(false);  // the world drives its loops
}
void Loop::stop() {}
void Loop::post(Task task) {
  impl_->post(std::move(task));
}
void Loop::every(Millis period, Task task) {
  impl_->add_timer(period, period, std::move(task));
}
void Loop::after(Millis delay, Task task) {
  impl_->add_timer(delay, Millis{0}, std::move(task));
}
void Loop::at_turn_end(Task hook) {
  impl_->hooks.push_back(std::move(hook));
}
// What streams write is counted for people who read /metrics; nobody does here.
void Loop::show_traffic(const std::string& /*method*/, obs::Registry& /*registry*/) {}
MonoTime Loop::now() const {
  return impl_->in_turn ? impl_->turn_time : impl_->world.now();
}
bool Loop::on_loop_thread() const {
  return impl_->in_turn;
}

// ---- Server

struct Server::Impl final : Owner, sim::Acceptor {
  struct Method {
    Server::Factory factory;
    Server::MakeOut make_out;
  };
  Impl(Loop& l, ServerOptions o) : loop(l.impl()), options(std::move(o)) {}

  bool on_accept(std::shared_ptr<Connection> connection, const std::string& what) override;
  void happened(SimStream& stream, Ready& event) override;
  MessagePtr make_out(SimStream& stream) override {
    return stream.make_out ? stream.make_out() : stream.handler->make_out();
  }
  void begin(SimStream& stream);
  void tell_closed(SimStream& stream, const std::string& why);
  void over(SimStream& stream);
  void shutdown();

  Loop::Impl& loop;
  ServerOptions options;
  std::map<std::string, Method> methods;
  std::vector<std::shared_ptr<SimStream>> streams;
  std::vector<int> ports;
  bool started = false;
  bool draining = false;
};

bool Server::Impl::on_accept(std::shared_ptr<Connection> connection, const std::string& what) {
  if (draining || !methods.contains(what)) return false;
  auto stream = std::make_shared<SimStream>(loop, options.queue, *this, std::move(connection),
                                            Connection::kAcceptor);
  stream->method = what;
  stream->peer_info.address = stream->far().name();
  streams.push_back(stream);
  loop.came({stream, {}, Happened::kBegin});
  return true;
}

void Server::Impl::begin(SimStream& stream) {
  const Method& method = methods.at(stream.method);
  stream.make_out = method.make_out;
  stream.send_tag(kAccepted);
  stream.handler = method.factory(stream);
  if (stream.handler == nullptr) return stream.cancel("refused");
  stream.open_writes();
}

void Server::Impl::happened(SimStream& stream, Ready& event) {
  switch (event.what) {
    case Happened::kBegin: return begin(stream);
    case Happened::kPacket:
      if (event.packet.tag == kWritesDone) {
        tell_closed(stream, "the peer ended the stream");
        stream.finish();
        return over(stream);
      }
      if (stream.handler != nullptr && !stream.told) {
        stream.handler->raw_batch(*event.packet.message);
      }
      return;
    case Happened::kFin:
      tell_closed(stream, "the peer ended the stream");
      stream.finish();
      return over(stream);
    case Happened::kReset:
    case Happened::kFinished:
      tell_closed(stream, stream.local_fault.empty() ? "closed" : stream.local_fault);
      return over(stream);
    case Happened::kRoom: return;
  }
}

void Server::Impl::tell_closed(SimStream& stream, const std::string& why) {
  stream.stop_writes();
  if (stream.handler != nullptr && !std::exchange(stream.told, true))
    stream.handler->raw_close(why);
}

void Server::Impl::over(SimStream& stream) {
  stream.over = true;
  std::erase_if(streams, [&stream](const auto& s) { return s.get() == &stream; });
}

void Server::Impl::shutdown() {
  if (!std::exchange(started, false)) return;
  draining = true;
  for (const std::string& address : options.listen) sim::Network::get().unlisten(address, this);
  const auto all = streams;
  for (const auto& stream : all) {
    if (!sim::is_dead_here()) {
      stream->flush_all();
      stream->finish();
      tell_closed(*stream, "closed");
    }
    stream->detach();
    stream->handler.reset();
    over(*stream);
  }
}

Server::Server(Loop& loop, ServerOptions options)
    : impl_(std::make_unique<Impl>(loop, std::move(options))) {}
Server::~Server() {
  shutdown();
}
void Server::serve(std::string method, std::vector<std::string> /*roles*/, Factory factory,
                   MakeOut make_out) {
  HY_CHECK(!impl_->started);
  impl_->methods[std::move(method)] = {std::move(factory), std::move(make_out)};
}
Status Server::start() {
  if (impl_->options.listen.empty()) return fail(Errc::kConfigMissing, "no address to listen on");
  impl_->started = true;
  for (const std::string& address : impl_->options.listen) {
    sim::Network::get().listen(address, *impl_->loop.node, impl_.get());
    const auto colon = address.rfind(':');
    impl_->ports.push_back(colon == std::string::npos ? 0 : std::atoi(address.c_str() + colon + 1));
  }
  return {};
}
const std::vector<int>& Server::ports() const {
  return impl_->ports;
}
void Server::shutdown() {
  impl_->shutdown();
}

// ---- Client

struct Client::Impl final : Owner, std::enable_shared_from_this<Client::Impl> {
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
