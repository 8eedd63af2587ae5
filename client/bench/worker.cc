#include "client/bench/worker.h"

#include <arpa/inet.h>
#include <signal.h>
#include <sys/prctl.h>

#include <algorithm>
#include <optional>

#include "client/bench/group_swarm.h"
#include "client/bench/link.h"
#include "client/bench/self_watch.h"
#include "client/bench/swarm.h"
#include "client/load/light_pairs.h"
#include "common/crypto/system_random.h"
#include "common/net/descriptors.h"

namespace hy::bench {
namespace {

using namespace std::chrono_literals;

constexpr auto kCatchUpAgain = 5s;
constexpr auto kReceiptsWithin = 2s;

std::int64_t ns_of(MonoTime t) {
  return t.time_since_epoch().count();
}
MonoTime time_of(std::int64_t ns) {
  return MonoTime(std::chrono::nanoseconds(ns));
}

Json json_of(const Counts& c) {
  Json out = Json::object();
  for (const auto& [name, count] : kCountNames) out[name] = c.*count;
  return out;
}

Json json_of(const Curves& c) {
  Json out = Json::object();
  for (const auto& [name, curve] : kCurveNames) {
    const Histogram& h = c.*curve;
    if (h.count() > 0) out[name] = {{"max", h.max()}, {"v2", h.encode()}};
  }
  return out;
}

Json json_of(const Ledger& l) {
  return {{"ev", "ledger"},
          {"lost", l.lost},
          {"shown_twice", l.shown_twice},
          {"out_of_order", l.out_of_order},
          {"dishonest", l.dishonest},
          {"judged", l.judged},
          {"looked_at", l.looked_at},
          {"records_dropped", l.records_dropped},
          {"violations", l.violations}};
}

class Worker final : load::Loop::Source {
 public:
  explicit Worker(int fd) : link_(fd) {}
  ~Worker() override { loop_.remove(link_.fd(), *this); }

  int run();

 private:
  [[nodiscard]] bool has_people() const { return swarm_ || groups_; }
  /// Either kind of people answers to the same names.
  template <class F>
  decltype(auto) with_people(F f) {
    return groups_ ? f(*groups_) : f(*swarm_);
  }

  static MonoTime now() { return std::chrono::steady_clock::now(); }
  static MonoTime next_second(MonoTime t) {
    return MonoTime(std::chrono::floor<std::chrono::seconds>(t.time_since_epoch()) + 1s);
  }

  void on_events(std::uint32_t) override {
    if (!link_.read([this](const Json& message) { command(message); })) is_over_ = true;
  }
  void on_turn_end() override {}

  void command(const Json& m) {
    const std::string what = m.value("do", "");
    if (what == "setup") return setup(m);
    if (what == "quit" || !has_people()) {
      is_over_ = true;
    } else if (what == "dial") {
      is_dialling_ = true;
      with_people([&m](auto& p) {
        p.dial(m.value("rate", 0.0), m.value("at_once", 200U), time_of(m.at("at")),
               m.value("stubborn", false));
      });
    } else if (groups_) {
      command_groups(what, m);
    } else if (what == "come_back") {
      is_dialling_ = true;
      swarm_->come_back(time_of(m.at("at")), std::chrono::milliseconds(m.value("window_ms", 0)),
                        m.value("at_once", 200U));
    } else if (what == "open") {
      swarm_->keep_connected();
      swarm_->start_open(m.at("rate"), time_of(m.at("at")), Mix::named(m.value("mix", "")),
                         std::chrono::milliseconds(m.value("skip_late_ms", 0)));
    } else if (what == "closed") {
      swarm_->keep_connected();
      swarm_->start_closed(m.at("outstanding"));
    } else if (what == "flood") {
      swarm_->start_flood(m.at("each"), m.at("outstanding"));
      is_flooding_ = true;
    } else if (what == "stop") {
      swarm_->stop_sending();
      settle(m);
    } else if (what == "mark") {
      swarm_->mark_bystanders();
    } else if (what == "drop") {
      link_.write({{"ev", "dropped"}, {"n", swarm_->drop(m.at("share"), m.at("seed"))}});
    } else if (what == "leave_odd") {
      swarm_->leave_odd();
    } else if (what == "judge") {
      link_.write(json_of(swarm_->judge()));
    }
  }

