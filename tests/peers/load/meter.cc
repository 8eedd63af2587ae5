#include "tests/peers/load/meter.h"

#include <sys/resource.h>
#include <time.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "tests/peers/load/swarm.h"

namespace hy::peers {
namespace {

constexpr std::size_t kHeader = 32;  // sender 8, number 8, intended time 16; hex digits

void put_hex(char* out, std::uint64_t value, int digits) {
  for (int i = digits - 1; i >= 0; --i, value >>= 4) out[i] = "0123456789abcdef"[value & 15];
}

std::uint64_t get_hex(std::string_view text) {
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value, 16);
  return value;
}

double own_cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

}  // namespace

std::uint64_t now_ns() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<std::uint64_t>(t.tv_sec) * 1'000'000'000U +
         static_cast<std::uint64_t>(t.tv_nsec);
}

Meter::Meter(Settings settings) : settings_(settings), clients_(settings.connections) {
  body_.assign(std::max(settings_.body_bytes, kHeader), 'x');
  if (settings_.is_group) group_seen_.resize(clients_.size() * clients_.size());
}

void Meter::ready(std::size_t client) {
  clients_[client].ready = true;
  ++logged_in_;
}

void Meter::failed(std::size_t client, std::string_view why) {
  if (failed_++ < 3) {
    std::fprintf(stderr, "client %zu: %.*s\n", client, static_cast<int>(why.size()), why.data());
  }
  clients_[client].ready = false;
}

void Meter::received(std::size_t client, std::string_view body) {
  if (body.size() < kHeader) {
    failed(client, "a body that nobody sent");
    return;
  }
  const auto sender = static_cast<std::size_t>(get_hex(body.substr(0, 8)));
  const auto number = static_cast<std::uint32_t>(get_hex(body.substr(8, 8)));
  const std::uint64_t intended = get_hex(body.substr(16, 16));
  if (settings_.is_group) {
    received_in_group(client, sender, number, intended);
    return;
  }
  if (sender != (client ^ 1U)) {
    failed(client, "a message for somebody else");
    return;
  }
  Client& c = clients_[client];
  if (number <= c.seen) {
    ++doubled_;
    return;
  }
  missing_ += number - c.seen - 1;
  c.seen = number;
  done(sender, now_ns() - intended);
}

