#include "tests/cluster/chaos/round.h"

#include <signal.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <thread>

#include "tests/cluster/chaos/device_points.h"
#include "tests/cluster/chaos/fleet.h"
#include "tests/cluster/chaos/playback.h"
#include "tests/cluster/chaos/points_tour.h"
#include "tests/cluster/chaos/replicas.h"
#include "tests/cluster/store_rows.h"

namespace hy::chaos {
namespace {

namespace fs = std::filesystem;
using Seconds = std::chrono::duration<double>;

constexpr Millis kTick{20};
constexpr double kDrainWithin = 120;
constexpr double kSettleAlone = 15;  // after that everybody is told to sync
constexpr double kSyncAgain = 10;
constexpr double kAgreeWithin = 40;  // replicas and entries: digests are compared every 10 s
constexpr Millis kReadyWithin{90'000};
constexpr int kNewcomerPairs = 12;  // of a whole tour
constexpr int kNewcomerPairsFew = 4;
constexpr int kPlaybacksMax = 3;
constexpr double kQuietFor = 1;
constexpr double kQuietWithin = 15;
constexpr double kSentShareMin = 0.5;  // of what was asked: below it the workload was idle

unsigned long long ull(std::uint64_t v) {
  return v;
}

RigNeeds needs_of(const std::vector<Planned>& plan) {
  RigNeeds needs;
  for (const Planned& p : plan) {
    const Strikes strikes = p.kind->strikes;
    needs.disk = needs.disk || strikes == Strikes::kStoreDisk || strikes == Strikes::kLogDisk;
    needs.clock = needs.clock || strikes == Strikes::kClock;
  }
  return needs;
}

Cast cast_of(cli::StoreKind store) {
  const bool mysql = store == cli::StoreKind::kMysql;
  return {store, mysql ? cli::ClusterSize{2, 2, 3, 2} : cli::ClusterSize{2, 2, 2, 1}};
}

class Round {
 public:
  explicit Round(const RoundOptions& options) : options_(options), cast_(cast_of(options.store)) {}

  RoundResult run() {
    char pattern[] = "/tmp/hy-chaos-XXXXXX";
    folder_ = mkdtemp(pattern);
    fs::create_directory(folder_ / "people");
    device_points::install();
    for (const hooks::SyncPoint& point : hooks::kSyncPoints)
      device_hits_before_[point.name] = device_points::hits(point.name);
    if (!options_.points) plan_ = make_plan(cast_, options_.plan, options_.seed);
    write_schedule();
    if (const Status done = scenario(); !done) {
      result_.verdict = Verdict::kRunFailed;
      result_.lines.push_back("RUN FAILED  " + error_text(done.error().code, done.error().detail));
    } else {
      conclude();
    }
    fleet_.reset();
    rig_.reset();
    report();
    if (result_.verdict == Verdict::kClean && !options_.keep) {
      fs::remove_all(folder_);
    } else {
      result_.folder = folder_;
    }
    return std::move(result_);
  }

 private:
  Status scenario() {
    RigOptions rig;
    rig.folder = folder_;
    rig.programs = options_.programs;
    rig.store = options_.store;
    rig.size = cast_.size;
    rig.needs = needs_of(plan_);
    // A commit whose outcome is unknown: with the embedded engine only a failing disk makes one.
    if (options_.points && !mysql()) rig.needs.disk = true;
    rig.seed = options_.seed;
    rig.mutant = options_.mutant;
    HY_TRY(rig_, Rig::start(rig));
    fleet_ = std::make_unique<Fleet>(journal_, folder_ / "people");
    HY_TRY_VOID(fleet_->sign_in(rig_->cluster(), options_.pairs, newcomer_pairs()));
    rig_->set_fleet(fleet_.get());
    nemesis_ = std::make_unique<Nemesis>(*rig_, plan_);
    began_ = MonoClock::now();
    fleet_->start_talking(options_.rate, options_.seed);
    if (options_.points) {
      PointsTour tour(*rig_, options_.seed, {options_.points_max, options_.points_at},
                      [this](const std::string& line) { say(line); });
      tour_ = tour.run();
    } else {
      play();
    }
    talked_for_ = elapsed();
    fleet_->stop_talking();
    HY_TRY_VOID(heal());
    drain();
    agree();
    HY_TRY_VOID(play_back());
    return read_and_judge();
  }

  [[nodiscard]] bool mysql() const { return options_.store == cli::StoreKind::kMysql; }

  [[nodiscard]] int newcomer_pairs() const {
    if (!options_.points) return 0;
    return options_.points_max > 0 ? kNewcomerPairsFew : kNewcomerPairs;
  }

  void play() {
    double said = 0;
    while (elapsed() < options_.plan.seconds || !nemesis_->is_over()) {
      const double now = elapsed();
      for (const std::string& line : nemesis_->step(now)) say(line);
      if (now >= said + 1) {
        said = std::floor(now);
        say("");
      }
      // A fault that is put off again and again does not hold the round up for ever.
      if (now > options_.plan.seconds * 2 + 60) break;
      std::this_thread::sleep_for(kTick);
    }
    for (const std::string& line : nemesis_->end_all()) say(line);
  }

  Status heal() {
    say("heal");
    device_points::disarm();
    while (fleet_->revive() > 0) std::this_thread::sleep_for(kTick);
    rig_->pauses().resume_all();
    rig_->heal();
    HY_TRY_VOID(rig_->cluster().wait_ready({}, kReadyWithin));
    for (const std::string& daemon : rig_->daemons()) {
      for (const hooks::SyncPoint& point : hooks::kSyncPoints) {
        const std::uint64_t n = rig_->control(daemon).hits(point.name);
        if (n > 0) hits_["hits/" + std::string(point.name)] += n;
      }
    }
    for (const hooks::SyncPoint& point : hooks::kSyncPoints) {
      const std::uint64_t n = device_points::hits(point.name) - device_hits_before_[point.name];
      if (n > 0) hits_["hits/" + std::string(point.name)] += n;
    }
    healed_ = MonoClock::now();
    nemesis_->ask_what_was_felt();
    return {};
  }

  void drain() {
    const double from = elapsed();
    double said = from;
    double sync_at = from + kSettleAlone;
    while (!journal_.is_settled() && elapsed() < from + kDrainWithin) {
      std::this_thread::sleep_for(kTick);
      if (elapsed() > said + 1) {
        said = elapsed();
        say("drain");
      }
      (void)fleet_->bring_back();
      if (elapsed() > sync_at) {
        sync_at = elapsed() + kSyncAgain;
        sync_all();
      }
    }
    sync_all();
    drained_in_ = elapsed() - from;
    for (const std::string& line : fleet_->who_is_away()) say("away: " + line);
  }

  void sync_all() {
    say("everybody syncs");
    if (const Status done = fleet_->sync_all(); !done)
      say("sync: " + error_text(done.error().code, done.error().detail));
  }

  /// Entries, routers and people say the same about who is where.
  void agree() {
    const double until = elapsed() + kAgreeWithin;
    std::vector<std::string> differ;
    do {
      differ.clear();
      auto placements = read_placements(*rig_);
      if (!placements) {
        differ.push_back(error_text(placements.error().code, placements.error().detail));
      } else {
        differ = compare(*placements);
        facts_.routers = placements->routers;
        facts_.sessions = placements->sessions;
        facts_.dumped_at = MonoClock::now();
        const std::size_t online = fleet_->online();
        if (online != placements->sessions.size()) {
          differ.push_back(std::to_string(online) + " devices are online, entries hold " +
                           std::to_string(placements->sessions.size()) + " sessions");
        }
        if (fleet_->online() < fleet_->devices()) differ.push_back("not everybody is online");
      }
      if (differ.empty()) return;
      std::this_thread::sleep_for(std::chrono::milliseconds(250));
    } while (elapsed() < until);
    for (const std::string& line : differ) violations_.push_back("REPLICA: " + line);
  }

  /// Waits until nobody has done anything for a while; what was done until then.
  std::uint64_t quiet() {
    const double until = elapsed() + kQuietWithin;
    std::uint64_t deeds = fleet_->deeds();
    double since = elapsed();
    while (elapsed() < since + kQuietFor && elapsed() < until) {
      std::this_thread::sleep_for(kTick);
      if (fleet_->deeds() == deeds) continue;
      deeds = fleet_->deeds();
      since = elapsed();
    }
    return deeds;
  }

  /// Plays what was recorded on the lines to the entries again. Somebody who reconnects meanwhile
  /// (because a line missed bytes in a fault, say) or says once more what was read is no effect of
  /// it: then all of it once more.
  Status play_back() {
    for (int tries = 0; tries < kPlaybacksMax; ++tries) {
      const std::uint64_t deeds = quiet();
      judge::WireEvidence wire;
      HY_TRY(wire.before, read_servers(*rig_));
      wire.playbacks = play_all(*rig_);
      HY_TRY(wire.after, read_servers(*rig_));
      if (fleet_->deeds() != deeds || fleet_->online() < fleet_->devices()) continue;
      wire.taps = read_taps(*rig_);
      wire.canaries = fleet_->canaries();
      const auto met = std::ranges::count_if(wire.playbacks, &judge::Playback::met_handshake);
      say(std::to_string(wire.playbacks.size()) + " playbacks (" + std::to_string(met) +
          " answered with a handshake) of " + std::to_string(wire.taps.size()) + " tapped lines");
      playbacks_ = wire.playbacks.size();
      facts_.wire = std::move(wire);
      return {};
    }
    violations_.emplace_back("REPLAY: people do something whenever recordings are played");
    return {};
  }

  Status read_and_judge() {
    fleet_->leave();
    for (const std::string& name : rig_->daemons())
      HY_TRY_VOID(rig_->cluster().supervisor().hold(name, SIGKILL));
    const auto rows = read_rows(*rig_);
    if (!rows) {
      no_verdict("the store could not be read: " + rows.error().detail);
      return {};
    }
    rows_ = rows->messages.size();
    take_windows();
    for (std::string& line : chaos::judge(journal_, *rows, facts_)) {
      constexpr std::string_view kMissing = "NO VERDICT: ";
      if (line.starts_with(kMissing)) {
        no_verdict(line.substr(kMissing.size()));
      } else {
        violations_.push_back(std::move(line));
      }
    }
    return {};
  }

  void take_windows() {
    const auto nanos = [](MonoTime t) { return t.time_since_epoch().count(); };
    facts_.healed_at = healed_;
    facts_.faults = tour_.windows;
    for (const FaultRecord& record : nemesis_->records()) {
      if (!record.has_begun) continue;
      const Planned& p = record.planned;
      facts_.faults.push_back(
          {.kind = std::string(p.kind->code) + " " + std::string(p.kind->name) + " " + p.target,
           .from = nanos(record.began),
           .to = nanos(record.ended),
           .hits = p.kind->hits,
           .was_felt = record.was_felt});
    }
  }

  void no_verdict(std::string why) { gaps_.push_back(std::move(why)); }

  void conclude() {
    for (const FaultRecord& record : nemesis_->records()) {
      const std::string name = std::string(record.planned.kind->name) + " " +
                               record.planned.target + " " + record.detail;
      if (!record.error.empty()) no_verdict(name + ": " + record.error);
      if (record.has_begun && !record.was_felt) no_verdict("not felt: " + name);
    }
    for (const std::string& line : tour_.missed) no_verdict("not reached: " + line);
    if (options_.points && tour_.counts.empty()) no_verdict("no named place was struck");
    const double asked = options_.rate * talked_for_;
    if (static_cast<double>(journal_.totals().sent) < kSentShareMin * asked)
      no_verdict("idle: only " + std::to_string(journal_.totals().sent) + " messages were sent");
    for (const std::string& line : violations_) result_.lines.push_back("VIOLATION  " + line);
    for (const std::string& line : gaps_) result_.lines.push_back("NO VERDICT  " + line);
    result_.verdict = !violations_.empty() ? Verdict::kViolated
                      : !gaps_.empty()     ? Verdict::kNoVerdict
                                           : Verdict::kClean;
  }

  void report() {
    Report& r = result_.report;
    r.add("rounds");
    r.add("rounds/" + std::string(cli::store_kind_name(options_.store)));
    if (result_.verdict == Verdict::kClean) r.add("rounds_clean");
    if (result_.verdict == Verdict::kNoVerdict) r.add("rounds_no_verdict");
    if (result_.verdict == Verdict::kRunFailed) r.add("rounds_failed");
    r.add("violations", violations_.size());
    r.add("seconds", static_cast<std::uint64_t>(talked_for_));
    const Totals c = journal_.totals();
    r.add("messages/sent", c.sent);
    r.add("messages/stored", c.stored);
    r.add("messages/delivered", c.delivered);
    r.add("messages/relayed", c.relayed);
    r.add("messages/refused", c.refused);
    r.add("playbacks", playbacks_);
    if (nemesis_ != nullptr) r.add_faults(nemesis_->records());
    for (const auto& [name, count] : tour_.counts) r.add(name, count);
    for (const auto& [name, count] : hits_) r.add(name, count);
  }

  void write_schedule() const {
    std::ofstream out(folder_ / "schedule.txt");
    for (const Planned& planned : plan_) out << planned.text() << "\n";
  }

  double elapsed() const { return Seconds(MonoClock::now() - began_).count(); }

  void say(const std::string& note) {
    const Totals c = journal_.totals();
    std::string line(200, ' ');
    const int n = std::snprintf(line.data(), line.size(),
                                "%6.1f s  sent %llu  stored %llu  delivered %llu  online %zu  ",
                                elapsed(), ull(c.sent), ull(c.stored), ull(c.delivered),
                                fleet_ == nullptr ? std::size_t{0} : fleet_->online());
    line.resize(static_cast<std::size_t>(std::max(n, 0)));
    line += note.empty() ? "[" + nemesis_->alive_text() + "]" : note;
    std::printf("%s\n", line.c_str());
    std::ofstream(folder_ / "round.log", std::ios::app) << line << "\n";
  }

  RoundOptions options_;
  Cast cast_;
  fs::path folder_;
  std::vector<Planned> plan_;
  Journal journal_;
  std::unique_ptr<Rig> rig_;
  std::unique_ptr<Fleet> fleet_;
  std::unique_ptr<Nemesis> nemesis_;
  MonoTime began_{};
  MonoTime healed_{};
  double talked_for_ = 0;
  double drained_in_ = 0;
  std::size_t rows_ = 0;
  std::size_t playbacks_ = 0;
  PointsTour::Result tour_;
  RunFacts facts_;
  std::map<std::string, std::uint64_t> hits_;
  std::map<std::string_view, std::uint64_t> device_hits_before_;
  std::vector<std::string> violations_;
  std::vector<std::string> gaps_;
  RoundResult result_;
};

}  // namespace

int say_plan(const RoundOptions& options, bool mysql) {
  const Cast cast = cast_of(mysql ? cli::StoreKind::kMysql : cli::StoreKind::kEmbedded);
  for (const Planned& planned : make_plan(cast, options.plan, options.seed))
    std::printf("%s\n", planned.text().c_str());
  return 0;
}

RoundResult run_round(const RoundOptions& options) {
  return Round(options).run();
}

}  // namespace hy::chaos
