// Everybody is dropped at once and comes back: real SDK clients, in one process.
//   storm [--clients 10000] [--window 10] [--engine embedded|mysql]
// All entries are killed and restarted; then one entry drains. Held: nobody fails for good, first
// tries are spread over the storm window that the login announced, no queue of a daemon passes its
// bound, people who were online write again. Exit codes: 0 held, 4 a promise was broken, 1 the run
// itself failed.
#include <signal.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>

#include "client/cli/operator_client.h"
#include "tests/degraded/gauge.h"
#include "tests/degraded/town.h"

namespace {

using namespace hy;
using namespace hy::degraded;
using Clock = std::chrono::steady_clock;

constexpr int kKill = 9;
constexpr int kTerminate = 15;
constexpr double kBackWithin = 120;
constexpr int kTickMs = 20;
constexpr std::size_t kBins = 10;
constexpr double kBinShareMax = 0.25;  // an even spread has 0.1 in each
constexpr double kLooseEnds = 2;       // seconds: the kernel's own part in noticing the loss
constexpr int kWriters = 40;
// das.queue_appends, its calls, and the readers' queue; entry.in_flight of every connection is far
// above what a login needs.
constexpr double kDasQueueMax = 8'192 + 2'048 + 4'096;
constexpr double kForwardsMax = 100'000;

struct Options {
  std::size_t clients = 10'000;
  int window = 10;
  std::string engine = "embedded";
};

/// One client's way through one loss, in seconds since the loss; negative: not yet.
struct Way {
  double lost = -1;
  double first_try = -1;
  double back = -1;
  bool stopped = false;
  int tries = 0;
};

class Run {
 public:
  explicit Run(Options options) : options_(std::move(options)) {}

  int run() {
    const Status done = scenario();
    clients_.clear();
    if (!done) {
      std::printf("%s\nthe run failed\n",
                  error_text(done.error().code, done.error().detail).c_str());
      return 1;
    }
    for (const std::string& line : broken_) std::printf("VIOLATION  %s\n", line.c_str());
    std::printf("%s\n", broken_.empty() ? "held" : "NOT HELD");
    return broken_.empty() ? 0 : 4;
  }

