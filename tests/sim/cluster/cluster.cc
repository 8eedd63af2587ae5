#include "tests/sim/cluster/cluster.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <utility>

#include "client/judge/file/history_file.h"
#include "client/judge/judge.h"
#include "common/wire/rekey_hook.h"
#include "tests/sim/cluster/groups.h"
#include "tests/sim/store/store_dump.h"

namespace hy::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Nanos kStep = milliseconds(250);
constexpr Nanos kLastQuestionsMax = seconds(30);
/// What came before was paid from people's budgets of SYNC (logic.sync_rate: ten, one a second). A
/// scene that wants a message on the screen within two seconds wants full ones.
constexpr Nanos kBudgetsFull = seconds(10);
/// Placement of what was said last travels to every replica within this.
constexpr Nanos kPlacementSettles = seconds(15);

void shorten_keys([[maybe_unused]] std::uint64_t frames) {
#if defined(HY_TEST_HOOKS)
  wire::set_rekey_every(frames);
#endif
}

std::string when(const World& world) {
  const auto ms =
      std::chrono::duration_cast<milliseconds>(world.now().time_since_epoch()).count() - 3'600'000;
  return fmt::format("{:3}.{:03}", ms / 1'000, ms % 1'000);
}

}  // namespace

Cluster::Cluster(const Plan& plan, bool verbose)
    : plan_(plan),
      verbose_(verbose),
      world_(plan.seed),
      network_(world_),
      site_(world_, network_, plan_) {
  network_.inner = plan_.inner;
  network_.outer = plan_.outer;
  world_.on_sync_point = [this](Node& node, std::string_view name) {
    return at_sync_point(node, name);
  };
  shorten_keys(plan_.rekey_every);
  site_.create_accounts(plan_.users + plan_.silent);
  make_daemons();
  make_devices();
}

Cluster::~Cluster() {
  // The nodes' objects go while the stores are there.
  faults_on_ = false;
  shorten_keys(0);
  for (const auto& node : world_.nodes()) {
    node->on_death = nullptr;
    world_.kill(*node, Death::kHost);
  }
}

void Cluster::say(const std::string& text) const {
  if (verbose_) fmt::print("{} {}\n", when(world_), text);
}

void Cluster::violation(std::string text) {
  say("VIOLATION " + text);
  report_.violations.push_back(std::move(text));
  report_.outcome = Outcome::kSafety;
  world_.stop();
}

void Cluster::calm(MonoTime from) {
  calm_.push_back({from.time_since_epoch().count(), world_.now().time_since_epoch().count()});
}

void Cluster::watch_deaths(Node& node) {
  node.on_death = [this, &node] {
    say(node.name() + " died");
    restart_later(node, milliseconds(50 + world_.below(world_.one_in(4) ? 8'000 : 1'500)));
  };
}

void Cluster::restart_later(Node& node, Nanos delay) {
  world_.after(healing_ ? milliseconds(10) : delay, nullptr, [this, &node] {
    if (node.is_running()) return;
    say(node.name() + " starts");
    world_.start(node);
  });
}

void Cluster::make_daemons() {
  const auto add = [this](std::unique_ptr<Daemon> daemon) {
    watch_deaths(daemon->node());
    daemons_.push_back(std::move(daemon));
  };
  for (std::uint32_t i = 0; i < plan_.das; ++i) add(std::make_unique<DasDaemon>(site_, i));
  for (std::uint32_t i = 0; i < plan_.routers; ++i) add(std::make_unique<RouterDaemon>(site_, i));
  for (std::uint32_t i = 0; i < plan_.logics; ++i) add(std::make_unique<LogicDaemon>(site_, i));
  for (std::uint32_t i = 0; i < plan_.entries; ++i) add(std::make_unique<EntryDaemon>(site_, i));
  for (const auto& daemon : daemons_)
    restart_later(daemon->node(), milliseconds(world_.below(500)));
}