  void command_groups(const std::string& what, const Json& m) {
    if (what == "groups") {
      is_grouping_ = true;
      group_until_ = now() + std::chrono::milliseconds(m.value("within_ms", 20'000));
      groups_->make_groups();
    } else if (what == "open") {
      groups_->keep_connected();
      groups_->start_open(m.at("rate"), time_of(m.at("at")),
                          std::chrono::milliseconds(m.value("skip_late_ms", 0)));
    } else if (what == "closed") {
      groups_->keep_connected();
      groups_->start_closed(m.at("outstanding"));
    } else if (what == "stop") {
      groups_->stop_sending();
      settle(m);
    } else if (what == "judge") {
      link_.write(json_of(groups_->judge()));
    }
  }

  void settle(const Json& m) {
    catch_up_at_ = now() + std::chrono::milliseconds(m.value("catch_up_ms", 5'000));
    settled_at_ = {};
    settle_until_ = now() + std::chrono::milliseconds(m.value("within_ms", 20'000));
    is_settling_ = true;
  }

  void setup(const Json& m) {
    Swarm::Setup s;
    s.run = m.at("run");
    const auto key = from_hex(m.at("server_key").get<std::string>());
    if (!key || key->size() != s.server_key.size()) {
      is_over_ = true;
      return;
    }
    std::copy(key->begin(), key->end(), reinterpret_cast<char*>(s.server_key.data()));
    for (const auto& entry : m.at("entries")) s.entries.push_back(load::socket_address(entry));
    for (const std::string source : m.at("sources")) {
      in_addr a{};
      ::inet_pton(AF_INET, source.c_str(), &a);
      s.sources.push_back(a);
    }
    s.device_prefix = m.at("device_prefix");
    s.slot = static_cast<Slot>(m.at("slot").get<int>());
    if (auto size = SizeSpec::parse(m.at("size").get<std::string>())) s.size = *size;
    s.first_index = m.at("first_index");
    s.peers = m.value("peers", 1U);
    s.pairs_share_entry = m.value("pairs_share_entry", false);
    for (const auto& person : m.at("people"))
      s.people.emplace_back(Uid{person.at(0)}, *from_hex(person.at(1).get<std::string>()));
    if (const std::uint32_t members = m.value("members", 0U); members > 0) {
      groups_.emplace(GroupSwarm::Setup{.run = s.run,
                                        .server_key = s.server_key,
                                        .entries = std::move(s.entries),
                                        .sources = std::move(s.sources),
                                        .device_prefix = std::move(s.device_prefix),
                                        .slot = s.slot,
                                        .size = s.size,
                                        .people = std::move(s.people),
                                        .first_index = s.first_index,
                                        .members = members},
                      loop_, random_);
    } else {
      swarm_.emplace(std::move(s), loop_, random_);
    }
    with_people([&m](auto& p) { p.set_ping(std::chrono::milliseconds(m.value("ping_ms", 0))); });
    link_.write({{"ev", "ready"}, {"pid", ::getpid()}});
  }

  void report(MonoTime t) {
    if (is_dialling_ && !with_people([](auto& p) { return p.is_dialling(); })) {
      is_dialling_ = false;
      link_.write({{"ev", "dialled"}, {"open", open_connections()}});
    }
    if (is_grouping_ &&
        (groups_->has_groups() || groups_->groups_refused() > 0 || t >= group_until_)) {
      is_grouping_ = false;
      link_.write({{"ev", "grouped"}, {"all", groups_->has_groups()}});
    }
    if (is_flooding_ && swarm_->is_flood_over()) {
      is_flooding_ = false;
      swarm_->stop_sending();
      link_.write({{"ev", "flooded"}});
    }
    if (is_settling_ && t >= catch_up_at_ && !is_settled()) {
      catch_up_at_ = t + kCatchUpAgain;
      with_people([](auto& p) { p.catch_up_all(); });
    }
    if (is_settling_ && is_at_rest(t)) {
      is_settling_ = false;
      tick(t, true);  // what came since the last second belongs to the run
      link_.write({{"ev", "settled"}, {"all", is_settled()}});
    }
    if (t < next_tick_) return;
    tick(t, false);
    next_tick_ = next_second(t);
  }

  /// Everything is through and the receipts are here, or had their time; or it takes too long.
  bool is_at_rest(MonoTime t) {
    if (t >= settle_until_) return true;
    if (!is_settled()) {
      settled_at_ = {};
      return false;
    }
    if (settled_at_ == MonoTime{}) settled_at_ = t;
    return with_people([](auto& p) { return p.is_confirmed(); }) ||
           t >= settled_at_ + kReceiptsWithin;
  }

  void tick(MonoTime t, bool is_between) {
    with_people([&](auto& people) {
      Json out = {{"ev", "tick"},
                  {"between", is_between},
                  {"at", ns_of(t)},
                  {"open", people.open_connections()},
                  {"counts", json_of(people.counts())},
                  {"hist", json_of(people.curves())},
                  {"errors", people.errors()},
                  {"backlog", people.backlog(t)},
                  {"cpu_s", own_cpu_s()},
                  {"wait_s", run_queue_wait_s()},
                  {"turns", loop_.turns()},
                  {"events", loop_.events()}};
      people.curves().clear();
      if (!link_.write(out)) is_over_ = true;
    });
  }

  std::size_t open_connections() {
    return with_people([](auto& p) { return p.open_connections(); });
  }
  bool is_settled() {
    return with_people([](auto& p) { return p.is_settled(); });
  }

  crypto::SystemRandom random_;
  load::Loop loop_;
  Link link_;
  std::optional<Swarm> swarm_;  // or
  std::optional<GroupSwarm> groups_;
  MonoTime next_tick_{};
  MonoTime settle_until_{};
  MonoTime catch_up_at_{};
  MonoTime settled_at_{};
  bool is_dialling_ = false;
  bool is_settling_ = false;
  bool is_flooding_ = false;
  bool is_grouping_ = false;
  MonoTime group_until_{};
  bool is_over_ = false;
};

int Worker::run() {
  loop_.add(link_.fd(), *this, true);
  next_tick_ = next_second(now());
  while (!is_over_) {
    const MonoTime t = now();
    MonoTime next = next_tick_;
    if (has_people()) next = std::min(next, with_people([t](auto& p) { return p.work(t); }));
    loop_.turn(next);
    if (has_people()) report(now());
  }
  return 0;
}

}  // namespace

int run_worker(int fd) {
  ::signal(SIGPIPE, SIG_IGN);
  ::prctl(PR_SET_TIMERSLACK,
          1UL);  // a schedule in microseconds; the default slack is 50
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  net::raise_descriptor_limit();
  return Worker(fd).run();
}

}  // namespace hy::bench
