// A cluster of real processes under load, and one fault at a time: what was promised is held
// against the clients' journals and the rows of the database.
//   kill_each --engine embedded|mysql [--fault kill|redis-stop|store-stop] [--seconds 60]
// kill: SIGKILL to one daemon after the other, restarted after 2 s. redis-stop: Redis is away for
// the middle third: sends stay STORED. store-stop: MariaDB (embedded: das) is away for 10 s: people
// who are online still talk, acks say RELAYED, and after its return everything is STORED within
// 60 s. Exit codes: 0 clean, 4 a promise was broken, 1 the run itself failed.
#include <signal.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "client/cli/cluster.h"
#include "tests/cluster/crowd.h"
#include "tests/cluster/journal.h"
#include "tests/cluster/store_rows.h"

namespace {

using namespace hy;
using namespace hy::chaos;
using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

constexpr Millis kRestartAfter{2'000};
constexpr double kKillEvery = 4;  // seconds: a daemon is back and ready before the next one goes
constexpr double kDrainWithin = 60;
constexpr double kSettleAlone = 20;  // after that everybody is told to sync
constexpr double kStoreAway = 10;
// Store-down mode is entered after 2 s of failures: what is sent before that may wait that long.
constexpr double kModeEntered = 3;
constexpr double kShownWithin = 2;

struct Options {
  std::string engine = "embedded";
  std::string fault = "kill";
  double seconds = 60;
  double rate = 200;
  int pairs = 10;
  std::uint64_t seed = 1;
  std::string bin = std::string(HY_BUILD_DIR) + "/bin";
  bool keep = false;
};

double quantile(std::vector<double>& sorted, double q) {
  if (sorted.empty()) return 0;
  return sorted[static_cast<std::size_t>(q * static_cast<double>(sorted.size() - 1))];
}

unsigned long long ull(std::uint64_t v) {
  return v;
}

struct Fault {
  std::string what;
  double from = 0;  // seconds since the load began
  double to = 0;
  Time began{};
  Time ended{};
  Time all_back{};
};

class Run {
 public:
  explicit Run(Options options) : options_(std::move(options)) {}

  int run() {
    char pattern[] = "/tmp/hy-chaos-XXXXXX";
    folder_ = mkdtemp(pattern);
    std::filesystem::create_directory(folder_ / "people");
    crowd_ = std::make_unique<Crowd>(journal_, folder_ / "people");
    int code = 1;
    if (const Status done = scenario(); !done) {
      std::printf("%s\n", error_text(done.error().code, done.error().detail).c_str());
    } else {
      for (const std::string& line : violations_) std::printf("VIOLATION  %s\n", line.c_str());
      code = violations_.empty() ? 0 : 4;
    }
    crowd_.reset();
    cluster_.reset();
    if (code != 0 || options_.keep) {
      std::printf("logs and stores are kept in %s\n", folder_.c_str());
    } else {
      std::filesystem::remove_all(folder_);
    }
    std::printf("%s\n", code == 0 ? "clean" : code == 4 ? "NOT CLEAN" : "the run failed");
    return code;
  }

 private:
  bool is_mysql() const { return options_.engine == "mysql"; }

  Status scenario() {
    cli::ClusterOptions options;
    options.folder = folder_;
    options.store = is_mysql() ? cli::StoreKind::kMysql : cli::StoreKind::kEmbedded;
    options.size = cli::ClusterSize::usual(options.store);
    options.restart_after = kRestartAfter;
    options.programs = options_.bin;
    HY_TRY(cluster_, cli::Cluster::start(options));
    HY_TRY_VOID(crowd_->sign_in(*cluster_, options_.pairs));
    std::printf("%s, %s: %d people, %.0f messages/s for %.0f s\n", options_.engine.c_str(),
                options_.fault.c_str(), 2 * options_.pairs, options_.rate, options_.seconds);
    plan();
    began_ = Clock::now();
    crowd_->start_talking(options_.rate, options_.seed);
    HY_TRY_VOID(play());
    crowd_->stop_talking();
    HY_TRY_VOID(heal_and_drain());
    HY_TRY(const StoredRows rows, read_store());
    summary(rows);
    violations_ = chaos::judge(journal_, rows, facts());
    judge_fault();
    return {};
  }

  void plan() {
    if (options_.fault == "redis-stop") {
      faults_.push_back({"redis stopped", options_.seconds / 3, options_.seconds * 2 / 3});
    } else if (options_.fault == "store-stop") {
      const double from = options_.seconds / 3;
      faults_.push_back({"store stopped", from, from + std::min(kStoreAway, options_.seconds / 3)});
    } else {
      plan_kills();
    }
  }

  /// One of each tier, then the next of each tier, spread evenly.
  void plan_kills() {
    const auto& layout = cluster_->layout();
    const int count = std::max(4, static_cast<int>(options_.seconds / kKillEvery));
    for (int i = 0; i < count; ++i) {
      static constexpr std::array kTiers{"entry", "logic", "router", "das"};
      const auto names = layout.names_of(kTiers[static_cast<std::size_t>(i) % kTiers.size()]);
      const double at = (i + 0.5) * options_.seconds / count;
      faults_.push_back({names[static_cast<std::size_t>(i / 4) % names.size()], at, at});
    }
  }

  Status play() {
    std::size_t next = 0;
    double said = 0;
    for (;;) {
      const double t = elapsed();
      if (t >= options_.seconds) break;
      const bool all_online = crowd_->online() == 2 * options_.pairs;
      if (next > 0 && !all_online) faults_[next - 1].all_back = Clock::now();
      if (next > 0 && faults_[next - 1].ended == Time{} && t >= faults_[next - 1].to)
        HY_TRY_VOID(end_fault(faults_[next - 1]));
      if (next < faults_.size() && t >= faults_[next].from)
        HY_TRY_VOID(begin_fault(faults_[next++]));
      if (t >= said + 1) {
        said = std::floor(t);
        say_progress("");
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(20));  // the tick of this timeline
    }
    if (next > 0 && faults_[next - 1].ended == Time{}) HY_TRY_VOID(end_fault(faults_[next - 1]));
    return {};
  }

  Status begin_fault(Fault& fault) {
    if (options_.fault == "redis-stop") {
      HY_TRY_VOID(cluster_->stop_redis());
    } else if (options_.fault == "store-stop") {
      HY_TRY_VOID(cluster_->stop_store());
    } else if (!cluster_->supervisor().signal(fault.what, SIGKILL)) {
      violations_.push_back(fault.what + " was not running when its turn came");
    }
    fault.began = fault.all_back = Clock::now();
    if (options_.fault == "kill") fault.ended = fault.began;
    say_progress((options_.fault == "kill" ? "kill -9 " : "") + fault.what);
    return {};
  }

  Status end_fault(Fault& fault) {
    fault.ended = Clock::now();
    say_progress("end of: " + fault.what);
    return options_.fault == "redis-stop" ? cluster_->start_redis() : cluster_->start_store();
  }

  double elapsed() const { return Seconds(Clock::now() - began_).count(); }

  void say_progress(const std::string& note) {
    const Totals c = journal_.totals();
    std::printf("%5.1f s  sent %llu  stored %llu  delivered %llu  relayed %llu  online %d  %s\n",
                elapsed(), ull(c.sent), ull(c.stored), ull(c.delivered), ull(c.relayed),
                crowd_->online(), note.c_str());
  }

  Status heal_and_drain() {
    say_progress("drain");
    HY_TRY_VOID(cluster_->wait_ready({}, Millis(30'000)));
    healed_ = Clock::now();
    const double from = elapsed();
    double said = from;
    bool synced = false;
    while (!journal_.is_settled() && elapsed() < from + kDrainWithin) {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      if (elapsed() > said + 1) {
        said = elapsed();
        say_progress("drain");
      }
      if (!synced && elapsed() > from + kSettleAlone) {
        synced = true;
        say_progress("everybody syncs");
        if (const Status done = crowd_->sync_all(); !done)
          std::printf("  sync: %s\n", error_text(done.error().code, done.error().detail).c_str());
      }
    }
    drained_ = elapsed() - from;
    // The last word of every history: everything that there is was asked for.
    if (const Status done = crowd_->sync_all(); !done)
      std::printf("  sync: %s\n", error_text(done.error().code, done.error().detail).c_str());
    for (const std::string& line : crowd_->who_is_away()) std::printf("  away: %s\n", line.c_str());
    if (crowd_->send_errors() > 0) {
      std::printf("  %llu messages could not be written: %s\n", ull(crowd_->send_errors()),
                  crowd_->send_error().c_str());
    }
    return {};
  }

  /// Everything but the stores is taken away, so that nobody holds the file and nothing moves.
  Result<StoredRows> read_store() {
    crowd_->leave();
    for (const char* tier : {"entry", "logic", "router", "das"}) {
      for (const std::string& name : cluster_->layout().names_of(tier))
        HY_TRY_VOID(cluster_->supervisor().hold(name, SIGKILL));
    }
    return is_mysql() ? read_mysql(folder_ / "store")
                      : read_embedded(folder_ / "data" / "hongyan.db");
  }

  void summary(const StoredRows& rows) {
    for (std::size_t i = 0; i < faults_.size(); ++i) {
      const Fault& fault = faults_[i];
      const Time end =
          i + 1 < faults_.size()
              ? faults_[i + 1].began
              : began_ + std::chrono::duration_cast<Clock::duration>(Seconds(options_.seconds));
      std::printf("  %5.1f s %-14s longest gap of one person %lld ms, all online after %lld ms\n",
                  Seconds(fault.began - began_).count(), fault.what.c_str(),
                  static_cast<long long>(journal_.longest_gap(fault.began, end).count()),
                  static_cast<long long>(
                      std::chrono::duration_cast<Millis>(fault.all_back - fault.began).count()));
    }
    std::vector<double> stored;
    std::vector<double> shown;
    for (const auto& [id, fate] : journal_.fates()) {
      if (fate.sender < 0) continue;
      if (fate.stored_at) stored.push_back(Seconds(*fate.stored_at - fate.sent_at).count() * 1e3);
      if (fate.shown_at) shown.push_back(Seconds(*fate.shown_at - fate.sent_at).count() * 1e3);
    }
    std::ranges::sort(stored);
    std::ranges::sort(shown);
    std::printf("stored     p50 %.1f  p99 %.1f  max %.0f ms\n", quantile(stored, 0.5),
                quantile(stored, 0.99), quantile(stored, 1));
    std::printf("delivered  p50 %.1f  p99 %.1f  max %.0f ms   drained in %.1f s\n",
                quantile(shown, 0.5), quantile(shown, 0.99), quantile(shown, 1), drained_);
    const Totals c = journal_.totals();
    std::printf(
        "ledger  sent %llu  stored %llu  rows %zu  delivered %llu  relayed for a while %llu  "
        "refused %llu  LOST %llu  SHOWN TWICE %llu  OUT OF ORDER %llu\n",
        ull(c.sent), ull(c.stored), rows.messages.size(), ull(c.delivered), ull(c.relayed),
        ull(c.refused), ull(c.stored - c.delivered), ull(c.shown_twice), ull(c.out_of_order));
  }

  RunFacts facts() const {
    RunFacts out;
    for (const Fault& fault : faults_) {
      const bool is_away = fault.what == "store stopped";
      out.faults.push_back({fault.what, fault.began.time_since_epoch().count(),
                            std::max(fault.ended, fault.all_back).time_since_epoch().count(),
                            is_away ? judge::Hits::kStoreDown : judge::Hits::kSpeed, true});
    }
    out.healed_at = healed_;
    return out;
  }

  void judge_fault() {
    const double asked = options_.rate * options_.seconds;
    const Totals c = journal_.totals();
    if (static_cast<double>(c.sent) < 0.8 * asked)
      violations_.push_back("only " + std::to_string(c.sent) + " messages were sent");
    if (options_.fault == "redis-stop") judge_redis(c);
    if (options_.fault == "store-stop") judge_store();
  }

  void judge_redis(const Totals& c) {
    if (c.relayed > 0)
      violations_.push_back(std::to_string(c.relayed) + " messages were RELAYED without Redis");
    const Fault& fault = faults_.front();
    std::uint64_t sent = 0;
    std::uint64_t in_time = 0;
    for (const auto& [id, fate] : journal_.fates()) {
      if (fate.sender < 0 || fate.sent_at < fault.began || fate.sent_at >= fault.ended) continue;
      ++sent;
      if (fate.stored_at && Seconds(*fate.stored_at - fate.sent_at).count() < 3) ++in_time;
    }
    std::printf("without Redis: %llu sent, %llu of them STORED within 3 s\n", ull(sent),
                ull(in_time));
    if (static_cast<double>(in_time) < 0.99 * static_cast<double>(sent))
      violations_.push_back("sends did not stay STORED while Redis was away");
  }

  void judge_store() {
    const Fault& fault = faults_.front();
    const Time down = fault.began;
    const auto after = [](Time t, double s) {
      return t + std::chrono::duration_cast<Clock::duration>(Seconds(s));
    };
    std::uint64_t sent = 0;
    std::uint64_t shown = 0;
    std::uint64_t relayed = 0;
    std::uint64_t false_ticks = 0;
    double last_stored = 0;
    for (const auto& [id, fate] : journal_.fates()) {
      if (fate.sender < 0) continue;
      if (fate.stored_at && *fate.stored_at > after(down, 0.5) && *fate.stored_at < fault.ended)
        ++false_ticks;
      if (fate.stored_at && fate.sent_at < fault.ended)
        last_stored = std::max(last_stored, Seconds(*fate.stored_at - fault.ended).count());
      if (fate.sent_at < after(down, kModeEntered) ||
          fate.sent_at > after(fault.ended, -kShownWithin))
        continue;
      ++sent;
      if (fate.shown_at && *fate.shown_at - fate.sent_at < Seconds(kShownWithin)) ++shown;
      if (fate.relayed_at && *fate.relayed_at < fault.ended) ++relayed;
    }
    std::printf(
        "without the store: %llu sent after the first %.0f s, %llu shown within %.0f s, %llu "
        "RELAYED; everything STORED %.1f s after its return\n",
        ull(sent), kModeEntered, ull(shown), kShownWithin, ull(relayed), last_stored);
    if (false_ticks > 0)
      violations_.push_back(std::to_string(false_ticks) + " STORED while the store was away");
    if (static_cast<double>(shown) < 0.99 * static_cast<double>(sent) || sent == 0)
      violations_.push_back("people who were online could not talk while the store was away");
    if (static_cast<double>(relayed) < 0.95 * static_cast<double>(sent))
      violations_.push_back("acks did not say RELAYED while the store was away");
    if (last_stored > 60) violations_.push_back("not everything was STORED within 60 s");
  }

  Options options_;
  std::filesystem::path folder_;
  Journal journal_;
  std::unique_ptr<cli::Cluster> cluster_;
  std::unique_ptr<Crowd> crowd_;
  Time began_{};
  std::vector<Fault> faults_;
  std::vector<std::string> violations_;
  Time healed_{};
  double drained_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  signal(SIGPIPE, SIG_IGN);
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  Options options;
  CLI::App app("a cluster under load, with faults");
  app.add_option("--engine", options.engine)->check(CLI::IsMember({"embedded", "mysql"}));
  app.add_option("--fault", options.fault)
      ->check(CLI::IsMember({"kill", "redis-stop", "store-stop"}));
  app.add_option("--seconds", options.seconds, "of load")->check(CLI::Range(8.0, 86'400.0));
  app.add_option("--rate", options.rate, "messages a second of all together")
      ->check(CLI::Range(1.0, 100'000.0));
  app.add_option("--pairs", options.pairs, "even")->check(CLI::Range(2, 500));
  app.add_option("--seed", options.seed);
  app.add_option("--bin", options.bin, "folder of the daemons");
  app.add_flag("--keep", options.keep, "keep logs and stores also when clean");
  CLI11_PARSE(app, argc, argv);
  if (options.pairs % 2 != 0) ++options.pairs;
  if (options.fault == "redis-stop" && options.engine != "mysql") {
    std::printf("--fault redis-stop needs --engine mysql\n");
    return 2;
  }
  return Run(options).run();
}
