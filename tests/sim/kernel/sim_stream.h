#pragma once

#include <google/protobuf/message_lite.h>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "common/base/check.h"
#include "common/rpc/core/batcher.h"
#include "common/rpc/loop.h"
#include "common/rpc/stream.h"
#include "tests/sim/kernel/network.h"
#include "tests/sim/kernel/world.h"

// The second definition of hy::rpc::Loop, Server and Client: the same headers, the same order of
// calls, virtual time and the simulated network instead of gRPC. A program that links the files
// sim_*.cc of this folder does not link the real ones.
namespace hy::rpc {

using sim::Connection;
using MessagePtr = std::unique_ptr<google::protobuf::MessageLite>;

class SimStream;

/// What a packet between two processes means.
enum Tag : std::uint8_t { kBatch = 0, kAccepted = 1, kWritesDone = 2, kPing = 3, kPong = 4 };

enum class Happened : std::uint8_t { kBegin, kPacket, kFin, kReset, kRoom, kFinished };

/// Something that a loop's next turn tells a stream.
struct Ready {
  std::shared_ptr<SimStream> stream;
  sim::Packet packet;
  Happened what = Happened::kPacket;
};

struct Loop::Impl {
  Impl() : world(sim::World::get()), node(world.running()) {
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

  sim::World& world;
  sim::Node* const node;
  std::vector<Task> posted;
  std::deque<Ready> ready;
  std::vector<Timer> timers;
  std::uint64_t timer_order = 0;
  std::vector<Task> hooks;
  std::vector<SimStream*> dirty;
  std::vector<std::shared_ptr<SimStream>> graveyard;
  // What a turn works on; kept for their memory.
  std::vector<Task> running;
  std::vector<SimStream*> flushing;
  std::vector<std::shared_ptr<SimStream>> buried;
  bool in_turn = false;
  bool any = false;
  MonoTime turn_time;
  MonoTime busy_until{};
  MonoTime woken_for = MonoTime::max();
  sim::EventId wake{};
  sim::Nanos turn_cost;
};

/// What a stream needs of the server or the client that owns it.
class StreamOwner {
 public:
  virtual ~StreamOwner() = default;
  virtual void happened(SimStream& stream, Ready& event) = 0;
  virtual MessagePtr make_out(SimStream& stream) = 0;
};

class SimStream final : public RawStream,
                        public sim::EndPoint,
                        public std::enable_shared_from_this<SimStream> {
 public:
  SimStream(Loop::Impl& loop, const QueueLimits& limits, StreamOwner& owner,
            std::shared_ptr<Connection> connection, Connection::Side side);
  ~SimStream() override;
  SimStream(const SimStream&) = delete;
  SimStream& operator=(const SimStream&) = delete;

  // RawStream
  google::protobuf::MessageLite& next() override { return *batcher_.open(); }
  void queued(std::size_t bytes) override;
  [[nodiscard]] bool has_room() const override {
    return !writes_over_ && !closing_ && batcher_.has_room();
  }
  [[nodiscard]] std::size_t queued_envelopes() const override { return batcher_.envelopes(); }
  [[nodiscard]] const PeerInfo& peer() const override { return peer_info; }
  void close() override;

  // EndPoint: on this node, outside of a turn.
  void on_packet(sim::Packet packet) override;
  void on_end(sim::End how) override;
  void on_room() override;

  void open_writes();
  void stop_writes();
  void has_room_again();
  void send_tag(Tag tag);
  void flush();
  /// Everything that waits goes out at once (orderly stop of the process).
  void flush_all();
  /// Gives the transport up; kReset follows for the owner.
  void cancel(const std::string& why);
  void cancel_silently();
  /// Sends FIN behind what was written.
  void finish();
  void detach() { connection_->attach(side_, nullptr); }
  [[nodiscard]] bool is_server() const { return side_ == Connection::kAcceptor; }
  [[nodiscard]] const sim::Node& far() const {
    return connection_->node(is_server() ? Connection::kDialler : Connection::kAcceptor);
  }
  void happened(Ready& event);

  PeerInfo peer_info;
  std::string local_fault;
  std::unique_ptr<RawHandler> handler;  // server side
  Server::MakeOut make_out;             // server side
  std::string method;
  bool accepted = false;  // client side
  bool told = false;
  bool over = false;

 private:
  void tell(Ready event);
  void mark_dirty();
  /// As gRPC's: who has heard nothing for a while asks; no answer in time ends the connection.
  void keep_alive(Millis wait);
  void half_close();
  void write(MessagePtr batch);

  Loop::Impl& loop_;
  StreamOwner* owner_;
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

}  // namespace hy::rpc
