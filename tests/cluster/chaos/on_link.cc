// Faults of the ways between two parties: what the gate does to bytes and frames.
#include "tests/cluster/chaos/live_fault.h"

namespace hy::chaos {
namespace {

using faults::CommitFault;
using faults::Direction;
using faults::FrameFault;
using faults::FrameFaultRates;
using faults::Gate;
using faults::LinkFault;

std::function<bool()> has_felt(Gate& gate) {
  return [&gate, before = gate.counters().felt()] { return gate.counters().felt() > before; };
}

std::function<Status()> healing(Gate& gate) {
  return [&gate] {
    gate.heal();
    return Status{};
  };
}

Direction some_direction(Random& random) {
  return faults::kBothDirections[random.below(faults::kBothDirections.size())];
}

std::uint64_t between(Random& random, std::uint64_t low, std::uint64_t high) {
  return low + random.below(high - low + 1);
}

Millis millis_between(Random& random, std::uint64_t low, std::uint64_t high) {
  return Millis{static_cast<std::int64_t>(between(random, low, high))};
}

std::string set_slowness(Gate& gate, std::string_view kind, Random& random) {
  LinkFault fault;
  if (kind == "latency") {
    fault.latency = millis_between(random, 5, 500);
    fault.jitter = millis_between(random, 0, 200);
    gate.set_both(fault);
    return std::to_string(fault.latency.count()) + " ms + " + std::to_string(fault.jitter.count());
  }
  if (kind == "loss") {
    fault.loss = 0.02 * static_cast<double>(between(random, 1, 10));
    gate.set_both(fault);
    return std::to_string(static_cast<int>(fault.loss * 100)) + " %";
  }
  fault.bytes_per_second = between(random, 1'000, 8'000);
  gate.set_both(fault);
  return std::to_string(fault.bytes_per_second) + " B/s";
}

std::optional<FrameFault> frame_fault(std::string_view kind) {
  if (kind == "frame-duplicate") return FrameFault::kDuplicate;
  if (kind == "frame-replay") return FrameFault::kReplay;
  if (kind == "frame-swap") return FrameFault::kSwap;
  if (kind == "frame-truncate") return FrameFault::kTruncate;
  if (kind == "frame-flip") return FrameFault::kFlip;
  return std::nullopt;
}

std::string set_frames(Gate& gate, FrameFault fault, Random& random) {
  FrameFaultRates rates;
  rates[fault] = 0.01 * static_cast<double>(between(random, 1, 5));
  const Direction way = some_direction(random);
  gate.set_frames(way, rates);
  // A short fault on a quiet way: the next frame at least.
  gate.strike(way, fault, 1);
  return way == Direction::kToServer ? "to the server" : "to the client";
}

void set_commits(Gate& gate, bool is_lost, Random& random) {
  CommitFault fault;
  const double p = 0.1 * static_cast<double>(between(random, 1, 5));
  (is_lost ? fault.swallow_p : fault.cut_p) = p;
  (is_lost ? fault.swallow_next : fault.cut_next) = 1;
  gate.set_commits(fault);
}

/// Everything else, by name.
std::string set_break(Gate& gate, std::string_view kind, Random& random) {
  LinkFault fault;
  if (kind == "stall") {
    fault.stall = true;
    gate.set_both(fault);
  } else if (kind == "half-open" || kind == "cache-half-open") {
    gate.pull(true);
  } else if (kind == "one-way") {
    fault.vanish = true;
    const Direction way = some_direction(random);
    gate.set(way, fault);
    return way == Direction::kToServer ? "to the server" : "to the client";
  } else if (kind == "reset") {
    gate.reset_all();
  } else if (kind == "cut") {
    gate.cut_after(some_direction(random), between(random, 1, 500));
  } else {
    gate.refuse_new(true);  // refuse: what is open goes, what is new is turned away
    gate.reset_all();
  }
  return {};
}

Result<LiveFault> begin_island(Rig& rig, const Planned& planned) {
  std::vector<Gate*> gates;
  for (const auto& link : rig.links()) {
    if (link->from == planned.target || link->to == planned.target)
      gates.push_back(link->gate.get());
  }
  std::uint64_t before = 0;
  for (const Gate* gate : gates) before += gate->counters().felt();
  for (Gate* gate : gates) gate->pull(true);
  return LiveFault{[gates] {
                     for (Gate* gate : gates) gate->heal();
                     return Status{};
                   },
                   [gates, before] {
                     std::uint64_t now = 0;
                     for (const Gate* gate : gates) now += gate->counters().felt();
                     return now > before;
                   },
                   std::to_string(gates.size()) + " ways"};
}

}  // namespace

Result<LiveFault> begin_on_link(Rig& rig, const Planned& planned) {
  if (planned.kind->strikes == Strikes::kIsland) return begin_island(rig, planned);
  Link* const link = rig.link(planned.target);
  if (link == nullptr) return fail(Errc::kUsage, "no way is called " + planned.target);
  Gate& gate = *link->gate;
  SeededRandom random(planned.seed);
  LiveFault out{healing(gate), has_felt(gate), {}};
  const std::string_view kind = planned.kind->name;
  if (kind == "latency" || kind == "loss" || kind == "slow-link") {
    out.detail = set_slowness(gate, kind, random);
  } else if (const auto frame = frame_fault(kind)) {
    out.detail = set_frames(gate, *frame, random);
  } else if (kind == "commit-lost" || kind == "commit-cut") {
    set_commits(gate, kind == "commit-lost", random);
  } else {
    out.detail = set_break(gate, kind, random);
  }
  return out;
}

}  // namespace hy::chaos
