#include "client/bench/measure.h"

#include <algorithm>

namespace hy::bench {
namespace {

constexpr double kBehindSeconds = 0.05;

std::map<std::string, Percentiles> percentiles_of(const Curves& curves) {
  std::map<std::string, Percentiles> out;
  for (const auto& [name, curve] : kCurveNames) {
    if ((curves.*curve).count() > 0) out[name] = percentiles_of(curves.*curve);
  }
  return out;
}

double share(double part, double whole) {
  return whole > 0 ? part / whole : 0;
}

}  // namespace

void Meter::begin(Window& w, std::int64_t from, bool is_measured) {
  window_ = &w;
  from_ = from;
  is_measured_ = is_measured;
  seconds_ = 0;
  waited_ = 0;
  first_backlog_ = last_backlog_ = last_ ? last_->backlog : 0;
  curves_.clear();
  if (last_) at_begin_ = last_->sample;
}

void Meter::second(const Second& s) {
  if (first_at_ == 0) first_at_ = s.at;
  if (window_ != nullptr && s.at <= from_) at_begin_ = s.sample;
  if (window_ != nullptr && s.at > from_) {
    ++seconds_;
    for (const auto& [name, count] : kCountNames) window_->counts.*count += s.counts.*count;
    curves_.merge(s.curves);
    window_->self.cpu_share += s.busiest_cpu_share;
    waited_ += s.longest_wait_share;
    last_backlog_ = s.backlog;
  }
  add_point(s);
  last_ = Last{s.at, s.backlog, s.sample};
}

void Meter::end() {
  Window& w = *window_;
  window_ = nullptr;
  if (!last_ || seconds_ == 0) return;
  const Sample& end = last_->sample;
  const auto seconds = static_cast<double>(seconds_);
  w.seconds = seconds;
  w.curves = percentiles_of(curves_);
  double server_cpu = 0;
  for (const auto& [name, use] : end.processes) {
    const auto before = at_begin_.processes.find(name);
    const double used =
        use.cpu_s - (before == at_begin_.processes.end() ? 0 : before->second.cpu_s);
    w.cpu_s[name] = used;
    server_cpu += used;
  }
  w.generator_cpu_s = end.generator_cpu_s - at_begin_.generator_cpu_s;
  w.machine_cpu_s = end.machine.busy_s - at_begin_.machine.busy_s;
  const double machine = seconds * static_cast<double>(machine_text().cores);
  w.self.is_closed = is_closed_;
  w.self.has_local_server = !out_.target.processes.empty();
  w.self.rate = rate_;
  w.self.cpu_share /= seconds;
  w.self.wait_share = waited_ / seconds;
  w.self.lag_p99_ms = static_cast<double>(curves_.lag.at(99)) / 1'000;
  // A few sends are always due at the moment of a tick; a backlog is what takes time to work off.
  const bool is_behind = static_cast<double>(last_backlog_) > kBehindSeconds * rate_;
  w.self.backlog_growth = is_behind && last_backlog_ > first_backlog_
                              ? static_cast<double>(last_backlog_ - first_backlog_) / seconds
                              : 0;
  w.self.foreign_share =
      share(std::max(0.0, w.machine_cpu_s - server_cpu - w.generator_cpu_s), machine);
  w.self.stolen_share = share(end.machine.stolen_s - at_begin_.machine.stolen_s, machine);
  if (is_measured_) out_.curves.merge(curves_);
}

void Meter::add_point(const Second& s) {
  Point p;
  p.t = static_cast<double>(s.at - first_at_);
  p.offered = static_cast<double>(s.counts.due > 0 ? s.counts.due : s.counts.sent);
  p.stored = static_cast<double>(s.counts.stored);
  p.delivered = static_cast<double>(s.counts.delivered);
  p.curves = percentiles_of(s.curves);
  p.lag_p99_ms = static_cast<double>(s.curves.lag.at(99)) / 1'000;
  p.open = s.open;
  p.is_measured = window_ != nullptr && is_measured_ && s.at > from_;
  p.cpu_share["generator"] = s.busiest_cpu_share;
  if (last_) {
    const auto length = static_cast<double>(std::max<std::int64_t>(1, s.at - last_->at));
    for (const ServerProcess& server : out_.target.processes) {
      const auto now = s.sample.processes.find(server.name);
      const auto before = last_->sample.processes.find(server.name);
      if (now == s.sample.processes.end() || before == last_->sample.processes.end()) continue;
      p.cpu_share[server.tier] += (now->second.cpu_s - before->second.cpu_s) / length;
      p.resident[server.name] = now->second.resident;
    }
  }
  if (p.is_measured) left_s_ = std::max(0.0, left_s_ - 1);
  progress_.point(p, left_s_);
  out_.points.push_back(std::move(p));
}

Window whole_of(const std::vector<Window>& windows, const Curves& curves) {
  Window out;
  for (const Window& w : windows) {
    out.seconds += w.seconds;
    for (const auto& [name, count] : kCountNames) out.counts.*count += w.counts.*count;
    for (const auto& [name, used] : w.cpu_s) out.cpu_s[name] += used;
    out.generator_cpu_s += w.generator_cpu_s;
    out.machine_cpu_s += w.machine_cpu_s;
    out.self.is_closed = w.self.is_closed;
    out.self.has_local_server = w.self.has_local_server;
    out.self.rate = w.self.rate;
    out.self.cpu_share += w.self.cpu_share * w.seconds;
    out.self.wait_share += w.self.wait_share * w.seconds;
    out.self.foreign_share += w.self.foreign_share * w.seconds;
    out.self.stolen_share += w.self.stolen_share * w.seconds;
    out.self.backlog_growth = std::max(out.self.backlog_growth, w.self.backlog_growth);
  }
  for (double* part :
       {&out.self.cpu_share, &out.self.wait_share, &out.self.foreign_share, &out.self.stolen_share})
    *part = share(*part, out.seconds);
  out.self.lag_p99_ms = static_cast<double>(curves.lag.at(99)) / 1'000;
  out.curves = percentiles_of(curves);
  return out;
}

}  // namespace hy::bench
