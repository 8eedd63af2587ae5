#include "tests/peers/sitting/window.h"

#include <sys/resource.h>

#include <algorithm>
#include <thread>

#include "tests/peers/load/histogram.h"

namespace hy::peers {
namespace {

constexpr double kWarmUp = 2;  // seconds before each window

void wait_seconds(double seconds) {
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
}

double total(const std::map<std::string, double>& after,
             const std::map<std::string, double>& before, const std::vector<Process>& processes) {
  double sum = 0;
  for (const Process& p : processes) sum += after.at(p.name) - before.at(p.name);
  return sum;
}

}  // namespace

/// The answers of all load programs of a contestant together.
struct Contestant::Sum {
  std::map<std::string, std::uint64_t> counts;
  Histogram latencies;
  double own_cpu = 0;
  double time = 0;

  explicit Sum(const std::vector<nlohmann::json>& answers) {
    for (const nlohmann::json& answer : answers) {
      for (const auto& [key, value] : answer.items()) {
        if (value.is_number_unsigned()) counts[key] += value.get<std::uint64_t>();
      }
      for (const auto& bucket : answer.at("histogram")) {
        latencies.add_bucket(bucket.at(0).get<std::size_t>(), bucket.at(1).get<std::uint64_t>());
      }
      own_cpu += answer.at("own_cpu_s").get<double>();
      time = std::max(time, answer.at("time_s").get<double>());
    }
  }
  [[nodiscard]] std::uint64_t at(const std::string& name) const {
    const auto found = counts.find(name);
    return found == counts.end() ? 0 : found->second;
  }
};

Contestant::Contestant(System system, const Place& place, std::size_t outstanding)
    : system_(std::move(system)), connections_(place.connections) {
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  const std::size_t fit = files.rlim_max - 100;
  const std::size_t workers = (connections_ + fit - 1) / fit;
  const std::size_t each = connections_ / workers / 2 * 2;
  for (std::size_t i = 0; i < workers; ++i) {
    const std::size_t first = i * each;
    const std::size_t count = i + 1 == workers ? connections_ - first : each;
    std::vector<std::string> argv = {(place.build / "tests" / "peer_load").string()};
    argv.insert(argv.end(), system_.load.begin(), system_.load.end());
    if (place.is_group) argv.emplace_back("--group");
    for (const auto& [name, value] :
         {std::pair{"--connections", count}, {"--outstanding", outstanding}, {"--first", first}}) {
      argv.emplace_back(name);
      argv.push_back(std::to_string(value));
    }
    loads_.push_back(std::make_unique<LoadProcess>(argv));
  }
}

Contestant::Sum Contestant::ask(const std::string& line) {
  for (const auto& load : loads_) load->tell(line);
  std::vector<nlohmann::json> answers;
  for (const auto& load : loads_) answers.push_back(load->answer());
  return Sum(answers);
}

std::map<std::string, double> Contestant::cpu() const {
  std::map<std::string, double> out;
  for (const auto* group : {&system_.daemons, &system_.stores}) {
    for (const Process& p : *group) out[p.name] = cpu_seconds(p.pid);
  }
  out["machine"] = machine_cpu_seconds();
  return out;
}

Logins Contestant::connect() {
  std::uint64_t memory = 0;
  for (const Process& p : system_.daemons) memory += private_bytes(p.pid);
  if (system_.archived_rows) rows_before_ = system_.archived_rows();
  const auto before = cpu();
  const double began = ask("mark").time;
  const Sum done = ask("connect");
  const auto after = cpu();
  wait_seconds(2);  // the last buffers of the logins are given back
  std::uint64_t memory_now = 0;
  for (const Process& p : system_.daemons) memory_now += private_bytes(p.pid);
  Logins out;
  const auto n = static_cast<double>(connections_);
  out.system = system_.name;
  out.connections = connections_;
  out.seconds = done.time - began;
  out.cpu_us =
      (total(after, before, system_.daemons) + total(after, before, system_.stores)) * 1e6 / n;
  out.memory_bytes = (static_cast<double>(memory_now) - static_cast<double>(memory)) / n;
  return out;
}

void Contestant::prime() {
  (void)ask("prime");
}

Window Contestant::measure(double seconds, double rate) {
  for (const auto& load : loads_)
    load->tell("start " + std::to_string(rate / static_cast<double>(loads_.size())));
  wait_seconds(kWarmUp);
  const Sum from = ask("mark");
  const auto cpu_from = cpu();
  wait_seconds(seconds);
  const Sum to = ask("mark");
  const auto cpu_to = cpu();
  const Sum end = ask("stop");
  const auto messages =
      static_cast<double>(std::max<std::uint64_t>(to.at("done") - from.at("done"), 1));
  Window out;
  out.system = system_.name;
  out.per_second = messages / (to.time - from.time);
  for (const auto& [name, value] : cpu_to) {
    if (name != "machine") out.process_us[name] = (value - cpu_from.at(name)) * 1e6 / messages;
  }
  out.daemons_us = total(cpu_to, cpu_from, system_.daemons) * 1e6 / messages;
  out.stores_us = total(cpu_to, cpu_from, system_.stores) * 1e6 / messages;
  out.generator_us = (to.own_cpu - from.own_cpu) * 1e6 / messages;
  out.machine_us = (cpu_to.at("machine") - cpu_from.at("machine")) * 1e6 / messages;
  out.refused_percent = static_cast<double>(to.at("refused") - from.at("refused")) / messages * 100;
  const double ours = out.daemons_us + out.stores_us + out.generator_us;
  out.others_percent = std::max(out.machine_us - ours, 0.0) * out.per_second / 1e6 /
                       static_cast<double>(std::thread::hardware_concurrency()) * 100;
  out.p50_ms = static_cast<double>(to.latencies.quantile(0.5)) / 1e3;
  out.p99_ms = static_cast<double>(to.latencies.quantile(0.99)) / 1e3;
  ledger_.clear();
  for (const char* name : {"sent", "done", "refused", "missing", "doubled", "disordered", "failed",
                           "pushed", "receipted", "last_refusal"}) {
    if (end.counts.contains(name))
      ledger_ += std::string(name) + " " + std::to_string(end.at(name)) + "  ";
  }
  return out;
}

std::string Contestant::verdict() {
  const Sum now = ask("mark");
  std::string wrong;
  const auto demand = [&wrong](bool fine, const std::string& what) {
    if (!fine) wrong += (wrong.empty() ? "" : ", ") + what;
  };
  demand(now.at("failed") == 0, "connections failed");
  demand(now.at("missing") == 0, "messages are missing");
  demand(now.at("doubled") == 0, "messages came twice");
  demand(now.at("disordered") == 0, "messages came out of order");
  demand(now.at("done") + now.at("refused") == now.at("sent"), "messages have no outcome");
  if (now.counts.contains("stored")) {
    demand(now.at("pushed") == now.at("stored"), "stored messages were not delivered");
    demand(now.at("receipted") == now.at("stored"), "stored messages were not receipted");
  }
  if (system_.archived_rows) {
    const std::uint64_t rows = system_.archived_rows() - rows_before_;
    ledger_ += "archive rows " + std::to_string(rows) + " (two a message)  ";
    demand(rows == 2 * now.at("done"), "the archive does not hold two rows a message");
  }
  return wrong;
}

}  // namespace hy::peers
