#include "tests/sim/cluster/sockets.h"

#include <algorithm>
#include <utility>

#include "common/base/check.h"

namespace hy::sim {
namespace {

constexpr Nanos kTurnCost = std::chrono::microseconds(15);

}  // namespace

// ---- SimSockets

SimSockets::~SimSockets() {
  for (auto& [number, socket] : sockets_)
    socket->connection->attach(Connection::kAcceptor, nullptr);
}

int SimSockets::open(std::shared_ptr<Connection> connection) {
  const int number = next_++;
  auto socket = std::make_unique<Socket>(*this, number, std::move(connection));
  socket->connection->attach(Connection::kAcceptor, socket.get());
  sockets_.emplace(number, std::move(socket));
  return number;
}

SimSockets::Socket* SimSockets::find(int socket) {
  const auto found = sockets_.find(socket);
  return found == sockets_.end() ? nullptr : found->second.get();
}

bool SimSockets::Socket::is_readable() const {
  return reset || (wants_read && (!inbox.empty() || fin));
}

bool SimSockets::Socket::is_writable() const {
  return wants_write && (reset || connection->has_room(Connection::kAcceptor));
}

void SimSockets::Socket::on_packet(Packet packet) {
  if (!packet.bytes.empty()) inbox.push_back(std::move(packet.bytes));
  owner.changed(*this);
}

void SimSockets::Socket::on_end(End how) {
  (how == End::kFin ? fin : reset) = true;
  owner.changed(*this);
}

void SimSockets::Socket::on_room() {
  owner.changed(*this);
}

void SimSockets::changed(Socket& socket) {
  if (!socket.watched || (!socket.is_readable() && !socket.is_writable())) return;
  maybe_.insert(socket.number);
  wake_();
}

Status SimSockets::add(int socket, std::uint64_t tag) {
  Socket* const s = find(socket);
  HY_CHECK(s != nullptr);
  s->tag = tag;
  s->watched = true;
  changed(*s);
  return {};
}

void SimSockets::want(int socket, std::uint64_t tag, bool read, bool write) {
  Socket* const s = find(socket);
  HY_CHECK(s != nullptr);
  s->tag = tag;
  s->wants_read = read;
  s->wants_write = write;
  changed(*s);
}

std::span<const entry::Sockets::Event> SimSockets::ready() {
  events_.clear();
  for (auto at = maybe_.begin(); at != maybe_.end();) {
    Socket* const s = find(*at);
    const bool readable = s != nullptr && s->is_readable();
    const bool writable = s != nullptr && s->is_writable();
    if (!readable && !writable) {
      at = maybe_.erase(at);
      continue;
    }
    events_.push_back({.tag = s->tag, .readable = readable, .writable = writable});
    ++at;
  }
  return events_;
}

bool SimSockets::has_ready() const {
  return std::ranges::any_of(maybe_, [this](int number) {
    const auto found = sockets_.find(number);
    return found != sockets_.end() &&
           (found->second->is_readable() || found->second->is_writable());
  });
}

entry::Sockets::Moved SimSockets::receive(int socket, std::span<std::uint8_t> into) {
  Socket* const s = find(socket);
  HY_CHECK(s != nullptr);
  if (s->reset) return {Outcome::kEnded, 0};
  std::size_t moved = 0;
  while (moved < into.size() && !s->inbox.empty()) {
    const Bytes& front = s->inbox.front();
    const std::size_t n = std::min(into.size() - moved, front.size() - s->taken);
    std::copy_n(front.data() + s->taken, n, reinterpret_cast<char*>(into.data()) + moved);
    moved += n;
    s->taken += n;
    if (s->taken < front.size()) break;
    s->inbox.pop_front();
    s->taken = 0;
  }
  if (moved > 0) return {Outcome::kDone, moved};
  return {s->fin ? Outcome::kEnded : Outcome::kWouldBlock, 0};
}

entry::Sockets::Moved SimSockets::send(int socket, std::span<const char> bytes) {
  Socket* const s = find(socket);
  HY_CHECK(s != nullptr);
  if (s->reset || s->sent_end) return {Outcome::kEnded, 0};
  const std::size_t n = std::min(bytes.size(), s->connection->room(Connection::kAcceptor));
  if (n == 0) return {Outcome::kWouldBlock, 0};
  Packet packet;
  packet.bytes.assign(bytes.data(), n);
  packet.size = n;
  s->connection->send(Connection::kAcceptor, std::move(packet));
  return {Outcome::kDone, n};
}

void SimSockets::end_sending(int socket) {
  Socket* const s = find(socket);
  if (s == nullptr || std::exchange(s->sent_end, true)) return;
  s->connection->end_sending(Connection::kAcceptor);
}

void SimSockets::close(int socket) {
  const auto found = sockets_.find(socket);
  if (found == sockets_.end()) return;
  Socket& s = *found->second;
  // Unread bytes make the kernel answer with a reset.
  if (s.inbox.empty()) {
    s.connection->close(Connection::kAcceptor);
  } else {
    s.connection->reset(Connection::kAcceptor);
  }
  s.connection->attach(Connection::kAcceptor, nullptr);
  maybe_.erase(socket);
  sockets_.erase(found);
}

// ---- SimShardThreads

SimShardThreads::SimShardThreads(World& world, Node& node, std::uint32_t shards)
    : world_(world), node_(node) {
  for (std::uint32_t i = 0; i < shards; ++i) {
    shards_.push_back(std::make_unique<PerShard>());
    shards_.back()->sockets = std::make_unique<SimSockets>([this, i] { wake(i); });
  }
}

SimShardThreads::~SimShardThreads() {
  stop_listening();
}

void SimShardThreads::start(entry::Node& entry, const std::string& address) {
  entry_ = &entry;
  address_ = address;
  for (std::uint32_t i = 0; i < shards_.size(); ++i) {
    world_.after(Nanos(static_cast<std::int64_t>(world_.below(100'000'000))), &node_,
                 [this, i] { tick(i); });
  }
  Network::get().listen(address_, node_, this);
}

void SimShardThreads::stop_listening() {
  if (!address_.empty()) Network::get().unlisten(address_, this);
}

void SimShardThreads::post(std::uint32_t shard, entry::Shard::Task task) {
  shards_[shard]->tasks.push_back(std::move(task));
  wake(shard);
}

void SimShardThreads::call_soon(std::uint32_t shard) {
  world_.after(entry::Shard::kSoon, &node_, [this, shard] { entry_->shard(shard).soon(); });
}

bool SimShardThreads::on_accept(std::shared_ptr<Connection> connection,
                                const std::string& /*what*/) {
  // The entry spreads connections over its shards in the same order.
  const auto shard = static_cast<std::uint32_t>(next_shard_ % shards_.size());
  const auto address =
      entry::IpAddress::v4(0x0A00'0000U + connection->node(Connection::kDialler).id());
  const int socket = shards_[shard]->sockets->open(connection);
  if (entry_->adopt(socket, address) != Errc::kOk) {
    shards_[shard]->sockets->close(socket);
    return true;  // accepted by the kernel, closed by the entry
  }
  ++next_shard_;
  return true;
}

void SimShardThreads::wake(std::uint32_t shard) {
  if (std::exchange(shards_[shard]->scheduled, true)) return;
  world_.after(kTurnCost, &node_, [this, shard] { run(shard); });
}

void SimShardThreads::run(std::uint32_t shard) {
  PerShard& s = *shards_[shard];
  s.scheduled = false;
  std::deque<entry::Shard::Task> tasks;
  tasks.swap(s.tasks);
  for (auto& task : tasks) task();
  if (s.sockets->has_ready()) entry_->shard(shard).turn();
  if (!s.tasks.empty() || s.sockets->has_ready()) wake(shard);
}

void SimShardThreads::tick(std::uint32_t shard) {
  entry_->shard(shard).tick();
  world_.after(entry::Shard::kTick, &node_, [this, shard] { tick(shard); });
}

}  // namespace hy::sim
