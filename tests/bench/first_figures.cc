// First figures: a cluster of real processes, a swarm of light clients with the real protocol, and
// what it cost.
//   first_figures idle --connections 15000
//   first_figures p2p --connections 1000 --outstanding 4 --seconds 10 --windows 5 [--store mysql]
// Prints CPU per message per process (user + system, from /proc), checks every message, exits 4 on
// a violation.
#include <signal.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <map>
#include <sstream>

#include "client/cli/cluster.h"
#include "client/cli/operator_client.h"
#include "client/load/load_connection.h"
#include "common/crypto/system_random.h"

namespace {

using namespace hy;
using load::LoadConnection;

struct Options {
  std::string scenario;
  std::size_t connections = 1'000;
  std::size_t outstanding = 4;
  std::size_t body_bytes = 100;
  double seconds = 5;
  int windows = 5;
  std::string store = "embedded";
  int entries = 1;
  int logics = 1;
  int routers = 1;
  int das = 1;
  double rate = 0;  ///< messages a second, 0 = as fast as the outstanding limit allows
};

double cpu_seconds(pid_t pid) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/stat");
  std::string text((std::istreambuf_iterator<char>(in)), {});
  std::istringstream rest(text.substr(text.rfind(')') + 1));
  std::string word;
  std::uint64_t ticks = 0;
  for (int field = 3; rest >> word; ++field) {
    if (field == 14 || field == 15) ticks += std::stoull(word);
  }
  return static_cast<double>(ticks) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

/// Private memory in bytes: what the process alone pays.
std::uint64_t private_bytes(pid_t pid) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/smaps_rollup");
  std::uint64_t kib = 0;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("Private_Clean:") || line.starts_with("Private_Dirty:")) {
      std::istringstream fields(line.substr(14));
      std::uint64_t value = 0;
      fields >> value;
      kib += value;
    }
  }
  return kib * 1'024;
}

class Bench {
 public:
  explicit Bench(Options options) : options_(std::move(options)) {}

  int run() {
    char pattern[] = "/tmp/hy-figures-XXXXXX";
    folder_ = mkdtemp(pattern);
    const int code = start() ? measure() : 1;
    connections_.clear();
    cluster_.reset();
    std::filesystem::remove_all(folder_);
    return code;
  }

 private:
  bool start() {
    cli::ClusterOptions cluster;
    cluster.folder = folder_;
    cluster.store = options_.store == "mysql" ? cli::StoreKind::kMysql : cli::StoreKind::kEmbedded;
    cluster.size = {options_.entries, options_.logics, options_.routers, options_.das};
    cluster.programs = std::filesystem::path(HY_BUILD_DIR) / "bin";
    cluster.more_settings = {
        "logic.send_rate=100000/s burst 100000",  "logic.sync_rate=1000/s burst 1000",
        "entry.frame_rate=100000/s burst 100000", "entry.connect_rate=100000/s burst 100000",
        "entry.unauthenticated_per_ip=20000",     "entry.unauthenticated_per_ip=20000",
        "entry.logged_in_per_ip=100000"};
    if (const char* more = std::getenv("HY_FIGURES_SET")) {
      std::istringstream in(more);
      for (std::string one; std::getline(in, one, ';');) cluster.more_settings.push_back(one);
    }
    auto started = cli::Cluster::start(
        cluster, [](const std::string& line) { std::printf("  %s\n", line.c_str()); });
    if (!started) return say(started.error());
    cluster_ = std::move(*started);
    for (const cli::ServiceState& service : cluster_->supervisor().list())
      pids_[service.name] = service.pid;
    return make_users() && connect_all();
  }

  bool say(const Error& error) {
    std::printf("%s\n", error_text(error.code, error.detail).c_str());
    return false;
  }

