#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "entry/node.h"
#include "tests/sim/kernel/network.h"

namespace hy::sim {

/// One shard's sockets: the ends of simulated connections, ready as an epoll set would say it.
class SimSockets final : public entry::Sockets {
 public:
  /// `wake`: something may be ready.
  explicit SimSockets(std::function<void()> wake) : wake_(std::move(wake)) {}
  ~SimSockets() override;

  /// A connection that came in: its number.
  int open(std::shared_ptr<Connection> connection);

  Status add(int socket, std::uint64_t tag) override;
  void want(int socket, std::uint64_t tag, bool read, bool write) override;
  std::span<const Event> ready() override;
  Moved receive(int socket, std::span<std::uint8_t> into) override;
  Moved send(int socket, std::span<const char> bytes) override;
  void end_sending(int socket) override;
  void close(int socket) override;
  /// ready() would say something.
  [[nodiscard]] bool has_ready() const;

 private:
  struct Socket final : EndPoint {
    Socket(SimSockets& o, int n, std::shared_ptr<Connection> c)
        : owner(o), number(n), connection(std::move(c)) {}
    void on_packet(Packet packet) override;
    void on_end(End how) override;
    void on_room() override;
    [[nodiscard]] bool is_readable() const;
    [[nodiscard]] bool is_writable() const;

    SimSockets& owner;
    int number;
    std::shared_ptr<Connection> connection;
    std::deque<Bytes> inbox;
    std::size_t taken = 0;  // of the first one
    std::uint64_t tag = 0;
    bool watched = false;
    bool wants_read = true;
    bool wants_write = false;
    bool fin = false;
    bool reset = false;
    bool sent_end = false;
  };
  Socket* find(int socket);
  void changed(Socket& socket);

  std::function<void()> wake_;
  std::map<int, std::unique_ptr<Socket>> sockets_;
  std::set<int> maybe_;
  std::vector<Event> events_;
  int next_ = 1;
};

/// The threads of one entry, on virtual time: turns when sockets are ready, ticks, posted tasks.
class SimShardThreads final : public entry::ShardThreads, public Acceptor {
 public:
  SimShardThreads(World& world, Node& node, std::uint32_t shards);
  ~SimShardThreads() override;

  /// After the entry's node was made. Listens at `address`.
  void start(entry::Node& entry, const std::string& address);
  void stop_listening();

  entry::Sockets& sockets(std::uint32_t shard) override { return *shards_[shard]->sockets; }
  void post(std::uint32_t shard, entry::Shard::Task task) override;
  void call_soon(std::uint32_t shard) override;
  bool on_accept(std::shared_ptr<Connection> connection, const std::string& what) override;

 private:
  struct PerShard {
    std::unique_ptr<SimSockets> sockets;
    std::deque<entry::Shard::Task> tasks;
    bool scheduled = false;
  };
  void wake(std::uint32_t shard);
  void run(std::uint32_t shard);
  void tick(std::uint32_t shard);

  World& world_;
  Node& node_;
  entry::Node* entry_ = nullptr;
  std::string address_;
  std::vector<std::unique_ptr<PerShard>> shards_;
  std::size_t next_shard_ = 0;
};

}  // namespace hy::sim
