#include "client/bench/crew.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

extern char** environ;

namespace hy::bench {
namespace {

using namespace std::chrono_literals;

constexpr int kWorkerFd = 3;
constexpr Millis kSetupWithin{60'000};
constexpr Millis kQuitWithin{2'000};

MonoTime now() {
  return std::chrono::steady_clock::now();
}
MonoTime start_of(std::int64_t second) {
  return MonoTime(std::chrono::seconds(second));
}
std::int64_t second_of(MonoTime t) {
  return std::chrono::floor<std::chrono::seconds>(t.time_since_epoch()).count();
}

}  // namespace

Crew::~Crew() {
  for (Worker& w : workers_) {
    if (w.link) w.link->write({{"do", "quit"}});
  }
  for (Worker& w : workers_) {
    w.link.reset();
    if (w.pid <= 0) continue;
    const MonoTime until = now() + kQuitWithin;
    while (::waitpid(w.pid, nullptr, WNOHANG) == 0) {
      if (now() < until) {
        ::poll(nullptr, 0, 5);
        continue;
      }
      ::kill(w.pid, SIGKILL);
      ::waitpid(w.pid, nullptr, 0);
      break;
    }
  }
}

Status Crew::spawn() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    return fail(Errc::kChildFailed, std::strerror(errno));
  Worker w;
  w.link = std::make_unique<Link>(ends[0]);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  if (ends[1] == kWorkerFd) {
    ::fcntl(ends[1], F_SETFD, 0);
  } else {
    ::posix_spawn_file_actions_adddup2(&actions, ends[1], kWorkerFd);
  }
  const std::string fd = std::to_string(kWorkerFd);
  const char* argv[] = {"hy", "bench", "worker", "--fd", fd.c_str(), nullptr};
  const int error = ::posix_spawn(&w.pid, "/proc/self/exe", &actions, nullptr,
                                  const_cast<char* const*>(argv), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  if (error != 0) return fail(Errc::kChildFailed, std::strerror(error));
  workers_.push_back(std::move(w));
  return {};
}

Status Crew::start(unsigned count, const Options& options,
                   const std::vector<std::string>& sources) {
  completed_ = second_of(now());
  last_sampled_ = completed_;
  if (options.peers > 1 && options.peers >= 2 * (target_.people.size() / 2 / count))
    return fail(Errc::kUsage, "peers: more than a worker has people; fewer, or --workers 1");
  for (unsigned i = 0; i < count; ++i) HY_TRY_VOID(spawn());
  const bool has_groups = options.scenario == "group";
  const std::size_t together = has_groups ? options.members : 2;
  const std::size_t pairs = target_.people.size() / together;
  std::size_t next = 0;
  for (unsigned i = 0; i < count; ++i) {
    const std::size_t end = together * (pairs * (i + 1) / count);
    Json people = Json::array();
    const std::size_t first = next;
    for (; next < end; ++next) {
      const auto& [uid, token] = target_.people[next];
      people.push_back({uid.value(), to_hex(as_bytes(token))});
    }
    workers_[i].link->write({{"do", "setup"},
                             {"run", run_},
                             {"peers", options.peers},
                             {"server_key", target_.server_key_hex},
                             {"entries", target_.entries},
                             {"sources", sources},
                             {"device_prefix", target_.device_prefix},
                             {"slot", static_cast<int>(target_.slot)},
                             {"size", options.size.text()},
                             {"ping_ms", options.ping.count()},
                             {"first_index", first},
                             {"members", has_groups ? options.members : 0},
                             {"pairs_share_entry", options.scenario == "entry-loss"},
                             {"people", std::move(people)}});
  }
  return wait_event("ready", kSetupWithin);
}

void Crew::command(Json message, const std::vector<std::string>& shared) {
  for (const std::string& key : shared)
    message[key] = message.at(key).get<double>() / static_cast<double>(workers_.size());
  for (Worker& w : workers_) w.link->write(message);
}

Status Crew::turn(MonoTime until) {
  const MonoTime boundary = start_of(last_sampled_ + 1);
  const auto left = std::min(until, boundary) - now();
  std::vector<pollfd> fds;
  for (const Worker& w : workers_) fds.push_back({w.link->fd(), POLLIN, 0});
  const auto ms = std::clamp<std::int64_t>(
      std::chrono::ceil<std::chrono::milliseconds>(left).count(), 0, 1'000);
  ::poll(fds.data(), fds.size(), static_cast<int>(ms));
  if (const MonoTime t = now(); t >= boundary) {
    last_sampled_ = second_of(t);
    samples_[last_sampled_] = sample_now();
  }
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    if (fds[i].revents == 0) continue;
    Worker& w = workers_[i];
    if (!w.link->read([&](const Json& m) { take(w, m); }))
      return fail(Errc::kChildFailed, "a worker of the load generator ended");
  }
  complete();
  if (stop_ != nullptr && stop_->load()) return fail(Errc::kTimedOut, "stopped");
  return {};
}

Status Crew::wait_event(const std::string& event, Millis within) {
  const MonoTime until = now() + within;
  while (events_[event].size() < workers_.size()) {
    if (now() >= until) return fail(Errc::kTimedOut, "no \"" + event + "\" from every worker");
    HY_TRY_VOID(turn(until));
  }
  return {};
}

Status Crew::wait_second(std::int64_t at) {
  while (completed_ < at) HY_TRY_VOID(turn(now() + 1s));
  return {};
}

void Crew::take(Worker& w, const Json& m) {
  const std::string event = m.value("ev", "");
  if (event == "tick") return tick(w, m);
  events_[event].push_back(m);
}

void Crew::tick(Worker& w, const Json& m) {
  const bool is_between = m.at("between");
  const std::int64_t at_ns = m.at("at");
  const std::int64_t index =
      second_of(MonoTime(std::chrono::nanoseconds(at_ns))) + (is_between ? 1 : 0);
  Gathering& g = gathering_[std::max(index, completed_ + 1)];
  for (const auto& [name, count] : kCountNames) {
    const std::uint64_t value = m.at("counts").at(name);
    g.second.counts.*count += value - w.last.*count;
    total_.*count += value - w.last.*count;
    w.last.*count = value;
  }
  for (const auto& [name, curve] : kCurveNames) {
    const auto found = m.at("hist").find(name);
    if (found == m.at("hist").end()) continue;
    if (auto h = Histogram::decode(found->at("v2"))) (g.second.curves.*curve).merge(*h);
  }
  w.errors = m.at("errors").get<std::map<std::string, std::uint64_t>>();
  w.open = m.at("open");
  if (is_between) return;
  const double cpu_s = m.at("cpu_s");
  const double wait_s = m.at("wait_s");
  const double length = static_cast<double>(at_ns - w.at_ns) * 1e-9;
  if (w.at_ns != 0 && length > 0) {
    g.second.busiest_cpu_share = std::max(g.second.busiest_cpu_share, (cpu_s - w.cpu_s) / length);
    g.second.longest_wait_share =
        std::max(g.second.longest_wait_share, (wait_s - w.wait_s) / length);
  }
  w.cpu_s = cpu_s;
  w.wait_s = wait_s;
  w.at_ns = at_ns;
  g.second.open += w.open;
  g.second.backlog += m.at("backlog").get<std::uint64_t>();
  ++g.ticks;
}

Sample Crew::sample_now() const {
  Sample out;
  for (const ServerProcess& p : target_.processes) out.processes[p.name] = process_use(p.pid);
  out.machine = machine_use();
  out.generator_cpu_s = own_cpu_s();
  for (const Worker& w : workers_) out.generator_cpu_s += process_use(w.pid).cpu_s;
  return out;
}

void Crew::complete() {
  // A worker's ticks come in order: behind a second that all have told of, no
  // earlier one is open.
  std::int64_t whole = 0;
  for (const auto& [index, g] : gathering_) {
    if (g.ticks == workers_.size()) whole = index;
  }
  while (!gathering_.empty() && gathering_.begin()->first <= whole) {
    auto& [index, g] = *gathering_.begin();
    const auto sample = samples_.lower_bound(index);
    if (sample == samples_.end()) return;
    g.second.at = index;
    g.second.sample = sample->second;
    samples_.erase(samples_.begin(), sample);
    completed_ = index;
    if (on_second_) on_second_(g.second);
    gathering_.erase(gathering_.begin());
  }
}

std::uint64_t Crew::open() const {
  std::uint64_t out = 0;
  for (const Worker& w : workers_) out += w.open;
  return out;
}

std::map<std::string, std::uint64_t> Crew::errors() const {
  std::map<std::string, std::uint64_t> out;
  for (const Worker& w : workers_) {
    for (const auto& [what, times] : w.errors) out[what] += times;
  }
  return out;
}

Ledger Crew::ledger() {
  Ledger out;
  for (const Json& m : events_["ledger"]) {
    Ledger one;
    one.lost = m.at("lost");
    one.shown_twice = m.at("shown_twice");
    one.out_of_order = m.at("out_of_order");
    one.dishonest = m.at("dishonest");
    one.judged = m.at("judged");
    one.looked_at = m.at("looked_at");
    one.records_dropped = m.at("records_dropped");
    one.violations = m.at("violations").get<std::vector<std::string>>();
    out.merge(one);
  }
  return out;
}

}  // namespace hy::bench