  bool make_users() {
    auto door = cli::OperatorClient::open(cli::operator_access(cluster_->layout()), Millis(5'000));
    if (!door) return say(door.error());
    std::vector<cli::Account> accounts(options_.connections);
    for (std::size_t i = 0; i < accounts.size(); ++i) accounts[i].name = "u" + std::to_string(i);
    if (auto made = (*door)->add_users(accounts, Millis(120'000)); !made) return say(made.error());
    for (const cli::Account& account : accounts) uids_.push_back(account.uid);
    auto tokens = (*door)->make_tokens(uids_, Slot::kDesktop, "load-%u", std::chrono::hours(24),
                                       Millis(120'000));
    if (!tokens) return say(tokens.error());
    tokens_ = std::move(*tokens);
    return true;
  }

  bool connect_all() {
    const auto key = from_hex(cluster_->layout().server_key_hex);
    std::copy(key->begin(), key->end(), reinterpret_cast<char*>(shared_.server_key.data()));
    shared_.device_prefix = "load-";
    std::vector<net::Tcp::endpoint> entries;
    for (const std::string& address : cluster_->layout().entry_addresses()) {
      const std::size_t colon = address.rfind(':');
      entries.emplace_back(asio::ip::make_address(address.substr(0, colon)),
                           static_cast<unsigned short>(std::stoi(address.substr(colon + 1))));
    }
    for (const auto& [name, pid] : pids_) memory_before_[name] = private_bytes(pid);
    hooks_.on_stored = [this](LoadConnection& c, MonoTime sent) { on_stored(c, sent); };
    for (std::size_t i = 0; i < options_.connections; ++i) {
      connections_.push_back(
          std::make_unique<LoadConnection>(shared_, totals_, hooks_, uids_[i], tokens_[i]));
      connections_[i]->peer_index = i ^ 1U;
    }
    const auto from = asio::ip::make_address("127.0.0.1");
    const MonoTime began = clock_.now();
    std::map<std::string, double> cpu = cpu_now();
    // At most 200 handshakes under way: the listen queue is no place to measure.
    for (std::size_t next = 0; totals_.logged_in + totals_.login_failed < connections_.size();) {
      while (next < connections_.size() && next - totals_.logged_in - totals_.login_failed < 200) {
        connections_[next]->connect(entries[next % entries.size()], from);
        ++next;
      }
      if (!turn(began + std::chrono::seconds(300))) break;
    }
    const double seconds = std::chrono::duration<double>(clock_.now() - began).count();
    std::printf("logins   %llu in %.1f s (%.0f/s), %llu failed (last refusal HY-%d)",
                ull(totals_.logged_in), seconds, static_cast<double>(totals_.logged_in) / seconds,
                ull(totals_.login_failed), static_cast<int>(totals_.last_refusal));
    print_cpu("   CPU µs a login:", cpu, static_cast<double>(totals_.logged_in));
    return totals_.login_failed == 0;
  }

  /// One turn of the loop; false past the deadline.
  bool turn(MonoTime deadline) {
    context_.run_one_for(std::chrono::milliseconds(20));
    context_.poll();
    return clock_.now() < deadline;
  }

  std::map<std::string, double> cpu_now() {
    std::map<std::string, double> out;
    for (const auto& [name, pid] : pids_) out[name] = cpu_seconds(pid);
    return out;
  }

  void print_cpu(const char* title, const std::map<std::string, double>& before, double messages) {
    std::printf("%s", title);
    double daemons = 0;
    double stores = 0;
    for (const auto& [name, seconds] : cpu_now()) {
      const double each = (seconds - before.at(name)) * 1e6 / std::max(messages, 1.0);
      std::printf(" %s %.1f", name.c_str(), each);
      (name == "mariadb" || name == "redis" ? stores : daemons) += each;
    }
    std::printf("   daemons %.1f stores %.1f\n", daemons, stores);
  }

  void fill(LoadConnection& c) {
    while (c.is_open() && sending_ && c.outstanding() < options_.outstanding)
      c.send(uids_[c.peer_index], body_);
  }
  void on_stored(LoadConnection& c, MonoTime sent) {
    latencies_.push_back(std::chrono::duration<double, std::milli>(clock_.now() - sent).count());
    if (options_.rate == 0) fill(c);
  }

  int measure() { return options_.scenario == "idle" ? idle() : p2p(); }

  int idle() {
    const MonoTime settle = clock_.now() + std::chrono::seconds(3);
    while (turn(settle)) {
    }
    const auto cpu = cpu_now();
    const MonoTime end = clock_.now() + std::chrono::duration_cast<std::chrono::nanoseconds>(
                                            std::chrono::duration<double>(options_.seconds));
    while (turn(end)) {
    }
    std::printf("idle     %llu connections open\n", ull(open_connections()));
    for (const auto& [name, pid] : pids_) {
      const auto now = private_bytes(pid);
      const double each = (static_cast<double>(now) - static_cast<double>(memory_before_[name])) /
                          static_cast<double>(connections_.size());
      std::printf("  %-10s %8.1f MiB private, %7.0f bytes a connection, idle CPU %.2f %%\n",
                  name.c_str(), static_cast<double>(now) / 1048576.0, each,
                  (cpu_seconds(pid) - cpu.at(name)) / options_.seconds * 100);
    }
    return open_connections() == connections_.size() ? 0 : 4;
  }

  int p2p() {
    body_.assign(options_.body_bytes, 'x');
    for (std::size_t i = 0; i < 200; ++i) turn(clock_.now() + std::chrono::seconds(1));
    sending_ = true;
    if (options_.rate == 0) {
      for (auto& c : connections_) fill(*c);
    }
    window(2.0, false);  // warm up
    for (int i = 0; i < options_.windows; ++i) window(options_.seconds, true);
    sending_ = false;
    const MonoTime drained = clock_.now() + std::chrono::seconds(20);
    while (turn(drained) &&
           (totals_.stored + totals_.refused < totals_.sent || totals_.pushed < totals_.stored ||
            totals_.receipted < totals_.stored)) {
    }
    return verdict();
  }

  void window(double seconds, bool print) {
    latencies_.clear();
    const load::Totals before = totals_;
    const auto cpu = cpu_now();
    const double own = cpu_seconds(getpid());
    const MonoTime began = clock_.now();
    const auto length = std::chrono::duration_cast<std::chrono::nanoseconds>(
        std::chrono::duration<double>(seconds));
    std::uint64_t due = 0;
    while (turn(began + length)) {
      if (options_.rate == 0) continue;
      const double elapsed = std::chrono::duration<double>(clock_.now() - began).count();
      for (; static_cast<double>(due) < elapsed * options_.rate; ++due) {
        LoadConnection& c = *connections_[round_++ % connections_.size()];
        if (c.is_open()) c.send(uids_[c.peer_index], body_);
      }
    }
    const double took = std::chrono::duration<double>(clock_.now() - began).count();
    const auto stored = static_cast<double>(totals_.stored - before.stored);
    if (!print) return;
    std::ranges::sort(latencies_);
    const auto at = [&](double q) {
      return latencies_.empty() ? 0.0
                                : latencies_[static_cast<std::size_t>(
                                      q * static_cast<double>(latencies_.size() - 1))];
    };
    std::printf(
        "window   %.0f stored/s  %.0f pushed/s  %.0f receipted/s   stored p50 %.2f p99 %.2f ms   "
        "generator %.1f µs\n",
        stored / took, static_cast<double>(totals_.pushed - before.pushed) / took,
        static_cast<double>(totals_.receipted - before.receipted) / took, at(0.5), at(0.99),
        (cpu_seconds(getpid()) - own) * 1e6 / std::max(stored, 1.0));
    print_cpu("         CPU µs a message:", cpu, stored);
  }

  std::size_t open_connections() const {
    return static_cast<std::size_t>(
        std::ranges::count_if(connections_, [](const auto& c) { return c->is_open(); }));
  }

  int verdict() {
    std::uint64_t lost = 0;
    for (std::size_t i = 0; i + 1 < connections_.size(); i += 2) {
      for (const std::size_t k : {i, i + 1}) {
        const auto top =
            std::max(connections_[i]->highest_seq(), connections_[i + 1]->highest_seq());
        if (connections_[k]->is_open()) lost += top - connections_[k]->known_seqs();
      }
    }
    std::printf(
        "ledger   sent %llu  stored %llu  delivered %llu  receipted %llu  refused %llu  relayed "
        "%llu   LOST %llu  SHOWN TWICE %llu  OUT OF ORDER %llu   connections lost %llu\n",
        ull(totals_.sent), ull(totals_.stored), ull(totals_.pushed), ull(totals_.receipted),
        ull(totals_.refused), ull(totals_.relayed), ull(lost), ull(totals_.twice),
        ull(totals_.disorder), ull(totals_.lost_connections));
    const bool clean = lost == 0 && totals_.disorder == 0 && totals_.lost_connections == 0 &&
                       totals_.stored == totals_.sent;
    return clean ? 0 : 4;
  }

  static unsigned long long ull(std::uint64_t v) { return v; }

  Options options_;
  std::filesystem::path folder_;
  std::unique_ptr<cli::Cluster> cluster_;
  std::map<std::string, pid_t> pids_;
  std::map<std::string, std::uint64_t> memory_before_;
  std::vector<Uid> uids_;
  std::vector<Bytes> tokens_;
  SystemClock clock_;
  crypto::SystemRandom random_;
  asio::io_context context_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_{context_.get_executor()};
  load::Shared shared_{
      .context = context_, .random = random_, .server_key = {}, .device_prefix = {}, .scratch = {}};
  load::Totals totals_;
  LoadConnection::Hooks hooks_;
  std::vector<std::unique_ptr<LoadConnection>> connections_;
  std::vector<double> latencies_;
  std::string body_;
  std::size_t round_ = 0;
  bool sending_ = false;
};

}  // namespace

int main(int argc, char** argv) {
  signal(SIGPIPE, SIG_IGN);
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  Options options;
  CLI::App app("first figures of a cluster");
  app.add_option("scenario", options.scenario, "idle or p2p")
      ->required()
      ->check(CLI::IsMember({"idle", "p2p"}));
  app.add_option("--connections", options.connections);
  app.add_option("--outstanding", options.outstanding);
  app.add_option("--body", options.body_bytes);
  app.add_option("--seconds", options.seconds, "of one window");
  app.add_option("--windows", options.windows);
  app.add_option("--rate", options.rate, "messages a second; 0 = closed loop");
  app.add_option("--store", options.store)->check(CLI::IsMember({"embedded", "mysql"}));
  app.add_option("--entries", options.entries);
  app.add_option("--logics", options.logics);
  app.add_option("--routers", options.routers);
  app.add_option("--das", options.das);
  CLI11_PARSE(app, argc, argv);
  return Bench(options).run();
}
