// The two ends of the entry-router stream against each other, without a network: random logins,
// lost links, restarts and pauses, then rest; the invariants of router.md §17 must hold.
#include <gtest/gtest.h>

#include <cstdlib>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "common/base/random.h"
#include "entry/link/router_link.h"
#include "router/deliver/deliver_fanout.h"
#include "router/link/router_link.h"

namespace hy::router::testing {
namespace {

constexpr std::uint32_t kReplicas = 2;
constexpr std::uint16_t kEntries = 2;
constexpr std::uint64_t kUids = 3;
constexpr int kTurnsMax = 1'000;

class World;

/// One router replica and the queues towards it.
struct ReplicaSim final : EntryPort {
  ReplicaSim(World& w, std::uint32_t i);
  [[nodiscard]] bool is_up(EntryId entry) const override { return up.contains(entry); }
  [[nodiscard]] bool has_room(EntryId) const override { return true; }
  void forward(EntryId, std::uint64_t, const Delivery&, std::span<const ConnId>) override {}
  void kick(EntryId entry, const KickOrder& order) override;
  void ack(EntryId entry, std::uint64_t op) override;
  void need_snapshot(EntryId entry) override;
  void ask_digests(EntryId entry) override;
  void ask_rows(EntryId entry, const std::vector<std::uint32_t>& buckets) override;

  World& world;
  std::uint32_t index;
  std::set<EntryId> up;
  RouterStats stats;
  PlacementTable table;
  LeaseTable leases;
  RouterLink link;
};

/// One entry: its link core and its open connections.
struct EntrySim final : entry::RouterPort {
  EntrySim(World& w, EntryId e, Incarnation incarnation);
  [[nodiscard]] bool has_room(std::uint32_t) const override { return true; }
  void hello(std::uint32_t replica, const entry::LinkHello& hello) override;
  void ops(std::uint32_t replica, std::uint64_t after, std::uint64_t last,
           std::span<const entry::PlacementRow> rows) override;
  void snapshot(std::uint32_t replica, std::span<const entry::PlacementRow> rows, bool end,
                std::uint64_t last_op) override;
  void bucket_rows(std::uint32_t replica, std::uint32_t bucket,
                   std::span<const entry::PlacementRow> rows) override;
  void bucket_digests(std::uint32_t replica, std::uint64_t last_op,
                      const std::array<flow::DigestBucket, flow::kDigestBuckets>& buckets) override;
  void heartbeat(std::uint32_t replica, const entry::LinkHeartbeat& heartbeat) override;
  void result(std::uint32_t, const entry::DeliveryResult&) override {}
  void redial(std::uint32_t replica, const std::string&) override;

  void login(Uid uid, Epoch epoch);
  void close(Uid uid);
  void on_kick(const KickOrder& order);

