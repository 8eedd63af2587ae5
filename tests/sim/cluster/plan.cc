#include "tests/sim/cluster/plan.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/base/ids.h"

namespace hy::sim {
namespace {

using std::chrono::milliseconds;

constexpr std::array<std::string_view, kFaults> kNames = {
    "kill-entry", "kill-logic",   "kill-router",  "kill-das",    "kill-tier",   "lose-host",
    "sync-point", "pause",        "pause-device", "kill-device", "device-disk", "partition",
    "one-way",    "reset",        "half-open",    "slow-link",   "loss",        "corrupt",
    "clock-jump", "store-errors", "commit-lost",  "store-down",  "store-full",  "fail-over",
    "hold-row",   "cache-lost",   "cache-down",   "restart"};

class Draw {
 public:
  explicit Draw(std::uint64_t seed) : random_(mix64(seed ^ 0x9'1A4)) {}
  std::uint64_t below(std::uint64_t bound) { return random_.below(bound); }
  std::uint64_t from(std::uint64_t low, std::uint64_t high) { return low + below(high - low + 1); }
  bool percent(std::uint64_t p) { return below(100) < p; }
  template <class T>
  T one_of(std::initializer_list<T> list) {
    return *(list.begin() + static_cast<std::ptrdiff_t>(below(list.size())));
  }
  Nanos ms(std::uint64_t low, std::uint64_t high) {
    return Nanos(static_cast<std::int64_t>(from(low * 1'000, high * 1'000) * 1'000));
  }

 private:
  SeededRandom random_;
};

void draw_size(Plan& plan, Draw& draw, const Limits& limits) {
  plan.flavour = draw.percent(25) ? StoreFlavour::kOneWriter : StoreFlavour::kManyWriters;
  const auto at_most = [](std::uint64_t value, std::uint32_t max) {
    return std::max(1U, std::min(static_cast<std::uint32_t>(value), max));
  };
  plan.entries = at_most(draw.from(1, draw.percent(20) ? 5 : 3), limits.entries_max);
  plan.logics = at_most(draw.from(1, draw.percent(20) ? 4 : 2), limits.logics_max);
  plan.routers = at_most(draw.from(2, draw.percent(25) ? 3 : 2), limits.routers_max);
  const std::uint64_t das = draw.from(1, 3);
  plan.das = plan.flavour == StoreFlavour::kOneWriter ? 1 : at_most(das, limits.das_max);
  plan.has_redis = plan.flavour == StoreFlavour::kManyWriters;
  plan.users = static_cast<std::uint32_t>(draw.percent(15) ? draw.from(8, 20) : draw.from(3, 8));
  std::uint32_t devices = 0;
  for (std::uint32_t i = 0; i < plan.users; ++i) {
    const auto slots = static_cast<std::uint32_t>(draw.percent(35) ? draw.from(2, 3) : 1);
    const bool rival = draw.percent(20);
    if (devices + slots + (rival ? 1U : 0U) > limits.devices_max && i >= 2) {
      plan.users = i;
      break;
    }
    devices += slots + (rival ? 1U : 0U);
    plan.devices_of.push_back(slots);
    plan.has_rival.push_back(rival);
  }
}

void draw_faults(Plan& plan, Draw& draw, const Limits& limits) {
  const std::uint64_t share = draw.one_of<std::uint64_t>({0, 15, 30, 30, 50, 80});
  for (std::size_t i = 0; i < kFaults; ++i) {
    plan.faults[i] = draw.percent(share);
    plan.weights[i] = static_cast<std::uint32_t>(draw.from(1, 4));
  }
  const std::uint64_t first = draw.below(kFaults);
  if (share > 0) plan.faults[first] = true;
  plan.fault_gap = draw.ms(600, draw.one_of<std::uint64_t>({2'000, 5'000, 12'000}));
  const auto rate = [&draw](std::uint64_t low, std::uint64_t high) {
    return static_cast<std::uint32_t>(draw.from(low, high));
  };
  plan.store_rates = {.lock_wait = rate(0, 5'000),
                      .deadlock = rate(0, 20'000),
                      .connection_lost = rate(0, 2'000),
                      .commit_lost = rate(0, 20'000),
                      .reply_lost = rate(0, 30'000),
                      .commit_hangs = rate(0, 5'000),
                      .slow = rate(0, 10'000),
                      .full = 0};
  plan.device_rates = {.die_before_commit = rate(0, 8'000),
                       .die_after_commit = rate(0, 8'000),
                       .die_after_sending = rate(0, 8'000),
                       .store_fails = rate(0, 8'000)};
  plan.corrupt_per_million = rate(100, 5'000);
  plan.sync_points_per_million = rate(20, 2'000);
  for (const Fault fault : limits.left_out) plan.faults[static_cast<std::size_t>(fault)] = false;
  // What is off has no rates.
  if (!plan.has(Fault::kStoreErrors)) {
    plan.store_rates.lock_wait = plan.store_rates.deadlock = 0;
    plan.store_rates.connection_lost = plan.store_rates.slow = 0;
  }
  if (!plan.has(Fault::kCommitLost)) {
    plan.store_rates.commit_lost = plan.store_rates.reply_lost = plan.store_rates.commit_hangs = 0;
  }
  if (!plan.has(Fault::kKillDevice)) {
    plan.device_rates.die_before_commit = plan.device_rates.die_after_commit = 0;
    plan.device_rates.die_after_sending = 0;
  }
  if (!plan.has(Fault::kDeviceDisk)) plan.device_rates.store_fails = 0;
  if (!plan.has(Fault::kCorrupt)) plan.corrupt_per_million = 0;
  if (!plan.has(Fault::kSyncPoint)) plan.sync_points_per_million = 0;
}

void draw_links(Plan& plan, Draw& draw) {
  plan.inner.latency = Nanos(static_cast<std::int64_t>(draw.from(50'000, 1'000'000)));
  plan.inner.jitter =
      Nanos(static_cast<std::int64_t>(draw.one_of<std::uint64_t>({20'000, 200'000, 3'000'000})));
  plan.inner.window = draw.one_of<std::size_t>({16 * 1'024, 64 * 1'024, 1'024 * 1'024});
  plan.outer.latency = draw.ms(1, draw.one_of<std::uint64_t>({5, 60, 200}));
  plan.outer.jitter = draw.ms(0, draw.one_of<std::uint64_t>({1, 20, 150}));
  plan.outer.window = draw.one_of<std::size_t>({2 * 1'024, 4 * 1'024, 64 * 1'024, 128 * 1'024});
  if (draw.percent(20)) {
    plan.outer.bytes_per_second = draw.from(draw.percent(50) ? 4'000 : 25'000, 200'000);
  }
}

void draw_settings(Plan& plan, Draw& draw) {
  auto& s = plan.settings;
  const auto number = [&draw](std::initializer_list<std::uint64_t> list) {
    return std::to_string(draw.one_of<std::uint64_t>(list));
  };
  const auto heartbeat = draw.one_of<std::uint64_t>({3, 6, 10, 15});
  s["logic.heartbeat"] = s["logic.heartbeat_phone"] = std::to_string(heartbeat) + "s";
  s["logic.storm_window"] = number({0, 500, 2'000}) + "ms";
  const auto grant_life = draw.one_of<std::uint64_t>({30, 60, 600});
  s["logic.grant_life"] = std::to_string(std::max(grant_life, heartbeat * 5 / 2 + 1)) + "s";
  s["logic.pairs_cached"] = "1k";
  s["logic.rate_users"] = "1k";
  s["logic.trace_messages"] = "1k";
  s["logic.recheck_after"] = number({1, 2, 5}) + "s";
  // Not below what one device may have on its way, or every burst is mostly refusals.
  if (draw.percent(20)) s["logic.session_queue"] = number({4, 16, 48, 64, 96});
  s["entry.push_window.frames"] = number({1, 4, 16, 64, 256});
  s["entry.push_window.tries"] = number({1, 2, 3});
  s["entry.push_window.resend_first"] = number({500, 1'000, 2'000}) + "ms";
  s["entry.push_window.resend_min"] = number({200, 500, 1'000}) + "ms";
  s["entry.queue.frames"] = number({8, 16, 64, 256});  // from what the configuration allows
  s["entry.in_flight"] = number({1, 4, 16, 64});
  s["entry.io_threads"] = number({1, 1, 2, 3});
  s["entry.register_within"] = number({100, 300}) + "ms";
  s["entry.handshakes_per_turn"] = number({1, 8});
  if (draw.percent(15)) s["entry.age_max"] = number({60, 120}) + "s";
  s["entry.connect_rate"] = "100/s burst 500";
  s["router.suspect_after"] = number({2, 3}) + "s";
  s["router.dead_after"] = number({6, 10}) + "s";
  s["router.tombstone_min"] = number({60, 600}) + "s";
}

/// A stream of its own, as all that came later: the rest of a seed is drawn as before.
void draw_groups(Plan& plan) {
  SeededRandom random(mix64(plan.seed ^ 0x6'2095));
  const std::uint64_t groups = random.below(8) == 0 ? 0 : 2 + random.below(3);
  plan.groups = static_cast<std::uint32_t>(groups);
  if (groups == 0) return;
  plan.group_percent = 30;
  plan.group_changes_per_mille =
      static_cast<std::uint32_t>(random.below(5) == 0 ? 0 : 15 + random.below(45));
  if (random.below(5) == 0) plan.silent = 52 + static_cast<std::uint32_t>(random.below(20));
  auto& s = plan.settings;
  s["logic.rate_groups"] = s["logic.group_members_cached"] = "1k";
  if (random.below(3) == 0) s["logic.receipts_up_to"] = std::to_string(random.below(5));
  if (random.below(4) == 0) s["logic.group_members_max"] = std::to_string(3 + random.below(3));
  if (random.below(2) == 0) s["logic.send_per_group"] = "100/s burst 200";
}

}  // namespace

std::string_view fault_name(Fault fault) {
  return kNames[static_cast<std::size_t>(fault)];
}

Plan draw_plan(std::uint64_t seed, const Limits& limits) {
  Plan plan;
  plan.seed = seed;
  Draw draw(seed);
  draw_size(plan, draw, limits);
  draw_faults(plan, draw, limits);
  draw_links(plan, draw);
  draw_settings(plan, draw);
  plan.faults_for = milliseconds(draw.from(40'000, 80'000));
  if (limits.faults_for.count() > 0) plan.faults_for = limits.faults_for;
  plan.talk_gap = draw.ms(400, draw.one_of<std::uint64_t>({2'000, 6'000}));
  plan.talk_gap = plan.talk_gap * 100 / std::max(limits.part, 1U);
  plan.blocks_per_mille = static_cast<std::uint32_t>(draw.percent(30) ? draw.from(5, 40) : 0);
  plan.offline_per_mille = static_cast<std::uint32_t>(draw.percent(60) ? draw.from(5, 60) : 0);
  plan.rivals_per_mille = static_cast<std::uint32_t>(draw.percent(60) ? draw.from(5, 60) : 0);
  plan.body_max = draw.one_of<std::size_t>({20, 200, 2'000});
  SeededRandom keys(mix64(seed ^ 0x4E'4E1));  // a stream of its own, too
  plan.store_scene = limits.store_scene.value_or(static_cast<StoreScene>(keys.below(kStoreScenes)));
  if (keys.below(2) == 0) plan.rekey_every = 20 + keys.below(400);
  plan.settings["logic.das_retries"] = keys.below(4) == 0 ? "1k" : "10";
  if (limits.has_groups) draw_groups(plan);
  // A stream of its own: what a seed did before scenes were played it still does.
  SeededRandom scenes(mix64(seed ^ 0x5CE'4E5));
  plan.scene = limits.scene.value_or(static_cast<Scene>(scenes.below(kScenes)));
  return plan;
}

std::string Plan::text() const {
  std::string out = fmt::format(
      "entries {} logics {} routers {} das {} users {} store {} faults for {} s, one in {} ms:",
      entries, logics, routers, das, users,
      flavour == StoreFlavour::kOneWriter ? "one-writer" : "many-writers",
      faults_for.count() / 1'000, std::chrono::duration_cast<milliseconds>(fault_gap).count());
  for (std::size_t i = 0; i < kFaults; ++i) {
    if (faults[i]) out += " " + std::string(kNames[i]);
  }
  if (groups > 0) out += fmt::format("; groups {}{}", groups, silent > 0 ? ", one large" : "");
  if (scene) out += "; scene " + std::string(scene_name(*scene));
  if (store_scene) out += ", " + std::string(store_scene_name(*store_scene));
  return out;
}

}  // namespace hy::sim