 private:
  Status scenario() {
    HY_TRY(town_, Town::start(options_.engine == "mysql" ? cli::StoreKind::kMysql
                                                         : cli::StoreKind::kEmbedded,
                              {"logic.storm_window=" + std::to_string(options_.window) + "s",
                               "entry.drain.spread=5s"}));
    HY_TRY_VOID(sign_everybody_in());
    Watch watch(town_->cluster());
    watch.start();
    write_round("before");
    begin_loss();
    for (const std::string& name : town_->names_of("entry"))
      town_->cluster().supervisor().signal(name, kKill);
    wait_back("all entries killed");
    judge_spread();
    write_round("after the storm");
    begin_loss();
    town_->cluster().supervisor().signal("entry-a", kTerminate);
    HY_TRY_VOID(town_->cluster().wait_ready({}, Millis(60'000)));
    wait_back("entry-a drained");
    write_round("after the drain");
    watch.stop();
    judge_queues(watch);
    return {};
  }

  Status sign_everybody_in() {
    HY_TRY(auto door, cli::OperatorClient::open(cli::operator_access(town_->cluster().layout()),
                                                Millis(5'000)));
    std::vector<cli::Account> accounts(options_.clients);
    for (std::size_t i = 0; i < accounts.size(); ++i) accounts[i].name = "s" + std::to_string(i);
    HY_TRY_VOID(door->add_users(accounts, Millis(120'000)));
    for (const cli::Account& account : accounts) uids_.push_back(account.uid);
    HY_TRY(auto tokens, door->make_tokens(uids_, Slot::kDesktop, "storm-%u", std::chrono::hours(24),
                                          Millis(120'000)));
    ways_.resize(accounts.size());
    const auto began = Clock::now();
    for (std::size_t i = 0; i < accounts.size(); ++i) {
      hy::ClientOptions options = town_->cluster().client_options(i, {});
      options.device_id = "storm-" + std::to_string(accounts[i].uid.value());
      auto client = std::make_unique<hy::Client>(std::move(options), runtime_);
      client->on_state([this, i](LinkState state, const std::string&) { note(i, state); });
      Credentials credentials;
      credentials.uid = accounts[i].uid;
      credentials.token = std::move(tokens[i]);
      // Goes on trying by itself: nobody waits for one login here. Not all in one instant.
      static_cast<void>(client->login(std::move(credentials), Millis(0)));
      clients_.push_back(std::move(client));
      while (i >= 200 && online() + 200 < i && since(began) < kBackWithin) tick();
    }
    while (online() < clients_.size() && since(began) < kBackWithin) tick();
    std::printf("%zu of %zu clients online after %.1f s\n", online(), clients_.size(),
                since(began));
    if (online() < clients_.size()) return fail(Errc::kTimedOut, "not everybody came in");
    return {};
  }

  static double since(Clock::time_point begin) {
    return std::chrono::duration<double>(Clock::now() - begin).count();
  }
  /// The pace at which this program looks; it waits for conditions with a bound.
  static void tick() { std::this_thread::sleep_for(Millis(kTickMs)); }

  [[nodiscard]] std::size_t online() const {
    return static_cast<std::size_t>(std::ranges::count_if(
        clients_, [](const auto& c) { return c->state() == LinkState::kOnline; }));
  }

  void note(std::size_t i, LinkState state) {
    const std::lock_guard lock(mutex_);
    Way& way = ways_[i];
    const double now = since(loss_);
    way.stopped = way.stopped || state == LinkState::kStopped;
    if (state == LinkState::kOnline) {
      if (way.lost >= 0 && way.back < 0) way.back = now;
    } else if (state == LinkState::kBackingOff || state == LinkState::kMoving) {
      if (way.lost < 0) way.lost = now;
    } else if (state == LinkState::kFinding || state == LinkState::kRacing) {
      if (way.lost >= 0 && way.first_try < 0) way.first_try = now;
      if (state == LinkState::kRacing) ++way.tries;
    }
  }

  void begin_loss() {
    const std::lock_guard lock(mutex_);
    loss_ = Clock::now();
    for (Way& way : ways_) way = {};
  }

  void wait_back(const char* what) {
    const auto began = Clock::now();
    // The loss itself takes a moment to arrive.
    while (online() == clients_.size() && since(began) < kLooseEnds) tick();
    while (online() < clients_.size() && since(began) < kBackWithin) tick();
    const std::lock_guard lock(mutex_);
    const auto stopped = std::ranges::count_if(ways_, &Way::stopped);
    const auto lost = std::ranges::count_if(ways_, [](const Way& w) { return w.lost >= 0; });
    int tries = 0;
    std::vector<double> back;
    for (const Way& way : ways_) {
      tries += way.tries;
      if (way.back >= 0) back.push_back(way.back);
    }
    std::ranges::sort(back);
    const auto at = [&](double q) {
      return back.empty()
                 ? 0.0
                 : back[static_cast<std::size_t>(q * static_cast<double>(back.size() - 1))];
    };
    std::printf(
        "%s: %td were dropped, %zu of %zu online after %.1f s (p50 %.1f, p99 %.1f), "
        "%.2f tries each\n",
        what, lost, online(), clients_.size(), since(began), at(0.5), at(0.99),
        static_cast<double>(tries) / static_cast<double>(std::max<std::ptrdiff_t>(lost, 1)));
    if (stopped > 0) broken_.push_back(std::to_string(stopped) + " clients gave up");
    if (online() < clients_.size())
      broken_.push_back(std::to_string(clients_.size() - online()) + " clients are not back");
  }

  void judge_spread() {
    const std::lock_guard lock(mutex_);
    std::vector<std::size_t> bins(kBins);
    std::size_t all = 0;
    std::size_t late = 0;
    for (const Way& way : ways_) {
      if (way.first_try < 0) continue;
      ++all;
      const double share = (way.first_try - way.lost) / options_.window;
      if (share > 1 + kLooseEnds / options_.window) ++late;
      ++bins[std::min(kBins - 1, static_cast<std::size_t>(share * kBins))];
    }
    std::printf("first tries by tenth of the window:");
    for (const std::size_t bin : bins) std::printf(" %zu", bin);
    std::printf("\n");
    if (all < clients_.size()) broken_.push_back("only " + std::to_string(all) + " were dropped");
    if (late > 0) broken_.push_back(std::to_string(late) + " first tries after the window");
    for (const std::size_t bin : bins) {
      if (static_cast<double>(bin) > kBinShareMax * static_cast<double>(all))
        broken_.emplace_back("first tries come in a herd");
    }
  }

  /// Some pairs write; each message is STORED.
  void write_round(const char* what) {
    std::vector<hy::Sent> sent;
    for (std::size_t i = 0; i < kWriters; ++i) {
      const std::size_t from = i * clients_.size() / kWriters;
      auto one = clients_[from]->send(uids_[(from + 1) % uids_.size()], std::string(what));
      if (one) sent.push_back(*one);
    }
    std::size_t stored = 0;
    const auto began = Clock::now();
    for (const hy::Sent& one : sent) stored += one.wait(Step::kStored, Millis(10'000)) ? 1 : 0;
    std::printf("%s: %zu of %d messages stored in %.2f s\n", what, stored, kWriters, since(began));
    if (stored < kWriters) broken_.push_back(std::string("not all stored ") + what);
  }

  void judge_queues(const Watch& watch) {
    const auto judge = [&](const char* gauge, double bound) {
      for (const auto& [name, most] : watch.largest(gauge)) {
        std::printf("  %-10s %-28s %.0f at most\n", name.c_str(), gauge, most);
        if (most > bound) broken_.push_back(name + " " + gauge + " passed its bound");
      }
    };
    judge("hy_das_queued", kDasQueueMax);
    judge("hy_router_forwards_pending", kForwardsMax);
    judge("hy_entry_in_flight", static_cast<double>(clients_.size()) * 64);
    for (const auto& [name, most] : watch.largest_resident())
      std::printf("  %-10s %.0f MiB at most\n", name.c_str(),
                  static_cast<double>(most) / 1048576.0);
  }

  Options options_;
  std::unique_ptr<Town> town_;
  hy::Runtime runtime_;
  std::vector<Uid> uids_;
  std::mutex mutex_;
  Clock::time_point loss_ = Clock::now();
  std::vector<Way> ways_;
  std::vector<std::unique_ptr<hy::Client>> clients_;
  std::vector<std::string> broken_;
};

}  // namespace

int main(int argc, char** argv) {
  signal(SIGPIPE, SIG_IGN);
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  Options options;
  CLI::App app("everybody is dropped at once");
  app.add_option("--clients", options.clients)->check(CLI::Range(100, 15'000));
  app.add_option("--window", options.window, "storm window in seconds")->check(CLI::Range(1, 600));
  app.add_option("--engine", options.engine)->check(CLI::IsMember({"embedded", "mysql"}));
  CLI11_PARSE(app, argc, argv);
  return Run(options).run();
}