void Cluster::make_devices() {
  constexpr std::array kSlots = {Slot::kDesktop, Slot::kPhone, Slot::kPad};
  std::vector<std::string> entries;
  for (std::uint32_t i = 0; i < plan_.entries; ++i) {
    entries.push_back(site_.address(config::Role::kEntry, i));
  }
  const auto add = [&](std::uint32_t user, std::uint32_t slot, std::uint32_t installation) {
    DeviceSpec spec;
    spec.uid = Site::uid_of(user);
    spec.name = Site::name_of(user);
    spec.slot = kSlots[slot];
    spec.installation = installation;
    spec.settings.link.entries = entries;
    std::ranges::rotate(spec.settings.link.entries,
                        spec.settings.link.entries.begin() +
                            static_cast<std::ptrdiff_t>(world_.below(entries.size())));
    spec.settings.link.server_key = site_.server_key();
    spec.settings.link.slot = spec.slot;
    spec.settings.link.suite = static_cast<std::uint8_t>(world_.one_in(2) ? 2 : 1);
    spec.settings.link.device_name = "sim";
    Node& node =
        world_.add_node(fmt::format("{}.{}.{}", spec.name, slot_name(spec.slot), installation));
    devices_.push_back(std::make_unique<DeviceHost>(world_, network_, node, std::move(spec)));
    devices_.back()->faults = &device_faults_;
    devices_.back()->on_spin = [this, &node, host = devices_.back().get()] {
      violation(fmt::format("{} asks for ticks without end while {}, {} in the outbox, wake {} ns",
                            node.name(), link_state_name(host->link()),
                            host->device()->outbox().size(),
                            (host->device()->wake_at() - world_.now()).count()));
    };
    devices_.back()->on_broken = [this](const std::string& what) { violation(what); };
    if (verbose_) {
      devices_.back()->on_link = [this, &node](LinkState state, const std::string& why) {
        say(fmt::format("{} {} {}", node.name(), link_state_name(state), why));
      };
    }
    watch_deaths(node);
    restart_later(node, milliseconds(500 + world_.below(3'000)));
    DeviceHost* const host = devices_.back().get();
    // The rival stays out until its person wants in.
    if (installation > 1) return;
    world_.after(milliseconds(3'600 + world_.below(1'500)), nullptr, [this, host] {
      world_.at(world_.now(), &host->node(), [host] { host->log_in(); });
    });
  };
  for (std::uint32_t user = 0; user < plan_.users; ++user) {
    for (std::uint32_t slot = 0; slot < plan_.devices_of[user]; ++slot) add(user, slot, 1);
    if (plan_.has_rival[user]) add(user, 0, 2);
  }
}

void Cluster::count_passage(std::string_view name) {
  Passed& at = passed_[(reinterpret_cast<std::uintptr_t>(name.data()) >> 2) % passed_.size()];
  if (at.where != name.data() || at.name != name) {
    // Entries of a map stay where they are.
    const auto [entry, is_new] = report_.sync_points.try_emplace(std::string(name), 0);
    at = {name.data(), entry->first, &entry->second};
  }
  ++*at.count;
}

bool Cluster::at_sync_point(Node& node, std::string_view name) {
  count_passage(name);
  if (!faults_on_ || plan_.sync_points_per_million == 0) return false;
  if (world_.below(1'000'000) >= plan_.sync_points_per_million) return false;
  count(Fault::kSyncPoint);
  ++report_.died_at[std::string(name)];
  say(fmt::format("fault sync-point: {} at {}", node.name(), name));
  return true;
}

Report Cluster::run() {
  const MonoTime begun = world_.now();
  start_workload(*this);
  world_.run_until(begun + plan_.warm_up);
  faults_on_ = true;
  faults_from_ = world_.now();
  device_faults_ = plan_.device_rates;
  site_.store.set_faults(plan_.store_rates);
  network_.outer.corrupt_per_million = plan_.corrupt_per_million;
  start_faults(*this);
  world_.run_until(begun + plan_.warm_up + plan_.faults_for);
  if (!world_.is_stopped()) heal();
  // People's answers to the healing come first.
  bool settled = !world_.is_stopped() && settle(seconds(4));
  if (settled) {
    report_.settled_after = std::chrono::duration<double>(world_.now() - healed_at_).count();
    // A device that left without a word is missed after two heartbeats: presence is judged then.
    const Millis heartbeat = seconds(std::stoi(plan_.settings.at("logic.heartbeat")));
    world_.run_until(healed_at_ + 2 * heartbeat + seconds(5));
    settled = settle(seconds(4));
  }
  if (settled && plan_.scene) {
    const auto before = mismatches();
    world_.run_until(world_.now() + kBudgetsFull);
    play(*this, *plan_.scene);
    rest_until_ = std::max(rest_until_, world_.now() + plan_.rest_max + longest_download());
    settled = !world_.is_stopped() && settle(kStep);
    compare_digests(before);
  }
  if (settled && plan_.store_scene) {
    world_.run_until(world_.now() + kBudgetsFull);
    play(*this, *plan_.store_scene);
    rest_until_ = std::max(rest_until_, world_.now() + plan_.rest_max + longest_download());
    settled = !world_.is_stopped() && settle(kStep);
  }
  if (settled && plan_.groups > 0) {
    talk_in_groups(*this);
    settled = !world_.is_stopped() && settle(kStep);
  }
  if (settled) last_questions();
  report_.virtual_seconds = std::chrono::duration<double>(world_.now() - begun).count();
  count_what_went_by_rates();
  judge_all();
  if (!settled && report_.outcome == Outcome::kClean) {
    report_.outcome = Outcome::kLiveness;
    report_.violations.push_back("not settled: " + unsettled());
  }
  report_.hash = world_.hash();
  report_.events = world_.events();
  report_.packets = network_.counts.packets;
  for (const auto& device : devices_) {
    report_.submitted += device->submitted();
    report_.stored += device->recorder().stored();
    report_.relayed += device->recorder().relayed();
    report_.shown += device->recorder().shown();
  }
  return std::move(report_);
}

/// Faults of the nemesis are counted as they begin, these where they struck.
void Cluster::count_what_went_by_rates() {
  const auto add = [this](Fault fault, std::uint64_t n) {
    report_.faults[static_cast<std::size_t>(fault)] += n;
  };
  for (const StoreFault f : {StoreFault::kLockWait, StoreFault::kDeadlock,
                             StoreFault::kConnectionLost, StoreFault::kSlow})
    add(Fault::kStoreErrors, site_.store.struck(f));
  for (const StoreFault f :
       {StoreFault::kCommitLost, StoreFault::kReplyLost, StoreFault::kCommitHangs})
    add(Fault::kCommitLost, site_.store.struck(f));
  add(Fault::kCorrupt, network_.counts.corrupted);
  for (const auto& device : devices_) {
    add(Fault::kKillDevice, device->crashes());
    add(Fault::kDeviceDisk, device->disk_failures());
  }
}

/// No fault from here on; everybody who is needed is there.
void Cluster::heal() {
  say("healed");
  healing_ = true;
  faults_on_ = false;
  healed_at_ = world_.now();
  device_faults_ = {};
  end_faults(*this);
  for (const auto& node : world_.nodes()) restart_later(*node, milliseconds(10));
  // One installation of each slot is at rest online; the last one that was there, if any.
  for (const auto& device : devices_) {
    const DeviceSpec& spec = device->spec();
    const auto is_rival = [&](const auto& other) {
      return other->spec().uid == spec.uid && other->spec().slot == spec.slot &&
             other.get() != device.get();
    };
    const bool first = spec.installation == 1;
    const auto rival = std::ranges::find_if(devices_, is_rival);
    const bool rival_holds = rival != devices_.end() && (*rival)->wants_online() &&
                             (*rival)->link() == LinkState::kOnline;
    const bool holds = device->link() == LinkState::kOnline;
    const bool goes_online = rival == devices_.end() || (first ? !rival_holds || holds : holds);
    const bool wants = first ? goes_online : goes_online && !(*rival)->wants_online();
    DeviceHost* const host = device.get();
    world_.after(milliseconds(100 + world_.below(2'000)), nullptr, [this, host, wants] {
      world_.at(world_.now(), &host->node(), [host, wants] {
        if (!wants) return host->go_offline();
        if (!host->wants_online() || host->link() == LinkState::kStopped ||
            host->link() == LinkState::kIdle) {
          host->log_in();
        }
      });
    });
  }
}

std::string Cluster::unsettled() {
  for (const auto& node : world_.nodes()) {
    if (!node->is_running()) return node->name() + " does not run";
  }
  for (const auto& daemon : daemons_) {
    const auto missing = daemon->missing();
    if (!missing.empty()) return daemon->node().name() + " misses " + missing.front();
  }
  for (const auto& device : devices_) {
    if (!device->wants_online()) continue;
    if (!device->is_settled()) {
      return fmt::format("{} is {} with {} open sends, {} open requests, up to date: {}",
                         device->node().name(), link_state_name(device->link()),
                         device->open_sends(), device->open_requests(),
                         device->device() != nullptr && device->device()->is_up_to_date());
    }
  }
  return {};
}

bool Cluster::settle(Nanos first) {
  world_.run_for(first);
  if (rest_until_ == MonoTime{})
    rest_until_ = healed_at_ + plan_.rest_max + longest_backlog() + longest_download();
  int steps = 0;
  while (!world_.is_stopped() && world_.now() < rest_until_) {
    if (unsettled().empty()) return true;
    if (++steps % 20 == 0) log_in_again();
    world_.run_for(kStep);
  }
  return !world_.is_stopped() && unsettled().empty();
}

/// Whom a refusal stopped (too many logins, say) tries again, as a person does.
void Cluster::log_in_again() {
  for (const auto& device : devices_) {
    if (!device->wants_online() || device->link() != LinkState::kStopped) continue;
    DeviceHost* const host = device.get();
    world_.at(world_.now(), &host->node(), [host] { host->log_in(); });
  }
}

/// Everybody asks once more, so that what is compared is what they would see.
void Cluster::last_questions() {
  const auto ask = [this](auto&& question) {
    for (const auto& device : devices_) {
      if (!device->wants_online()) continue;
      DeviceHost* const host = device.get();
      world_.after(milliseconds(world_.below(500)), &host->node(),
                   [host, question] { question(*host); });
    }
    const MonoTime until = world_.now() + kLastQuestionsMax;
    world_.run_for(seconds(1));
    while (world_.now() < until && !unsettled().empty()) world_.run_for(kStep);
  };
  ask([](DeviceHost& host) { host.sync(); });
  ask([](DeviceHost& host) { host.ask_recents(); });
  if (plan_.groups > 0) {
    ask_for_members(*this);
    const MonoTime until = world_.now() + kLastQuestionsMax;
    world_.run_for(seconds(1));
    while (!world_.is_stopped() && world_.now() < until && !unsettled().empty())
      world_.run_for(kStep);
  }
  world_.run_for(kPlacementSettles);
}

void Cluster::dump_placement(judge::Evidence& evidence) {
  for (const auto& daemon : daemons_) {
    if (!daemon->node().is_running()) return;
    if (auto* const r = dynamic_cast<RouterDaemon*>(daemon.get())) {
      judge::RouterDump dump;
      dump.name = r->node().name();
      dump.is_live = r->missing().empty();
      r->router()->table().for_each([&](const router::Row& row) {
        if (!r->router()->table().is_live(row)) return;
        dump.rows.push_back({row.uid, row.slot, 0, row.entry, row.epoch});
      });
      evidence.routers.push_back(std::move(dump));
    } else if (auto* const e = dynamic_cast<EntryDaemon*>(daemon.get())) {
      const EntryId id{static_cast<std::uint16_t>(e->index() + 1)};
      for (const entry::PlacementRow& row : e->entry()->hub().routers().placements().all_rows()) {
        if (row.dead) continue;
        evidence.sessions.push_back({id, row.uid, row.slot, 0, row.epoch});
      }
    }
  }
  evidence.has_placement = true;
}

std::map<std::string, double> Cluster::mismatches() const {
  std::map<std::string, double> out;
  for (const auto& daemon : daemons_) {
    if (daemon->role() != config::Role::kRouter || !daemon->node().is_running()) continue;
    out[fmt::format("{} (life {})", daemon->node().name(), daemon->node().life())] =
        daemon->metric("hy_router_digest_mismatch_total");
  }
  return out;
}

/// Dumps and changes together are exact (I1, router.md §12): in the healed world, where no entry
/// was believed dead, a digest differs while a kick is under way alone, whatever a scene does.
void Cluster::compare_digests(const std::map<std::string, double>& before) {
  for (const auto& [router, count] : mismatches()) {
    const auto known = before.find(router);
    const double more = count - (known == before.end() ? 0 : known->second);
    if (more == 0) continue;
    report_.violations.push_back(fmt::format(
        "C-DIGEST {} merged all that an entry sent and did not hold what it holds, {} times",
        router, more));
  }
}

void Cluster::judge_all() {
  judge::Evidence evidence;
  const bool healed = healing_ && unsettled().empty();
  for (const auto& device : devices_) {
    const bool drained = healed && device->wants_online() && device->is_settled();
    device->recorder().end(world_.now(), drained);
    evidence.histories.push_back(std::move(device->recorder().history()));
  }
  evidence.store = dump(site_.store);
  add_groups(evidence.store, site_.store.tables());
  for (const judge::MessageRow& row : evidence.store.messages)
    if (row.conv.is_group()) ++(row.by_server ? report_.group_changes : report_.in_groups);
  evidence.has_store = true;
  if (std::ranges::any_of(plan_.faults, [](bool on) { return on; })) {
    // Faults overlap; a device in the dark knows of its end by its heartbeat alone.
    evidence.faults.push_back({.kind = "the seed's faults",
                               .from = faults_from_.time_since_epoch().count(),
                               .to = (healed_at_ + seconds(45)).time_since_epoch().count(),
                               .hits = judge::Hits::kReach});
  }
  evidence.calm = calm_;
  evidence.revocations = revocations_;
  evidence.healed_at = healed_at_.time_since_epoch().count();
  evidence.dumped_at = world_.now().time_since_epoch().count();
  if (healed) dump_placement(evidence);
  if (!keep_evidence.empty()) {
    std::filesystem::create_directories(keep_evidence);
    if (const Status kept = judge::write_evidence(evidence, keep_evidence, "sim"); !kept) {
      report_.violations.push_back("evidence not kept: " + kept.error().detail);
    }
  }
  judge::Rules rules;
  rules.judges_speed = false;
  rules.link_carries = plan_.outer.carries().count();
  rules.needs_placement = false;
  const judge::Verdict verdict = judge::judge(evidence, rules);
  for (const judge::Violation& v : verdict.violations()) {
    report_.violations.push_back(
        fmt::format("{} {} {}", v.checker, judge::device_text(v.device), v.text));
  }
  if (verdict.outcome() == judge::Outcome::kNoVerdict) {
    for (const judge::Gap& gap : verdict.missing) {
      // A seed in which nobody got to say anything says nothing.
      if (gap.what == judge::Missing::kNoMessage) continue;
      report_.violations.push_back(
          fmt::format("no verdict: {} {}", judge::missing_name(gap.what), gap.text));
    }
  }
  if (!report_.violations.empty()) report_.outcome = Outcome::kSafety;
}

}  // namespace hy::sim
