#include "tests/sim/kernel/world.h"

#include <utility>

#include "common/base/check.h"
#include "common/base/ids.h"
#include "common/base/test_hooks.h"

namespace hy::sim {
namespace {

thread_local World* here = nullptr;

constexpr std::int64_t kWallAtStart = 1'700'000'000'000;
constexpr MonoTime kMonoAtStart{std::chrono::hours(1)};

}  // namespace

MonoTime NodeClock::now() const {
  return world_.now();
}

std::int64_t NodeClock::wall_ms() const {
  return world_.true_wall_ms() + skew_ms_;
}

World* World::current() {
  return here;
}

World& World::get() {
  HY_CHECK(here != nullptr);
  return *here;
}

bool is_dead_here() {
  return here != nullptr && here->running() != nullptr && here->running()->is_zombie();
}

World::World(std::uint64_t seed)
    : seed_(seed), random_(mix64(seed) ^ 0x57D1), ties_(mix64(seed) ^ 0x71E5) {
  HY_CHECK(here == nullptr);
  here = this;
#if defined(HY_TEST_HOOKS)
  set_sync_point_handler(&World::sync_point_reached);
#endif
}

World::~World() {
  for (const auto& node : nodes_) {
    if (node->running_) bury(*node, Death::kHost);
  }
#if defined(HY_TEST_HOOKS)
  set_sync_point_handler(nullptr);
#endif
  here = nullptr;
}

void World::sync_point_reached(std::string_view name) {
  World* const world = here;
  if (world == nullptr || world->running_ == nullptr || !world->on_sync_point) return;
  Node& node = *world->running_;
  if (node.zombie_ || !node.running_) return;
  if (world->on_sync_point(node, name)) world->kill(node);
}

std::int64_t World::true_wall_ms() const {
  return kWallAtStart + std::chrono::duration_cast<Millis>(now_ - kMonoAtStart).count();
}

Node& World::add_node(std::string name) {
  const auto id = static_cast<NodeId>(nodes_.size());
  nodes_.push_back(std::make_unique<Node>(*this, id, std::move(name), random_.next()));
  return *nodes_.back();
}

EventId World::at(MonoTime when, Node* node, Task task) {
  if (when < now_) when = now_;
  if (free_.empty()) {
    free_.push_back(static_cast<std::uint32_t>(slots_.size()));
    slots_.emplace_back();
  }
  const std::uint32_t index = free_.back();
  free_.pop_back();
  Slot& slot = slots_[index];
  slot.task = std::move(task);
  slot.node = node;
  slot.life = node == nullptr ? 0 : node->life_;
  queue_.push({when.time_since_epoch().count(), ties_.next(), index, slot.generation});
  return {index, slot.generation};
}

void World::cancel(EventId id) {
  if (id.slot >= slots_.size()) return;
  Slot& slot = slots_[id.slot];
  if (slot.generation == id.generation) slot.task = nullptr;
}

void World::run_one(const Entry& entry) {
  Slot& slot = slots_[entry.slot];
  Task task = std::move(slot.task);
  Node* const node = slot.node;
  const std::uint32_t life = slot.life;
  slot.task = nullptr;
  ++slot.generation;
  free_.push_back(entry.slot);
  if (!task) return;
  if (node != nullptr) {
    if (!node->running_ || node->life_ != life) return;
    if (node->paused_) {
      node->deferred_.push_back({now_, std::move(task)});
      return;
    }
  }
  ++events_;
  note(node == nullptr ? 0xFFFF : node->id_, 0);
  {
    const Scope scope(*this, node);
    task();
    task = nullptr;  // what it holds is destroyed while the node is known
  }
  if (node != nullptr && node->zombie_) bury(*node, zombie_death_);
}

bool World::run_until(MonoTime until) {
  while (!stopped_ && !queue_.empty()) {
    const Entry entry = queue_.top();
    const MonoTime due{Nanos(entry.due)};
    if (due > until) break;
    queue_.pop();
    now_ = due;
    run_one(entry);
  }
  if (!stopped_ && until > now_) now_ = until;
  return !stopped_;
}

void World::note(std::uint32_t kind, std::uint64_t size) {
  constexpr std::uint64_t kPrime = 0x100'0000'01B3ULL;
  const auto mix = [this](std::uint64_t value) {
    hash_ = (hash_ ^ value) * kPrime;
    hash_ ^= hash_ >> 29;
  };
  mix(static_cast<std::uint64_t>(now_.time_since_epoch().count()));
  mix(kind);
  mix(size);
  if (on_note) on_note(now_, kind, size);
}

void World::start(Node& node) {
  HY_CHECK(!node.running_);
  ++node.life_;
  node.running_ = true;
  node.paused_ = false;
  node.zombie_ = false;
  note(0x5747, node.id_);
  const Scope scope(*this, &node);
  if (node.boot) node.boot();
}

void World::kill(Node& node, Death how) {
  if (!node.running_ || node.zombie_) return;
  note(0xDEAD, node.id_);
  if (running_ == &node) {
    node.zombie_ = true;
    zombie_death_ = how;
    // What it wrote before this moment goes its way; what it does from here on does not.
    if (on_kill) on_kill(node, how);
    return;
  }
  if (on_kill) on_kill(node, how);
  bury(node, how);
}

void World::bury(Node& node, Death /*how*/) {
  node.zombie_ = true;
  {
    const Scope scope(*this, &node);
    // Its events first: what they hold may need the node's objects to end.
    std::vector<Task> events;
    for (Slot& slot : slots_) {
      if (slot.node == &node && slot.task) events.push_back(std::move(slot.task));
    }
    for (Node::Deferred& event : node.deferred_) events.push_back(std::move(event.task));
    node.deferred_.clear();
    events.clear();
    if (node.destroy) node.destroy();
  }
  node.running_ = false;
  node.paused_ = false;
  node.zombie_ = false;
  ++node.life_;
  if (node.on_death) node.on_death();
}

void World::pause(Node& node) {
  if (!node.running_ || node.paused_) return;
  note(0x9A05E, node.id_);
  node.paused_ = true;
  node.paused_at_ = now_;
}

void World::resume(Node& node) {
  if (!node.running_ || !node.paused_) return;
  note(0x2E50E, node.id_);
  node.paused_ = false;
  if (now_ - node.paused_at_ > std::chrono::seconds(1)) node.resumed_at_ = now_;
  // In the order in which they would have come, one after another.
  auto waiting = std::exchange(node.deferred_, {});
  std::int64_t step = 0;
  for (auto& event : waiting) at(now_ + Nanos(step++), &node, std::move(event.task));
}

}  // namespace hy::sim
