#pragma once

#include <google/protobuf/message_lite.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/base/bytes.h"
#include "tests/sim/kernel/world.h"

namespace hy::sim {

/// What one write puts on a connection: a batch of an inner stream, or bytes of a device.
struct Packet {
  std::unique_ptr<google::protobuf::MessageLite> message;
  Bytes bytes;
  std::size_t size = 0;
  std::uint8_t tag = 0;  ///< of the owner's choice
};

/// Why an end of a connection hears no more.
enum class End : std::uint8_t {
  kFin,    ///< the peer closed; all that it wrote has come
  kReset,  ///< a prefix of what was written has come
};

/// One end of a connection, as its owner sees it. Called on the owner's node.
class EndPoint {
 public:
  virtual ~EndPoint() = default;
  virtual void on_packet(Packet packet) = 0;
  /// The last call. Not made after close() or reset() of this end.
  virtual void on_end(End how) = 0;
  /// What was unacknowledged fell below the window after a send() that filled it.
  virtual void on_room() {}
};

/// What a link between two nodes does to packets.
struct LinkQuality {
  Nanos latency{std::chrono::microseconds(200)};
  Nanos jitter{std::chrono::microseconds(100)};
  std::uint32_t loss_per_mille = 0;    ///< a lost packet comes after a retransmission
  std::uint64_t bytes_per_second = 0;  ///< 0: no bound
  std::size_t window = 256 * 1'024;    ///< unacknowledged bytes before a writer waits
  /// Of device links: bytes of a packet are changed on their way.
  std::uint32_t corrupt_per_million = 0;

  /// For how long a full window is on its way.
  [[nodiscard]] Nanos carries() const {
    if (bytes_per_second == 0) return Nanos{0};
    return Nanos(static_cast<std::int64_t>(window * 1'000'000'000 / bytes_per_second));
  }
};

class Network;

/// An ordered, reliable connection between two nodes, as TCP is: it delays, it does not reorder;
/// when it dies a prefix has arrived.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  enum Side : std::uint8_t { kDialler = 0, kAcceptor = 1 };

  Connection(Network& network, Node& dialler, Node& acceptor);

  void attach(Side side, EndPoint* end) { sides_[side].end = end; }
  /// Nothing of `side` arrives before this.
  void not_before(Side side, MonoTime at) { sides_[side].last_due = at; }
  void send(Side side, Packet packet);
  /// Its bandwidth is bound.
  [[nodiscard]] bool is_narrow() const;
  [[nodiscard]] bool has_room(Side side) const;
  [[nodiscard]] std::size_t room(Side side) const;
  /// FIN after what was sent; this end hears nothing more.
  void close(Side side);
  /// FIN after what was sent; this end still hears.
  void end_sending(Side side);
  /// This end gives up now: of what was sent a prefix arrives, then the peer is told.
  void reset(Side side);
  /// Both ends are told of a reset by a fault in between.
  void cut();
  /// Nothing passes any more in either direction, and nobody is told.
  void darken() { dark_ = true; }
  /// The process at `side` died.
  void died(Side side, Death how);
  [[nodiscard]] Node& node(Side side) const { return *sides_[side].node; }
  [[nodiscard]] bool is_over() const;
  [[nodiscard]] bool is_dark() const { return dark_; }
  /// Bytes that `side` sent were changed on their way.
  [[nodiscard]] bool is_corrupted(Side side) const { return sides_[side].corrupted; }

 private:
  struct InFlight {
    MonoTime due;
    Packet packet;
    bool is_end = false;
    End how = End::kFin;
  };
  struct SideState {
    Node* node = nullptr;
    std::uint32_t life = 0;
    EndPoint* end = nullptr;
    bool open = true;  ///< may send and hear
    bool fin_sent = false;
    bool wants_room = false;
    bool corrupted = false;
    std::size_t unacked = 0;
    // What this side sent and the other has not got.
    std::deque<InFlight> out;
    MonoTime last_due{};
    bool pumping = false;
    std::uint32_t stalls = 0;
  };
  void push(Side side, InFlight item, std::size_t size);
  void pump(Side side);
  void arrive(Side side);
  void credit(Side side, std::size_t size);
  void answer_reset(Side side);
  void keep_prefix(Side side);
  static Side other(Side side) { return side == kDialler ? kAcceptor : kDialler; }

  Network& network_;
  std::array<SideState, 2> sides_;
  bool dark_ = false;
};

/// Somebody who accepts connections at an address.
class Acceptor {
 public:
  virtual ~Acceptor() = default;
  /// On the acceptor's node. False: refused.
  virtual bool on_accept(std::shared_ptr<Connection> connection, const std::string& what) = 0;
};

/// What came of a dial; called on the dialler's node.
using Dialled = std::move_only_function<void(std::shared_ptr<Connection>)>;  // nullptr: refused

struct NetworkCounts {
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
  std::uint64_t resets = 0;
  std::uint64_t stalled = 0;
  std::uint64_t lost = 0;
  std::uint64_t corrupted = 0;
};

/// All links of the world. Partitions are per ordered pair of nodes.
class Network {
 public:
  explicit Network(World& world);
  ~Network();
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;
  /// The network that the simulated streams and sockets of this thread use.
  [[nodiscard]] static Network& get();

