#include "client/cli/demo/scripts.h"

#include <fmt/format.h>
#include <signal.h>

#include <algorithm>

#include "client/cli/demo/load.h"
#include "client/cli/output.h"
#include "common/http/http_get.h"

namespace hy::cli {
namespace {

using Clock = std::chrono::steady_clock;
constexpr Millis kHelloWithin{10'000};
constexpr Millis kHealWithin{60'000};
constexpr Millis kStoredWithin{15'000};
constexpr Millis kUnreachableWithin{45'000};
constexpr Millis kMetricPoll{250};
constexpr std::uint64_t kWarmMessages = 50;

Millis since(MonoTime start) {
  return std::chrono::duration_cast<Millis>(Clock::now() - start);
}

/// The ledger line, the ids of its faults, and the exit code.
Exit close_ledger(Stage& stage) {
  const bool is_settled = stage.settle(kHealWithin);
  const LedgerCounts counts = stage.final_counts();
  print(ledger_text(counts) + "\n");
  for (const std::string& fault : stage.faults()) print("  " + fault + "\n");
  if (!counts.is_clean()) return Exit::kLedger;
  if (!is_settled) {
    note("hy: some messages are still in the outbox");
    return Exit::kUnreachable;
  }
  return Exit::kOk;
}

void print_rungs(const std::vector<Rung>& rungs) {
  for (const Rung& rung : rungs) print(rung_text(rung) + "\n");
}

std::string missing_rung(int place) {
  static constexpr const char* kLines[] = {"R alice SEND",     "A alice STORED", "N bob   PUSH",
                                           "R bob   PUSH_ACK", "A bob   ok",     "N alice RECEIPT"};
  return fmt::format("{:18}did not come within {}\n", kLines[place - 1],
                     duration_text(kHelloWithin));
}

/// Waits for a condition that only a question can tell, asking at intervals.
bool ask_until(Millis within, const std::function<bool()>& question, Stage& stage) {
  const MonoTime deadline = Clock::now() + within;
  while (!question()) {
    if (Clock::now() >= deadline) return false;
    stage.wait(kMetricPoll, [] { return false; });
  }
  return true;
}

/// The value of a counter on a daemon's /metrics, summed over its labels; 0 when it cannot be read.
double metric(const std::string& admin, const std::string& name) {
  const auto answer = http::get(admin, "/metrics", Millis(500));
  double sum = 0;
  if (!answer) return sum;
  for (std::size_t at = answer->body.find("\n" + name); at != std::string::npos;
       at = answer->body.find("\n" + name, at + 1)) {
    const std::size_t end = answer->body.find('\n', at + 1);
    const std::string line = answer->body.substr(at + 1, end - at - 1);
    const std::size_t space = line.rfind(' ');
    if (space != std::string::npos) sum += std::atof(line.c_str() + space);
  }
  return sum;
}

}  // namespace

Exit script_hello(Stage& stage) {
  const auto sent = stage.say("alice", "bob", "hello bob, 你好");
  if (!sent) return complain(sent.error());
  std::vector<Rung> rungs;
  const bool is_complete = stage.watch(kHelloWithin, [&] {
    rungs = stage.rungs_of(sent->id());
    return std::ranges::count_if(rungs, [](const Rung& r) { return r.place != 0; }) == 6;
  });
  print_rungs(rungs);
  for (int place = 1; place <= 6; ++place) {
    // A packet that did not come is an empty line: who did not answer?
    if (std::ranges::find(rungs, place, &Rung::place) == rungs.end()) print(missing_rung(place));
  }
  const Exit ledger = close_ledger(stage);
  if (is_complete) return ledger;
  note("hy: not all six packets came within " + duration_text(kHelloWithin));
  return ledger == Exit::kOk ? Exit::kUnreachable : ledger;
}

Exit script_kill(Stage& stage, int per_second) {
  Cluster& cluster = stage.cluster();
  Load load(stage, "alice", "bob");
  load.start(per_second);
  print(fmt::format("load {}/s between alice (entry a) and bob (entry b)\n", per_second));
  if (!stage.wait_delivered(kWarmMessages, kStoredWithin)) {
    note("hy: no traffic before the first kill");
    return Exit::kUnreachable;
  }
  for (const char* name : {"das-a", "router-a", "logic-a", "entry-a"}) {
    stage.take_longest_gap();
    const MonoTime start = Clock::now();
    if (!cluster.supervisor().signal(name, SIGKILL)) {
      note(fmt::format("hy: {} was not running", name));
      return Exit::kFailed;
    }
    const int starts = cluster.supervisor().starts(name);
    const bool is_back =
        ask_until(
            kHealWithin, [&] { return cluster.supervisor().starts(name) > starts; }, stage) &&
        cluster.wait_ready({name}, kHealWithin).has_value();
    const Millis back = since(start);
    const bool has_healed = is_back && stage.catch_up(kHealWithin);
    print(fmt::format("kill {:8}  gap {:>7}   back in {:>6}   everything delivered after {}\n",
                      name, duration_text(stage.take_longest_gap()), duration_text(back),
                      has_healed ? duration_text(since(start)) : "— it did not heal"));
    if (!has_healed) break;
  }
  load.stop();
  return close_ledger(stage);
}

Exit script_store(Stage& stage) {
  Cluster& cluster = stage.cluster();
  const auto first = stage.say("alice", "bob", "before the store stops");
  if (!first || !first->wait(Step::kDelivered, kStoredWithin)) {
    note("hy: the first message was not delivered");
    return Exit::kUnreachable;
  }
  if (const Status stopped = cluster.stop_store(); !stopped) return complain(stopped.error());
  print("-- the store is stopped; the daemons go on\n");
  std::vector<Sent> sent;
  for (const char* text : {"are you there?", "still talking", "and a third one"}) {
    auto one = stage.say("alice", "bob", text);
    if (!one) return complain(one.error());
    sent.push_back(*std::move(one));
  }
  const MonoTime down = Clock::now();
  const bool is_relayed = stage.watch(kHealWithin, [&sent] {
    return std::ranges::all_of(sent, [](const Sent& s) { return s.step() == Step::kRelayed; });
  });
  const bool was_stored = std::ranges::any_of(sent, [](const Sent& s) {
    return s.step() == Step::kStored || s.step() == Step::kDelivered;
  });
  print_rungs(stage.rungs_of(sent.front().id()));
  print(fmt::format("   {} of {} RELAYED after {}: bob has them, nothing is saved\n",
                    std::ranges::count(sent, Step::kRelayed, &Sent::step), sent.size(),
                    duration_text(since(down))));
  if (const Status started = cluster.start_store(); !started) return complain(started.error());
  print("-- the store is back; the outbox sends the same ids again\n");
  const MonoTime back = Clock::now();
  for (const Sent& one : sent) {
    if (!one.wait(Step::kStored, kHealWithin)) {
      note("hy: " + one.id().to_hex() + " is not stored");
    }
  }
  const bool has_settled = stage.settle(kHealWithin);
  print_rungs(stage.rungs_of(sent.front().id()));
  print(fmt::format("   STORED {} after the return\n", duration_text(since(back))));
  const Exit ledger = close_ledger(stage);
  if (ledger != Exit::kOk) return ledger;
  return is_relayed && !was_stored && has_settled ? Exit::kOk : Exit::kFailed;
}

Exit script_unplug(Stage& stage) {
  const auto first = stage.say("alice", "bob", "can you hear me?");
  if (!first || !first->wait(Step::kDelivered, kStoredWithin)) {
    note("hy: the first message was not delivered");
    return Exit::kUnreachable;
  }
  const auto& daemons = stage.cluster().layout().daemons;
  double before = 0;
  const auto unreachable = [&daemons] {
    double sum = 0;
    for (const DaemonPlace& d : daemons) {
      if (d.tier == "entry") sum += metric(d.admin, "hy_entry_unreachable_total");
    }
    return sum;
  };
  before = unreachable();
  stage.take_sync_lines("bob");
  stage.client("bob").unplug(true);
  print("-- bob is unplugged: no packet, no FIN\n");
  std::vector<Sent> sent;
  for (const char* text : {"one", "two", "three"}) {
    auto one = stage.say("alice", "bob", text);
    if (!one) return complain(one.error());
    sent.push_back(*std::move(one));
  }
  for (const Sent& one : sent) one.wait(Step::kStored, kStoredWithin);
  print_rungs(stage.rungs_of(sent.front().id()));
  const MonoTime start = Clock::now();
  if (ask_until(kUnreachableWithin, [&] { return unreachable() > before; }, stage)) {
    print(fmt::format("   after {} without PUSH_ACK: unreachable, placement corrected\n",
                      duration_text(since(start))));
  }
  print("-- bob is plugged in again\n");
  stage.client("bob").unplug(false);
  const MonoTime back = Clock::now();
  const bool has_settled = stage.settle(kHealWithin);
  // What was on its way already may come before the SYNC of the new connection.
  std::vector<std::string> sync;
  stage.watch(kStoredWithin, [&] {
    for (std::string& line : stage.take_sync_lines("bob")) sync.push_back(std::move(line));
    return std::ranges::find(sync, "SYNC_DONE") != sync.end();
  });
  for (const std::string& line : sync) print("   bob   " + line + "\n");
  print(fmt::format("   bob has all of it {} after the return\n", duration_text(since(back))));
  const Exit ledger = close_ledger(stage);
  return ledger == Exit::kOk && !has_settled ? Exit::kUnreachable : ledger;
}

Exit script_drain(Stage& stage, int per_second) {
  Cluster& cluster = stage.cluster();
  const std::string before = stage.link_of("alice");
  Load load(stage, "alice", "bob");
  load.start(per_second);
  if (!stage.wait_delivered(kWarmMessages, kStoredWithin)) {
    note("hy: no traffic before the drain");
    return Exit::kUnreachable;
  }
  stage.take_longest_gap();
  print(fmt::format("-- entry a drains under {}/s; alice is at {}\n", per_second, before));
  const MonoTime start = Clock::now();
  if (const Status held = cluster.supervisor().hold("entry-a"); !held)
    return complain(held.error());
  print(fmt::format("   entry a left after {}\n", duration_text(since(start))));
  const bool has_moved = ask_until(
      kHealWithin,
      [&] {
        return stage.link_of("alice").starts_with("entry ") && stage.link_of("alice") != before;
      },
      stage);
  const bool has_caught_up = stage.catch_up(kHealWithin);
  print(fmt::format("   alice is at {} after {}, longest gap {}\n", stage.link_of("alice"),
                    duration_text(since(start)), duration_text(stage.take_longest_gap())));
  load.stop();
  if (const Status back = cluster.supervisor().release("entry-a"); !back) {
    return complain(back.error());
  }
  if (const Status ready = cluster.wait_ready({"entry-a"}, kHealWithin); !ready) {
    return complain(ready.error());
  }
  print("-- entry a is back\n");
  const Exit ledger = close_ledger(stage);
  return ledger == Exit::kOk && !(has_moved && has_caught_up) ? Exit::kFailed : ledger;
}

}  // namespace hy::cli
