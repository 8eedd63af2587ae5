#include "tests/cluster/chaos/nemesis.h"

#include <algorithm>

namespace hy::chaos {
namespace {

// A target that an earlier fault has taken away comes back within seconds, on a busy machine later.
constexpr double kAgainAfter = 0.5;
constexpr int kTriesMax = 40;
constexpr double kFeltWithin = 15;

}  // namespace

Nemesis::Nemesis(Rig& rig, std::vector<Planned> plan) : rig_(rig) {
  for (Planned& planned : plan) {
    Fault fault;
    fault.record.planned = std::move(planned);
    faults_.push_back(std::move(fault));
  }
}

void Nemesis::move_to_used_way(Planned& planned) const {
  if (!planned.target.starts_with("people>")) return;
  const Link* const asked = rig_.link(planned.target);
  if (asked == nullptr || asked->gate->counters().open > 0) return;
  for (const auto& link : rig_.links()) {
    const bool is_used = link->from == "people" && link->gate->counters().open > 0;
    const bool is_taken = std::ranges::any_of(faults_, [&](const Fault& fault) {
      return fault.is_alive && fault.record.planned.target == link->name();
    });
    if (is_used && !is_taken) planned.target = link->name();
  }
}

void Nemesis::begin(Fault& fault, double now, std::vector<std::string>& lines) {
  FaultRecord& record = fault.record;
  record.began = MonoClock::now();
  move_to_used_way(record.planned);
  auto live = begin_fault(rig_, record.planned);
  const std::string name = std::string(record.planned.kind->name) + " " + record.planned.target;
  if (!live) {
    if (live.error().code == Errc::kUnavailable && ++fault.tries < kTriesMax) {
      record.planned.at = now + kAgainAfter;
      return;
    }
    record.error = error_text(live.error().code, live.error().detail);
    record.ended = record.began;
    ++next_;
    lines.push_back(name + " could not begin: " + record.error);
    return;
  }
  ++next_;
  record.has_begun = true;
  record.detail = live->detail;
  fault.live = *std::move(live);
  fault.is_alive = true;
  fault.over_at = now + record.planned.lasts;
  lines.push_back(name + (record.detail.empty() ? "" : " (" + record.detail + ")"));
}

void Nemesis::end(Fault& fault, std::vector<std::string>& lines) {
  FaultRecord& record = fault.record;
  fault.is_alive = false;
  if (const Status done = fault.live->end(); !done)
    record.error = error_text(done.error().code, done.error().detail);
  record.ended = MonoClock::now();
  if (record.planned.lasts > 0 || !record.error.empty()) {
    lines.push_back("end of " + std::string(record.planned.kind->name) + " " +
                    record.planned.target + (record.error.empty() ? "" : ": " + record.error));
  }
}

std::vector<std::string> Nemesis::step(double now) {
  std::vector<std::string> lines;
  for (Fault& fault : faults_) {
    if (!fault.is_alive || now < fault.over_at) continue;
    // Another fault may have kept the bytes away that this one was to strike.
    const bool may_wait = now < fault.over_at + kFeltWithin;
    if (fault.record.planned.lasts > 0 && may_wait && !fault.live->felt()) continue;
    end(fault, lines);
  }
  if (next_ < faults_.size() && now >= faults_[next_].record.planned.at)
    begin(faults_[next_], now, lines);
  return lines;
}

std::vector<std::string> Nemesis::end_all() {
  std::vector<std::string> lines;
  for (Fault& fault : faults_) {
    if (fault.is_alive) end(fault, lines);
  }
  // What did not get its turn was not fired.
  faults_.resize(next_);
  return lines;
}

void Nemesis::ask_what_was_felt() {
  for (Fault& fault : faults_) {
    if (fault.live) fault.record.was_felt = fault.live->felt();
  }
}

int Nemesis::alive() const {
  int n = 0;
  for (const Fault& fault : faults_) n += fault.is_alive ? 1 : 0;
  return n;
}

std::string Nemesis::alive_text() const {
  std::string out;
  for (const Fault& fault : faults_) {
    if (!fault.is_alive) continue;
    out += (out.empty() ? "" : ", ") + std::string(fault.record.planned.kind->name) + " " +
           fault.record.planned.target;
  }
  return out;
}

std::vector<FaultRecord> Nemesis::records() const {
  std::vector<FaultRecord> out;
  for (const Fault& fault : faults_) out.push_back(fault.record);
  return out;
}

}  // namespace hy::chaos