  void listen(const std::string& address, Node& node, Acceptor* acceptor);
  void unlisten(const std::string& address, Acceptor* acceptor);
  /// `what`: of the dialler's choice (a method name); handed to the acceptor. No call back at all
  /// when the way is blocked: the dialler has a deadline of its own.
  void dial(Node& from, const std::string& address, std::string what, Dialled done);

  /// Told of each batch between daemons as its sender writes it; unset: nobody listens.
  std::function<void(const Node& from, const Node& to, const google::protobuf::MessageLite&)>
      on_batch;

  /// Default quality between inner nodes and of device links; and of single pairs.
  LinkQuality inner;
  LinkQuality outer;
  void set_quality(NodeId a, NodeId b, const LinkQuality& quality) {
    special_[key(a, b)] = quality;
  }
  void clear_quality(NodeId a, NodeId b) { special_.erase(key(a, b)); }
  void clear_qualities() { special_.clear(); }
  [[nodiscard]] const LinkQuality& quality(const Node& a, const Node& b) const;
  /// Nodes whose links are device links.
  void mark_outer(NodeId node);

  /// One-way: nothing from `from` reaches `to`.
  void block(NodeId from, NodeId to) { ++blocked_[{from, to}]; }
  void unblock(NodeId from, NodeId to);
  void unblock_all() { blocked_.clear(); }
  [[nodiscard]] bool is_blocked(const Node& from, const Node& to) const {
    return !blocked_.empty() && blocked_.contains({from.id(), to.id()});
  }
  /// Live connections in the order of their making.
  [[nodiscard]] std::vector<std::shared_ptr<Connection>> connections();
  void node_died(Node& node, Death how);

  [[nodiscard]] World& world() { return world_; }
  NetworkCounts counts;
  /// When a packet sent now arrives, behind the one that arrives at `last`.
  MonoTime arrival(const Node& from, const Node& to, std::size_t size, MonoTime last);
  void corrupt(Packet& packet);

 private:
  struct Listener {
    Node* node = nullptr;
    std::uint32_t life = 0;
    Acceptor* acceptor = nullptr;
  };
  struct Dialling {
    Node* from;
    std::uint32_t life;
    std::string address;
    std::string what;
    Dialled done;
    int tries = 0;
  };
  static std::uint64_t key(NodeId a, NodeId b) {
    return (std::uint64_t{std::min(a, b)} << 32) | std::max(a, b);
  }
  void knock(std::shared_ptr<Dialling> dialling);
  void sweep();

  World& world_;
  std::map<std::string, Listener> listeners_;
  std::map<std::string, Node*> hosts_;  // whoever listened there last
  std::map<std::uint64_t, LinkQuality> special_;
  std::map<std::pair<NodeId, NodeId>, int> blocked_;
  std::vector<bool> outer_;
  std::vector<std::weak_ptr<Connection>> connections_;
  std::size_t sweep_at_ = 64;
};

}  // namespace hy::sim
