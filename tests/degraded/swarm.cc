#include "tests/degraded/swarm.h"

#include <algorithm>

#include "client/cli/operator_client.h"

namespace hy::degraded {
namespace {

constexpr Millis kOperatorWithin{120'000};
constexpr double kConnectWithin = 300;
constexpr std::size_t kHandshakesAtOnce = 200;  // the listen queue is no place to measure

std::chrono::nanoseconds span(double seconds) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
      std::chrono::duration<double>(seconds));
}

}  // namespace

double Swarm::Count::quantile(double q) {
  if (latency_ms.empty()) return 0;
  std::ranges::sort(latency_ms);
  return latency_ms[static_cast<std::size_t>(q * static_cast<double>(latency_ms.size() - 1))];
}

Swarm::~Swarm() {
  for (auto& c : connections_) c->close();
  context_.poll();
}

bool Swarm::turn(MonoTime deadline) {
  context_.run_one_for(std::chrono::milliseconds(5));
  context_.poll();
  return clock_.now() < deadline;
}

Status Swarm::connect(std::size_t count) {
  HY_TRY(auto door,
         cli::OperatorClient::open(cli::operator_access(cluster_.layout()), Millis(5'000)));
  std::vector<cli::Account> accounts(count);
  for (std::size_t i = 0; i < count; ++i) accounts[i].name = "swarm" + std::to_string(i);
  HY_TRY_VOID(door->add_users(accounts, kOperatorWithin));
  for (const cli::Account& account : accounts) uids_.push_back(account.uid);
  HY_TRY(const auto tokens, door->make_tokens(uids_, Slot::kDesktop, "load-%u",
                                              std::chrono::hours(24), kOperatorWithin));
  const auto key = from_hex(cluster_.layout().server_key_hex);
  std::copy(key->begin(), key->end(), reinterpret_cast<char*>(shared_.server_key.data()));
  shared_.device_prefix = "load-";
  std::vector<net::Tcp::endpoint> entries;
  for (const std::string& address : cluster_.layout().entry_addresses()) {
    const std::size_t colon = address.rfind(':');
    entries.emplace_back(asio::ip::make_address(address.substr(0, colon)),
                         static_cast<unsigned short>(std::stoi(address.substr(colon + 1))));
  }
  hooks_.on_stored = [this](load::LoadConnection& c, MonoTime sent) { on_stored(c, sent); };
  for (std::size_t i = 0; i < count; ++i) {
    connections_.push_back(
        std::make_unique<load::LoadConnection>(shared_, totals_, hooks_, uids_[i], tokens[i]));
    connections_[i]->peer_index = i ^ 1U;
  }
  const auto from = asio::ip::make_address("127.0.0.1");
  const MonoTime deadline = clock_.now() + span(kConnectWithin);
  for (std::size_t next = 0; totals_.logged_in + totals_.login_failed < count;) {
    while (next < count && next - totals_.logged_in - totals_.login_failed < kHandshakesAtOnce) {
      connections_[next]->connect(entries[next % entries.size()], from);
      ++next;
    }
    if (!turn(deadline)) break;
  }
  if (totals_.logged_in == count) return {};
  return fail(Errc::kTimedOut, std::to_string(totals_.logged_in) + " of " + std::to_string(count) +
                                   " logged in, last refusal HY-" +
                                   std::to_string(static_cast<int>(totals_.last_refusal)));
}

void Swarm::on_stored(load::LoadConnection& c, MonoTime sent) {
  const auto took = clock_.now() - sent;
  count_.latency_ms.push_back(std::chrono::duration<double, std::milli>(took).count());
  if (took <= kUseful) ++count_.in_time;
  while (outstanding_ > c.outstanding() && c.is_open()) c.send(uids_[c.peer_index], body_);
}

Swarm::Count Swarm::finish(const load::Totals& before) {
  count_.sent = totals_.sent - before.sent;
  count_.stored = totals_.stored - before.stored;
  count_.refused = totals_.refused - before.refused;
  count_.refused_with_time = totals_.refused_with_time - before.refused_with_time;
  count_.pushed = totals_.pushed - before.pushed;
  return std::exchange(count_, {});
}

Swarm::Count Swarm::closed(double seconds, std::size_t outstanding, std::size_t active) {
  const load::Totals before = totals_;
  count_ = {};
  outstanding_ = outstanding;
  const MonoTime end = clock_.now() + span(seconds);
  // A refused one is not sent again by its answer: filled up every turn.
  do {
    for (std::size_t i = 0; i < std::min(active, connections_.size()); ++i) {
      load::LoadConnection& c = *connections_[i];
      while (c.is_open() && c.outstanding() < outstanding) c.send(uids_[c.peer_index], body_);
    }
  } while (turn(end));
  outstanding_ = 0;
  return finish(before);
}

Swarm::Count Swarm::open(double seconds, double rate, std::size_t backlog_max) {
  const load::Totals before = totals_;
  count_ = {};
  const MonoTime began = clock_.now();
  const MonoTime end = began + span(seconds);
  std::uint64_t due = 0;
  while (turn(end)) {
    const double elapsed = std::chrono::duration<double>(clock_.now() - began).count();
    // What this machine cannot send in time is not made up for in one burst.
    const auto wanted = static_cast<std::uint64_t>(elapsed * rate);
    const auto step_max = static_cast<std::uint64_t>(rate / 50) + 1;
    if (wanted > due + step_max) due = wanted - step_max;
    for (; due < wanted; ++due) {
      load::LoadConnection& c = *connections_[round_++ % connections_.size()];
      if (c.is_open() && c.outstanding() < backlog_max) c.send(uids_[c.peer_index], body_);
    }
  }
  return finish(before);
}

bool Swarm::drain(double within) {
  const MonoTime deadline = clock_.now() + span(within);
  const auto is_idle = [this] {
    return std::ranges::all_of(connections_, [](const auto& c) { return c->outstanding() == 0; });
  };
  while (!is_idle()) {
    if (!turn(deadline)) return false;
  }
  return true;
}

}  // namespace hy::degraded
