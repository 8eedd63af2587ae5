#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <queue>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/base/random.h"

/// The simulator's kernel: one thread, one event queue on virtual time, nodes that live and die.
/// Everything follows from the seed: same seed, same events, same hash.
namespace hy::sim {

using Nanos = std::chrono::nanoseconds;
using Task = std::move_only_function<void()>;

class World;

/// The kernel's choices: splitmix64, the numbers of SeededRandom without the way through bytes
/// (an event draws several).
class Choices {
 public:
  explicit Choices(std::uint64_t seed) : state_(seed) {}
  [[nodiscard]] std::uint64_t next() {
    state_ += 0x9E37'79B9'7F4A'7C15ULL;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xBF58'476D'1CE4'E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D0'49BB'1331'11EBULL;
    return z ^ (z >> 31);
  }
  [[nodiscard]] std::uint64_t below(std::uint64_t bound) { return next() % bound; }

 private:
  std::uint64_t state_;
};

/// Wall time as one node sees it: the world's, off by a skew that faults move. Monotonic time is
/// the world's own.
class NodeClock final : public Clock {
 public:
  explicit NodeClock(const World& world) : world_(world) {}
  [[nodiscard]] MonoTime now() const override;
  [[nodiscard]] std::int64_t wall_ms() const override;
  void jump(std::int64_t ms) { skew_ms_ += ms; }
  void set_skew(std::int64_t ms) { skew_ms_ = ms; }
  [[nodiscard]] std::int64_t skew_ms() const { return skew_ms_; }

 private:
  const World& world_;
  std::int64_t skew_ms_ = 0;
};

using NodeId = std::uint32_t;

/// One process: a daemon, or a device's app. What it owns is made by `boot` and thrown away by
/// `destroy`; the kernel decides when.
class Node {
 public:
  Node(World& world, NodeId id, std::string name, std::uint64_t seed)
      : clock(world), random(seed), name_(std::move(name)), id_(id) {}

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] NodeId id() const { return id_; }
  /// Counts starts; events of an older life are dropped.
  [[nodiscard]] std::uint32_t life() const { return life_; }
  [[nodiscard]] bool is_running() const { return running_; }
  [[nodiscard]] bool is_paused() const { return paused_; }
  /// Died in the middle of the event that is running now: nothing it does has an effect any more.
  [[nodiscard]] bool is_zombie() const { return zombie_; }
  /// When a pause of more than a second last ended.
  [[nodiscard]] MonoTime resumed_at() const { return resumed_at_; }

  NodeClock clock;
  SeededRandom random;
  std::function<void()> boot;
  std::function<void()> destroy;
  /// Called after the death, whatever its cause (for restarts).
  std::function<void()> on_death;
  /// The fault scheduler may not touch it before this (it is being looked after).
  MonoTime untouched_until{};

 private:
  friend class World;
  struct Deferred {
    MonoTime due;
    Task task;
  };
  std::string name_;
  NodeId id_;
  std::uint32_t life_ = 0;
  bool running_ = false;
  bool paused_ = false;
  bool zombie_ = false;
  MonoTime paused_at_{};
  MonoTime resumed_at_{};
  std::vector<Deferred> deferred_;
};

/// An event that can be called off.
struct EventId {
  std::uint32_t slot = 0;
  std::uint32_t generation = 0;
};

/// How a process ends, as its peers see it.
enum class Death : std::uint8_t {
  kProcess,  ///< the kernel lives: what was written goes out, then the connections end
  kHost,     ///< nothing more comes, and nobody says so
};

class World {
 public:
  explicit World(std::uint64_t seed);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  /// The world that this thread runs; nullptr outside of one.
  [[nodiscard]] static World* current();
  [[nodiscard]] static World& get();

  [[nodiscard]] MonoTime now() const { return now_; }
  /// Wall time without any skew, Unix milliseconds.
  [[nodiscard]] std::int64_t true_wall_ms() const;
  /// The kernel's own stream of choices.
  [[nodiscard]] Choices& random() { return random_; }
  [[nodiscard]] std::uint64_t below(std::uint64_t bound) { return random_.below(bound); }
  /// True once in `n`.
  [[nodiscard]] bool one_in(std::uint64_t n) { return random_.below(n) == 0; }
  [[nodiscard]] std::uint64_t seed() const { return seed_; }

  Node& add_node(std::string name);
  [[nodiscard]] Node& node(NodeId id) { return *nodes_[id]; }
  [[nodiscard]] const std::vector<std::unique_ptr<Node>>& nodes() const { return nodes_; }
  /// The node whose event runs; nullptr: the world itself (faults, checks).
  [[nodiscard]] Node* running() const { return running_; }

  /// `node` nullptr: of the world itself. Two events of one instant run in an order that the seed
  /// draws; who needs an order keeps a queue.
  EventId at(MonoTime when, Node* node, Task task);
  EventId after(Nanos delay, Node* node, Task task) {
    return at(now_ + delay, node, std::move(task));
  }
  /// Harmless when it has run.
  void cancel(EventId id);

  void start(Node& node);
  /// Ends the process now; inside its own event: at the end of that event, and all it does until
  /// then has no effect.
  void kill(Node& node, Death how = Death::kProcess);
  void pause(Node& node);
  void resume(Node& node);

  /// Runs events until `until`; false: `stop()` was called.
  bool run_until(MonoTime until);
  bool run_for(Nanos span) { return run_until(now_ + span); }
  void stop() { stopped_ = true; }
  [[nodiscard]] bool is_stopped() const { return stopped_; }

  /// Mixes one observation into the event hash.
  void note(std::uint32_t kind, std::uint64_t size);
  /// Told of every observation, in order: to find where two runs part.
  std::function<void(MonoTime, std::uint32_t kind, std::uint64_t size)> on_note;
  [[nodiscard]] std::uint64_t hash() const { return hash_; }
  [[nodiscard]] std::uint64_t events() const { return events_; }

  /// Called by the kernel for each named place that a node passes; true: the process ends here.
  std::function<bool(Node&, std::string_view)> on_sync_point;
  /// The network hears of deaths before the node's objects go.
  std::function<void(Node&, Death)> on_kill;

  /// While it lives, what runs belongs to `node`.
  class Scope {
   public:
    Scope(World& world, Node* node) : world_(world), before_(world.running_) {
      world.running_ = node;
    }
    ~Scope() { world_.running_ = before_; }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    World& world_;
    Node* before_;
  };

 private:
  struct Entry {
    std::int64_t due;
    std::uint64_t tie;
    std::uint32_t slot;
    std::uint32_t generation;
    friend bool operator>(const Entry& a, const Entry& b) {
      return a.due != b.due ? a.due > b.due : a.tie > b.tie;
    }
  };
  struct Slot {
    Task task;
    Node* node = nullptr;
    std::uint32_t life = 0;
    std::uint32_t generation = 1;  // EventId{} names no event
  };
  void run_one(const Entry& entry);
  void bury(Node& node, Death how);
  static void sync_point_reached(std::string_view name);

  std::uint64_t seed_;
  Choices random_;
  Choices ties_;
  MonoTime now_{std::chrono::hours(1)};
  std::vector<std::unique_ptr<Node>> nodes_;
  Node* running_ = nullptr;
  Death zombie_death_ = Death::kProcess;
  bool stopped_ = false;
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> queue_;
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_;
  std::uint64_t hash_ = 0xCBF2'9CE4'8422'2325ULL;
  std::uint64_t events_ = 0;
};

/// True while the node that runs has died in the middle of its event: stores and networks drop what
/// it asks for.
[[nodiscard]] bool is_dead_here();

}  // namespace hy::sim
