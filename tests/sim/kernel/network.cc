#include "tests/sim/kernel/network.h"

#include <algorithm>
#include <utility>

#include "common/base/check.h"

namespace hy::sim {
namespace {

using std::chrono::milliseconds;

constexpr Nanos kRetransmit = milliseconds(200);
constexpr Nanos kRetransmitMax = milliseconds(3'000);
constexpr std::uint32_t kNotePacket = 0x4E01;
constexpr std::uint32_t kNoteEnd = 0x4E02;

thread_local Network* here = nullptr;

Nanos backoff(std::uint32_t stalls) {
  return std::min(kRetransmitMax, kRetransmit * (1 << std::min(stalls, 5U)));
}

}  // namespace

Connection::Connection(Network& network, Node& dialler, Node& acceptor) : network_(network) {
  sides_[kDialler].node = &dialler;
  sides_[kDialler].life = dialler.life();
  sides_[kAcceptor].node = &acceptor;
  sides_[kAcceptor].life = acceptor.life();
}

bool Connection::is_over() const {
  return !sides_[0].open && !sides_[1].open && sides_[0].out.empty() && sides_[1].out.empty();
}

std::size_t Connection::room(Side side) const {
  const std::size_t window = network_.quality(*sides_[0].node, *sides_[1].node).window;
  const std::size_t unacked = sides_[side].unacked;
  return unacked >= window ? 0 : window - unacked;
}

bool Connection::has_room(Side side) const {
  return room(side) > 0;
}

bool Connection::is_narrow() const {
  return network_.quality(*sides_[0].node, *sides_[1].node).bytes_per_second > 0;
}

void Connection::send(Side side, Packet packet) {
  if (!sides_[side].open || sides_[side].fin_sent || is_dead_here()) return;
  if (network_.on_batch && packet.message != nullptr)
    network_.on_batch(*sides_[side].node, *sides_[other(side)].node, *packet.message);
  const LinkQuality& quality = network_.quality(*sides_[0].node, *sides_[1].node);
  if (quality.corrupt_per_million > 0 && packet.message == nullptr &&
      network_.world().below(1'000'000) < quality.corrupt_per_million) {
    network_.corrupt(packet);
    sides_[side].corrupted = true;
  }
  const std::size_t size = packet.size;
  push(side, {.due = {}, .packet = std::move(packet)}, size);
  if (!has_room(side)) sides_[side].wants_room = true;
}

void Connection::push(Side side, InFlight item, std::size_t size) {
  SideState& from = sides_[side];
  from.last_due = network_.arrival(*from.node, *sides_[other(side)].node, size, from.last_due);
  item.due = from.last_due;
  from.unacked += size;
  from.out.push_back(std::move(item));
  if (!from.pumping) pump(side);
}

/// Sees to the arrival of the oldest packet that `side` sent.
void Connection::pump(Side side) {
  SideState& from = sides_[side];
  if (from.out.empty()) {
    from.pumping = false;
    return;
  }
  from.pumping = true;
  SideState& to = sides_[other(side)];
  // A receiver that is gone hears nothing; the kernel's part goes on without a node.
  Node* const node = to.open && to.life == to.node->life() ? to.node : nullptr;
  // A task of two words needs no memory of its own.
  Task arrival;
  if (side == kDialler) {
    arrival = [self = shared_from_this()] { self->arrive(kDialler); };
  } else {
    arrival = [self = shared_from_this()] { self->arrive(kAcceptor); };
  }
  network_.world().at(from.out.front().due, node, std::move(arrival));
}

void Connection::arrive(Side side) {
  SideState& from = sides_[side];
  SideState& to = sides_[other(side)];
  if (from.out.empty()) {
    from.pumping = false;
    return;
  }
  if (dark_) {
    if (to.life != to.node->life() && to.node->is_running()) return answer_reset(side);
    if (!from.open) {
      from.pumping = false;  // never again
      return;
    }
    from.out.front().due = network_.world().now() + backoff(from.stalls++);
    return pump(side);
  }
  if (network_.is_blocked(*from.node, *to.node)) {
    ++network_.counts.stalled;
    from.out.front().due = network_.world().now() + backoff(from.stalls++);
    from.last_due = std::max(from.last_due, from.out.front().due);
    return pump(side);
  }
  from.stalls = 0;
  InFlight item = std::move(from.out.front());
  from.out.pop_front();
  const std::size_t size = item.packet.size;
  network_.world().note(item.is_end ? kNoteEnd : kNotePacket, size);
  if (item.is_end) {
    from.pumping = false;
    from.out.clear();
    if (to.open) {
      if (item.how == End::kReset) to.open = false;
      if (EndPoint* const end = to.end) {
        to.end = item.how == End::kReset ? nullptr : to.end;
        end->on_end(item.how);
      }
    }
    return;
  }
  ++network_.counts.packets;
  network_.counts.bytes += size;
  pump(side);
  credit(side, size);
  if (to.open && to.end != nullptr) to.end->on_packet(std::move(item.packet));
}

/// The host at the other end came back and knows nothing of this connection.
void Connection::answer_reset(Side side) {
  SideState& from = sides_[side];
  from.out.clear();
  from.pumping = false;
  network_.world().after(network_.quality(*sides_[0].node, *sides_[1].node).latency, from.node,
                         [self = shared_from_this(), side] {
                           SideState& s = self->sides_[side];
                           if (!std::exchange(s.open, false)) return;
                           if (EndPoint* const end = std::exchange(s.end, nullptr)) {
                             end->on_end(End::kReset);
                           }
                         });
}

void Connection::credit(Side side, std::size_t size) {
  SideState& from = sides_[side];
  if (network_.is_blocked(*sides_[other(side)].node, *from.node)) {
    // The acknowledgement does not come through; it is as good as sent again and again.
    network_.world().after(kRetransmit, nullptr,
                           [self = shared_from_this(), side, size] { self->credit(side, size); });
    return;
  }
  from.unacked -= std::min(from.unacked, size);
  if (!from.wants_room || !from.open || !has_room(side)) return;
  from.wants_room = false;
  // On the sender's node, after the acknowledgement's way back.
  network_.world().after(network_.quality(*sides_[0].node, *sides_[1].node).latency, from.node,
                         [self = shared_from_this(), side] {
                           SideState& s = self->sides_[side];
                           if (s.open && s.end != nullptr) s.end->on_room();
                         });
}

void Connection::close(Side side) {
  SideState& from = sides_[side];
  if (!from.open || is_dead_here()) return;
  from.open = false;
  from.end = nullptr;
  if (std::exchange(from.fin_sent, true)) return;
  push(side, {.due = {}, .packet = {}, .is_end = true, .how = End::kFin}, 0);
}

void Connection::end_sending(Side side) {
  SideState& from = sides_[side];
  if (!from.open || is_dead_here() || std::exchange(from.fin_sent, true)) return;
  push(side, {.due = {}, .packet = {}, .is_end = true, .how = End::kFin}, 0);
}

/// Of what is in flight a prefix that the seed draws arrives.
void Connection::keep_prefix(Side side) {
  SideState& from = sides_[side];
  if (from.out.empty()) return;
  const std::size_t keep = network_.world().below(from.out.size() + 1);
  // The head has an event under way; without any packet left it finds nothing.
  while (from.out.size() > keep) from.out.pop_back();
  from.last_due = from.out.empty() ? network_.world().now() : from.out.back().due;
}

void Connection::reset(Side side) {
  SideState& from = sides_[side];
  if (!from.open || is_dead_here()) return;
  from.open = false;
  from.end = nullptr;
  keep_prefix(side);
  push(side, {.due = {}, .packet = {}, .is_end = true, .how = End::kReset}, 0);
}

void Connection::cut() {
  ++network_.counts.resets;
  for (const Side side : {kDialler, kAcceptor}) {
    keep_prefix(side);
    push(side, {.due = {}, .packet = {}, .is_end = true, .how = End::kReset}, 0);
  }
  // Neither can send any more; each hears of it when the end arrives.
}

void Connection::died(Side side, Death how) {
  SideState& from = sides_[side];
  from.end = nullptr;
  if (!std::exchange(from.open, false)) return;
  if (how == Death::kHost) {
    dark_ = true;
    return;
  }
  push(side, {.due = {}, .packet = {}, .is_end = true, .how = End::kReset}, 0);
}

// ---- Network

Network::Network(World& world) : world_(world) {
  HY_CHECK(here == nullptr);
  here = this;
  world_.on_kill = [this](Node& node, Death how) { node_died(node, how); };
}

Network::~Network() {
  world_.on_kill = nullptr;
  here = nullptr;
}

Network& Network::get() {
  HY_CHECK(here != nullptr);
  return *here;
}

const LinkQuality& Network::quality(const Node& a, const Node& b) const {
  if (!special_.empty()) {
    const auto found = special_.find(key(a.id(), b.id()));
    if (found != special_.end()) return found->second;
  }
  const auto is_outer = [this](const Node& n) { return n.id() < outer_.size() && outer_[n.id()]; };
  return is_outer(a) || is_outer(b) ? outer : inner;
}

void Network::mark_outer(NodeId node) {
  if (outer_.size() <= node) outer_.resize(node + 1);
  outer_[node] = true;
}

void Network::unblock(NodeId from, NodeId to) {
  const auto found = blocked_.find({from, to});
  if (found != blocked_.end() && --found->second <= 0) blocked_.erase(found);
}

MonoTime Network::arrival(const Node& from, const Node& to, std::size_t size, MonoTime last) {
  const LinkQuality& q = quality(from, to);
  Nanos delay = q.latency;
  if (q.jitter.count() > 0) {
    delay += Nanos(
        static_cast<std::int64_t>(world_.below(static_cast<std::uint64_t>(q.jitter.count()) + 1)));
  }
  if (q.loss_per_mille > 0 && world_.below(1'000) < q.loss_per_mille) {
    ++counts.lost;
    delay += kRetransmit;
  }
  MonoTime at = std::max(world_.now() + delay, last + Nanos(1));
  if (q.bytes_per_second > 0) {
    at += Nanos(static_cast<std::int64_t>(size * 1'000'000'000ULL / q.bytes_per_second));
  }
  return at;
}

/// One of what a broken middlebox does: a flipped bit, a missing tail, a part sent twice.
void Network::corrupt(Packet& packet) {
  if (packet.bytes.empty()) return;
  ++counts.corrupted;
  const std::size_t at = world_.below(packet.bytes.size());
  switch (world_.below(3)) {
    case 0: packet.bytes[at] = static_cast<char>(packet.bytes[at] ^ (1 << world_.below(8))); break;
    case 1: packet.bytes.resize(at); break;
    default: packet.bytes += packet.bytes.substr(at); break;
  }
  packet.size = packet.bytes.size();
}

void Network::listen(const std::string& address, Node& node, Acceptor* acceptor) {
  listeners_[address] = {&node, node.life(), acceptor};
  hosts_[address] = &node;
}

void Network::unlisten(const std::string& address, Acceptor* acceptor) {
  const auto found = listeners_.find(address);
  if (found != listeners_.end() && found->second.acceptor == acceptor) listeners_.erase(found);
}

void Network::dial(Node& from, const std::string& address, std::string what, Dialled done) {
  if (is_dead_here()) return;
  knock(std::make_shared<Dialling>(
      Dialling{&from, from.life(), address, std::move(what), std::move(done), 0}));
}

/// SYN, and again after 1, 2, 4 s while the way is blocked.
void Network::knock(std::shared_ptr<Dialling> d) {
  const auto host = hosts_.find(d->address);
  Node* const to = host == hosts_.end() ? nullptr : host->second;
  const auto answer = [this](const std::shared_ptr<Dialling>& dialling, const Node& by,
                             std::shared_ptr<Connection> connection) {
    const MonoTime at = arrival(by, *dialling->from, 0, world_.now());
    if (connection != nullptr) connection->not_before(Connection::kAcceptor, at);
    world_.at(at, dialling->from, [dialling, connection = std::move(connection)]() mutable {
      dialling->done(std::move(connection));
    });
  };
  if (to == nullptr) {
    answer(d, *d->from, nullptr);
    return;
  }
  const auto again = [this, d] {
    if (++d->tries > 3) return;
    world_.after(std::chrono::seconds(1 << (d->tries - 1)), d->from, [this, d] { knock(d); });
  };
  if (is_blocked(*d->from, *to) || is_blocked(*to, *d->from)) return again();
  const MonoTime at = arrival(*d->from, *to, 0, world_.now());
  if (!to->is_running()) {
    // Nobody listens on a host that lives: refused.
    world_.at(at, nullptr, [answer, d, to] { answer(d, *to, nullptr); });
    return;
  }
  world_.at(at, to, [this, answer, d, to] {
    if (!d->from->is_running() || d->from->life() != d->life) return;
    const auto found = listeners_.find(d->address);
    if (found == listeners_.end() || found->second.life != to->life()) {
      answer(d, *to, nullptr);
      return;
    }
    auto connection = std::make_shared<Connection>(*this, *d->from, *to);
    connections_.push_back(connection);
    if (connections_.size() >= sweep_at_) sweep();
    // The dialler first, so that nothing the acceptor writes comes before it.
    answer(d, *to, connection);
    if (!found->second.acceptor->on_accept(connection, d->what)) {
      connection->reset(Connection::kAcceptor);
    }
  });
}

void Network::sweep() {
  std::erase_if(connections_, [](const std::weak_ptr<Connection>& weak) {
    const auto c = weak.lock();
    return c == nullptr || c->is_over();
  });
  sweep_at_ = std::max<std::size_t>(64, connections_.size() * 2);
}

std::vector<std::shared_ptr<Connection>> Network::connections() {
  sweep();
  std::vector<std::shared_ptr<Connection>> out;
  for (const auto& weak : connections_) {
    if (auto c = weak.lock()) out.push_back(std::move(c));
  }
  return out;
}

void Network::node_died(Node& node, Death how) {
  std::erase_if(listeners_, [&node](const auto& item) { return item.second.node == &node; });
  for (const auto& connection : connections()) {
    for (const auto side : {Connection::kDialler, Connection::kAcceptor}) {
      if (&connection->node(side) == &node) connection->died(side, how);
    }
  }
}

}  // namespace hy::sim