  World& world;
  EntryId id;
  std::uint64_t last_conn = 0;
  std::unique_ptr<entry::RouterLink> link;
};

class World {
 public:
  explicit World(std::uint64_t seed) : random(seed) {
    for (std::uint32_t r = 0; r < kReplicas; ++r) start_replica(r);
    for (std::uint16_t e = 1; e <= kEntries; ++e)
      start_entry(EntryId{e}, Incarnation{1'000'000'000});
  }

  void start_replica(std::uint32_t r) {
    for (std::uint16_t e = 1; e <= kEntries; ++e) cut(EntryId{e}, r);
    replicas[r] = std::make_unique<ReplicaSim>(*this, r);
  }
  void start_entry(EntryId e, Incarnation incarnation) {
    for (std::uint32_t r = 0; r < kReplicas; ++r) cut(e, r);
    entries[e] = std::make_unique<EntrySim>(*this, e, incarnation);
  }
  /// Both ends see the stream end; what was under way is lost.
  void cut(EntryId e, std::uint32_t r) {
    if (!linked.erase({e, r})) return;
    to_replica[{e, r}].clear();
    to_entry[{e, r}].clear();
    replicas[r]->up.erase(e);
    replicas[r]->link.on_lost(e, now);
    entries[e]->link->on_down(r, now);
  }
  void connect(EntryId e, std::uint32_t r) {
    if (!linked.insert({e, r}).second) return;
    entries[e]->link->on_up(r, now);
  }
  void say_to_replica(EntryId e, std::uint32_t r, std::function<void(ReplicaSim&)> what) {
    if (linked.contains({e, r})) to_replica[{e, r}].push_back(std::move(what));
  }
  void say_to_entry(EntryId e, std::uint32_t r, std::function<void(EntrySim&)> what) {
    if (linked.contains({e, r})) to_entry[{e, r}].push_back(std::move(what));
  }
  /// Delivers some of what is under way, in order on each stream, in any order among streams.
  void move_messages(bool all) {
    int turns = 0;
    for (bool any = true; any;) {
      any = false;
      if (++turns > kTurnsMax) {
        ADD_FAILURE() << "the two ends talk for ever";
        return;
      }
      for (std::uint16_t e = 1; e <= kEntries; ++e) {
        for (std::uint32_t r = 0; r < kReplicas; ++r) {
          any |= move_one(to_replica, {EntryId{e}, r}, *replicas[r], all);
          any |= move_one(to_entry, {EntryId{e}, r}, *entries[EntryId{e}], all);
        }
      }
      for (const auto& [e, known] : std::exchange(exited, {})) {
        start_entry(e, Incarnation{known.value() + 1});
      }
      for (auto& item : entries) item.second->link->flush(now);
    }
  }
  void advance(Millis step) {
    now += step;
    for (auto& entry : entries) entry.second->link->step(now, false);
    for (std::uint32_t r = 0; r < kReplicas; ++r) {
      if (paused.contains(r)) continue;
      for (const EntryId dead : replicas[r]->link.tick(now)) cut(dead, r);
    }
  }
  /// Everything connected, nothing happens any more but heartbeats.
  void rest(Millis span) {
    paused.clear();
    for (Millis t{0}; t < span; t += Millis{250}) {
      for (std::uint16_t e = 1; e <= kEntries; ++e) {
        for (std::uint32_t r = 0; r < kReplicas; ++r) connect(EntryId{e}, r);
      }
      advance(Millis{250});
      move_messages(true);
    }
  }
  void random_event();

  using Stream = std::pair<EntryId, std::uint32_t>;
  MonoTime now = MonoTime{} + std::chrono::hours(1);
  SeededRandom random;
  std::map<std::uint32_t, std::unique_ptr<ReplicaSim>> replicas;
  std::map<EntryId, std::unique_ptr<EntrySim>> entries;
  std::set<Stream> linked;
  std::set<std::uint32_t> paused;
  std::map<Stream, std::deque<std::function<void(ReplicaSim&)>>> to_replica;
  std::map<Stream, std::deque<std::function<void(EntrySim&)>>> to_entry;
  std::map<Uid, Epoch> issued;            // what devices and the store have handed out
  std::map<EntryId, Incarnation> exited;  // with the incarnation that they heard of

 private:
  template <class Queues, class End>
  bool move_one(Queues& queues, Stream stream, End& end, bool all) {
    auto& queue = queues[stream];
    if constexpr (std::is_same_v<End, ReplicaSim>) {
      if (paused.contains(stream.second)) return false;
    }
    if (queue.empty() || (!all && random.below(3) == 0)) return false;
    const auto what = std::move(queue.front());
    queue.pop_front();
    what(end);
    return true;
  }
};

std::vector<OfferedRow> offered(const std::vector<entry::PlacementRow>& rows) {
  std::vector<OfferedRow> out;
  for (const auto& row : rows) {
    out.push_back(
        {row.uid.value(), static_cast<std::uint32_t>(row.slot), row.epoch, row.conn, row.dead});
  }
  return out;
}
std::vector<entry::PlacementRow> copy(std::span<const entry::PlacementRow> rows) {
  return {rows.begin(), rows.end()};
}

ReplicaSim::ReplicaSim(World& w, std::uint32_t i)
    : world(w),
      index(i),
      leases({}, {EntryId{1}, EntryId{2}}, w.now),
      link({}, table, leases, *this, stats) {}

void ReplicaSim::kick(EntryId e, const KickOrder& order) {
  world.say_to_entry(e, index, [order](EntrySim& entry) { entry.on_kick(order); });
}
void ReplicaSim::ack(EntryId e, std::uint64_t op) {
  world.say_to_entry(e, index, [this, op](EntrySim& entry) {
    entry.link->on_news(index, {.acked_op = op}, world.now);
  });
}
void ReplicaSim::need_snapshot(EntryId e) {
  world.say_to_entry(e, index, [this](EntrySim& entry) {
    entry.link->on_news(index, {.need_snapshot = true}, world.now);
  });
}
void ReplicaSim::ask_digests(EntryId e) {
  world.say_to_entry(e, index, [this](EntrySim& entry) {
    entry.link->on_news(index, {.digests_wanted = true}, world.now);
  });
}
void ReplicaSim::ask_rows(EntryId e, const std::vector<std::uint32_t>& buckets) {
  world.say_to_entry(e, index, [this, buckets](EntrySim& entry) {
    entry.link->on_news(index, {.rows_wanted = buckets}, world.now);
  });
}

EntrySim::EntrySim(World& w, EntryId e, Incarnation incarnation)
    : world(w),
      id(e),
      link(std::make_unique<entry::RouterLink>(*this, w.random, kReplicas, incarnation,
                                               entry::LinkTimes{})) {}

void EntrySim::hello(std::uint32_t r, const entry::LinkHello& said) {
  world.say_to_replica(id, r, [this, said](ReplicaSim& replica) {
    const EntryHello hello{.entry = id,
                           .incarnation = said.incarnation,
                           .role = "entry",
                           .version_low = 1,
                           .version_high = 1,
                           .topology_version = 0,
                           .digest_key = said.digest_key,
                           .first_op_held = said.first_op_held};
    const HelloVerdict verdict = replica.link.check(hello);
    if (verdict.kind == HelloVerdict::Kind::kAccepted) {
      replica.up.insert(id);
      replica.link.accept(hello, replica.world.now);
      return;
    }
    const std::uint32_t r2 = replica.index;
    replica.world.say_to_entry(id, r2, [r2, known = verdict.known](EntrySim& entry) {
      const auto answer =
          entry.link->on_news(r2, {.bad_incarnation_known = known.value()}, entry.world.now);
      if (answer == entry::RouterLink::Verdict::kNameTaken) {
        entry.world.exited[entry.id] = known;  // and is started again by its supervisor
      }
      if (answer != entry::RouterLink::Verdict::kReannounce) return;
      for (std::uint32_t i = 0; i < kReplicas; ++i) entry.world.cut(entry.id, i);
    });
  });
}
void EntrySim::ops(std::uint32_t r, std::uint64_t after, std::uint64_t last,
                   std::span<const entry::PlacementRow> rows) {
  world.say_to_replica(id, r, [this, after, last, rows = copy(rows)](ReplicaSim& replica) {
    replica.link.on_ops(id, after, last, offered(rows), world.now);
  });
}
void EntrySim::snapshot(std::uint32_t r, std::span<const entry::PlacementRow> rows, bool end,
                        std::uint64_t last_op) {
  world.say_to_replica(id, r, [this, end, last_op, rows = copy(rows)](ReplicaSim& replica) {
    replica.link.on_snapshot(id, offered(rows), end, last_op, world.now);
  });
}
void EntrySim::bucket_rows(std::uint32_t r, std::uint32_t bucket,
                           std::span<const entry::PlacementRow> rows) {
  world.say_to_replica(id, r, [this, bucket, rows = copy(rows)](ReplicaSim& replica) {
    replica.link.on_bucket_rows(id, bucket, offered(rows), world.now);
  });
}
void EntrySim::bucket_digests(std::uint32_t r, std::uint64_t last_op,
                              const std::array<flow::DigestBucket, flow::kDigestBuckets>& buckets) {
  world.say_to_replica(id, r, [this, last_op, buckets](ReplicaSim& replica) {
    replica.link.on_buckets(id, buckets, last_op, world.now);
  });
}
void EntrySim::heartbeat(std::uint32_t r, const entry::LinkHeartbeat& beat) {
  world.say_to_replica(id, r, [this, beat](ReplicaSim& replica) {
    replica.link.on_heartbeat(
        id, {beat.incarnation, beat.last_op, beat.rows, beat.digest_root, beat.draining},
        world.now);
  });
}
void EntrySim::redial(std::uint32_t r, const std::string&) {
  world.cut(id, r);
}

/// router.md §5: an older session of the key is closed, a newer one refuses this login.
void EntrySim::login(Uid uid, Epoch epoch) {
  const auto newest = link->placements().newest_epoch(uid, Slot::kPhone);
  if (newest && !(*newest < epoch)) return;
  close(uid);
  link->placements().put(uid, Slot::kPhone, epoch, ConnId{++last_conn});
}
void EntrySim::close(Uid uid) {
  const auto open = link->placements().find(uid, Slot::kPhone);
  if (open) link->placements().erase(uid, Slot::kPhone, open->conn);
}
void EntrySim::on_kick(const KickOrder& order) {
  const auto open = link->placements().find(order.uid, order.slot);
  if (open && open->conn == order.conn && open->epoch < order.below) close(order.uid);
}

void World::random_event() {
  const EntryId e{static_cast<std::uint16_t>(1 + random.below(kEntries))};
  const auto r = static_cast<std::uint32_t>(random.below(kReplicas));
  const Uid uid{1 + random.below(kUids)};
  EntrySim& entry = *entries[e];
  switch (random.below(16)) {
    case 0:
    case 1:
    case 2:
    case 3: {  // a login; one in five from another installation
      Epoch& epoch = issued[uid];
      epoch = random.below(5) == 0 ? Epoch{epoch.auth + 1, 1} : Epoch{epoch.auth, epoch.conn + 1};
      return entry.login(uid, epoch);
    }
    case 4: {  // a device restored from a backup: its counter is low
      const Epoch epoch = issued[uid];
      if (epoch.conn > 2) entry.login(uid, {epoch.auth, epoch.conn - 2});
      return;
    }
    case 5:
    case 6: return entry.close(uid);
    case 7:
    case 8: return cut(e, r);
    case 9:
    case 10: return connect(e, r);
    case 11: return random.below(4) == 0 ? start_replica(r) : void();
    case 12: {
      if (random.below(3) != 0) return;
      // Its clock may have stepped back: then it hears BAD_INCARNATION.
      const std::uint64_t old = entry.link->incarnation().value();
      const std::uint64_t step = 1 + random.below(1'000'000);
      return start_entry(e, Incarnation{random.below(4) == 0 ? old - step : old + step});
    }
    case 13:
      if (paused.erase(r) == 0) paused.insert(r);
      return;
    case 14: return advance(Millis{static_cast<std::int64_t>(random.below(6'000))});
    default: return advance(Millis{250});
  }
}

struct Truth {
  std::map<Uid, std::vector<std::tuple<Epoch, EntryId, ConnId>>> open;
};

Truth truth_of(World& world) {
  Truth truth;
  for (const auto& [id, entry] : world.entries) {
    for (const auto& row : entry->link->placements().all_rows()) {
      if (!row.dead) truth.open[row.uid].emplace_back(row.epoch, id, row.conn);
    }
  }
  return truth;
}

void check_at_rest(World& world) {
  const Truth truth = truth_of(world);
  for (const auto& [uid, open] : truth.open) {
    EXPECT_EQ(open.size(), 1U) << "I4: a displaced connection of " << uid.value() << " is open";
  }
  for (const auto& [r, replica] : world.replicas) {
    EXPECT_TRUE(replica->link.is_ready()) << "replica " << r;
    std::size_t live = 0;
    replica->table.for_each([&](const Row& row) {
      if (!replica->table.is_live(row)) return;
      ++live;
      const auto found = truth.open.find(row.uid);
      ASSERT_NE(found, truth.open.end()) << "I2: row of a closed connection";
      EXPECT_EQ(std::tuple(row.epoch, row.entry, row.conn), found->second.front()) << "I3";
    });
    EXPECT_EQ(live, truth.open.size()) << "I1: replica " << r << " lacks a row";
    for (const auto& [id, entry] : world.entries) {
      EXPECT_EQ(replica->table.digest(id).root(), entry->link->placements().digest(r).root());
    }
  }
}

TEST(RouterBothEnds, AgreeAtRestWhateverHappened) {
  const char* given = std::getenv("HY_SEED");
  const std::uint64_t first = given ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  const int rounds = given ? 1 : 150;
  for (int round = 0; round < rounds; ++round) {
    const std::uint64_t seed = first + static_cast<std::uint64_t>(round);
    SCOPED_TRACE("HY_SEED=" + std::to_string(seed));
    World world(seed);
    for (int i = 0; i < 150; ++i) {
      world.random_event();
      world.move_messages(false);
    }
    world.rest(Millis{30'000});
    check_at_rest(world);
    if (::testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace hy::router::testing