void Meter::done(std::size_t client, std::uint64_t latency_ns) {
  ++done_;
  latencies_.add(latency_ns / 1'000);
  --clients_[client].outstanding;
  if (sending_ && rate_ <= 0) send(client, now_ns());
}

void Meter::received_in_group(std::size_t client, std::size_t sender, std::uint32_t number,
                              std::uint64_t intended) {
  if (sender >= clients_.size()) {
    failed(client, "a message of nobody");
    return;
  }
  std::uint32_t& seen = group_seen_[client * clients_.size() + sender];
  if (number <= seen) {
    ++doubled_;
    return;
  }
  missing_ += number - seen - 1;
  seen = number;
  ++done_;
  latencies_.add((now_ns() - intended) / 1'000);
  const auto at = under_way_.find({sender, number});
  if (at == under_way_.end() || ++at->second < receivers()) return;
  under_way_.erase(at);
  if (sending_ && rate_ <= 0) send_to_group(now_ns());
}

void Meter::group_refused(std::string_view body) {
  const auto sender = static_cast<std::size_t>(get_hex(body.substr(0, 8)));
  const auto number = static_cast<std::uint32_t>(get_hex(body.substr(8, 8)));
  if (under_way_.erase({sender, number}) == 0) return;
  refused_ += receivers();
  again_.emplace_back(now_ns() + 500'000'000U, sender);
}

void Meter::send_to_group(std::uint64_t intended_ns) {
  const std::size_t sender = next_sender_++ % clients_.size();
  Client& c = clients_[sender];
  if (!c.ready) return;
  put_hex(body_.data(), sender, 8);
  put_hex(body_.data() + 8, ++c.sent, 8);
  put_hex(body_.data() + 16, intended_ns, 16);
  under_way_[{sender, c.sent}] = 0;
  sent_ += receivers();
  swarm_->send(sender, body_);
}

void Meter::refused(std::size_t client) {
  ++refused_;
  --clients_[client].outstanding;
  again_.emplace_back(now_ns() + 500'000'000U, client);
}

void Meter::send(std::size_t client, std::uint64_t intended_ns) {
  if (settings_.is_group) {
    send_to_group(intended_ns);
    return;
  }
  Client& c = clients_[client];
  if (!c.ready) return;
  put_hex(body_.data(), client, 8);
  put_hex(body_.data() + 8, ++c.sent, 8);
  put_hex(body_.data() + 16, intended_ns, 16);
  ++c.outstanding;
  ++sent_;
  swarm_->send(client, body_);
}

bool Meter::connect_all() {
  constexpr std::size_t kAtOnce = 64;
  const std::uint64_t deadline = now_ns() + 300'000'000'000U;
  std::size_t next = 0;
  while (logged_in_ + failed_ < clients_.size() && now_ns() < deadline) {
    while (next < clients_.size() && next - logged_in_ - failed_ < kAtOnce) {
      swarm_->begin_login(next++);
    }
    swarm_->turn(std::chrono::milliseconds(20));
  }
  return logged_in_ == clients_.size() && failed_ == 0;
}

bool Meter::prime() {
  constexpr std::size_t kAtOnce = 64;
  const std::uint64_t deadline = now_ns() + 300'000'000'000U;
  constexpr std::size_t kGroupMessages = 20;  // one conversation, opened by the first of them
  const std::size_t messages = settings_.is_group ? kGroupMessages : clients_.size();
  const std::uint64_t wanted =
      done_ + messages * (settings_.is_group ? receivers() : std::size_t{1});
  for (std::size_t next = 0; done_ < wanted && failed_ == 0 && now_ns() < deadline;) {
    while (next < messages && sent_ - done_ - refused_ + again_.size() < kAtOnce) {
      send(next++, now_ns());
    }
    send_again();
    swarm_->turn(std::chrono::milliseconds(20));
  }
  return done_ >= wanted;
}

void Meter::send_again() {
  const std::uint64_t now = now_ns();
  for (; !again_.empty() && again_.front().first <= now; again_.pop_front()) {
    send(again_.front().second, now);
  }
}

void Meter::start(double rate) {
  rate_ = rate;
  sending_ = true;
  again_.clear();
  began_ns_ = now_ns();
  due_ = 0;
  if (rate_ > 0) return;
  for (std::size_t i = 0; i < (settings_.is_group ? 1 : clients_.size()); ++i) {
    for (std::size_t k = 0; k < settings_.outstanding; ++k) {
      again_.emplace_back(began_ns_ + i * 1'000'000'000U / clients_.size(), i);
    }
  }
}

void Meter::send_due() {
  if (!sending_) return;
  if (rate_ <= 0) {
    send_again();
    return;
  }
  const double elapsed = static_cast<double>(now_ns() - began_ns_) / 1e9;
  const auto target = static_cast<std::uint64_t>(elapsed * rate_);
  for (; due_ < target; ++due_) {
    const auto after = static_cast<std::uint64_t>(static_cast<double>(due_) * 1e9 / rate_);
    send(turn_++ % clients_.size(), began_ns_ + after);
  }
}

void Meter::stop() {
  sending_ = false;
  const std::uint64_t deadline = now_ns() + 20'000'000'000U;
  while ((done_ + refused_ < sent_ || !swarm_->is_settled()) && now_ns() < deadline)
    swarm_->turn(std::chrono::milliseconds(20));
}

std::string Meter::mark() {
  nlohmann::json out;
  out["time_s"] = static_cast<double>(now_ns()) / 1e9;
  out["own_cpu_s"] = own_cpu_seconds();
  out["logged_in"] = logged_in_;
  out["failed"] = failed_;
  out["sent"] = sent_;
  out["done"] = done_;
  out["refused"] = refused_;
  out["missing"] = missing_;
  out["doubled"] = doubled_;
  for (const auto& [name, count] : swarm_->checks()) out[name] = count;
  auto& buckets = out["histogram"] = nlohmann::json::array();
  for (std::size_t i = 0; i < Histogram::kBuckets; ++i) {
    if (latencies_.count(i) > 0) buckets.push_back({i, latencies_.count(i)});
  }
  latencies_.clear();
  return out.dump();
}

}  // namespace hy::peers
