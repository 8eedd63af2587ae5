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

bool Swarm::turn(MonoTime deadline) {
  pairs_->turn(clock_.now() + Millis(5));
  return clock_.now() < deadline;
}

Status Swarm::connect(std::size_t count) {
  HY_TRY(auto door,
         cli::OperatorClient::open(cli::operator_access(cluster_.layout()), Millis(5'000)));
  std::vector<cli::Account> accounts(count);
  for (std::size_t i = 0; i < count; ++i) accounts[i].name = "swarm" + std::to_string(i);
  HY_TRY_VOID(door->add_users(accounts, kOperatorWithin));
  std::vector<Uid> uids;
  for (const cli::Account& account : accounts) uids.push_back(account.uid);
  HY_TRY(auto tokens, door->make_tokens(uids, Slot::kDesktop, "load-%u", std::chrono::hours(24),
                                        kOperatorWithin));
  std::vector<std::pair<Uid, Bytes>> people;
  for (std::size_t i = 0; i < count; ++i) people.emplace_back(uids[i], std::move(tokens[i]));
  crypto::Bytes32 server_key{};
  const auto key = from_hex(cluster_.layout().server_key_hex);
  std::copy(key->begin(), key->end(), reinterpret_cast<char*>(server_key.data()));
  load::LightPairs::Hooks hooks;
  hooks.on_stored = [this](std::size_t i, MonoTime sent) { on_stored(i, sent); };
  pairs_ = std::make_unique<load::LightPairs>(server_key, std::move(people), std::move(hooks));
  std::vector<sockaddr_in> entries;
  for (const std::string& address : cluster_.layout().entry_addresses())
    entries.push_back(load::socket_address(address));
  const load::LightPairs::Totals& totals = pairs_->totals();
  const MonoTime deadline = clock_.now() + span(kConnectWithin);
  for (std::size_t next = 0; totals.logged_in + totals.login_failed < count;) {
    while (next < count && next - totals.logged_in - totals.login_failed < kHandshakesAtOnce) {
      pairs_->connect(next, entries[next % entries.size()], {});
      ++next;
    }
    if (!turn(deadline)) break;
  }
  if (totals.logged_in == count) return {};
  return fail(Errc::kTimedOut, std::to_string(totals.logged_in) + " of " + std::to_string(count) +
                                   " logged in, last refusal HY-" +
                                   std::to_string(static_cast<int>(totals.last_refusal)));
}

void Swarm::on_stored(std::size_t i, MonoTime sent) {
  const auto took = clock_.now() - sent;
  count_.latency_ms.push_back(std::chrono::duration<double, std::milli>(took).count());
  if (took <= kUseful) ++count_.in_time;
  while (outstanding_ > pairs_->outstanding(i) && pairs_->is_open(i)) pairs_->send(i, body_);
}

Swarm::Count Swarm::finish(const load::LightPairs::Totals& before) {
  const load::LightPairs::Totals& totals = pairs_->totals();
  count_.sent = totals.sent - before.sent;
  count_.stored = totals.stored - before.stored;
  count_.refused = totals.refused - before.refused;
  count_.refused_with_time = totals.refused_with_time - before.refused_with_time;
  count_.pushed = totals.pushed - before.pushed;
  return std::exchange(count_, {});
}

Swarm::Count Swarm::closed(double seconds, std::size_t outstanding, std::size_t active) {
  const load::LightPairs::Totals before = pairs_->totals();
  count_ = {};
  outstanding_ = outstanding;
  const MonoTime end = clock_.now() + span(seconds);
  // A refused one is not sent again by its answer: filled up every turn.
  do {
    for (std::size_t i = 0; i < std::min(active, pairs_->size()); ++i) {
      while (pairs_->is_open(i) && pairs_->outstanding(i) < outstanding) pairs_->send(i, body_);
    }
  } while (turn(end));
  outstanding_ = 0;
  return finish(before);
}

Swarm::Count Swarm::open(double seconds, double rate, std::size_t backlog_max) {
  const load::LightPairs::Totals before = pairs_->totals();
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
      const std::size_t i = round_++ % pairs_->size();
      if (pairs_->is_open(i) && pairs_->outstanding(i) < backlog_max) pairs_->send(i, body_);
    }
  }
  return finish(before);
}

bool Swarm::drain(double within) {
  const MonoTime deadline = clock_.now() + span(within);
  const auto is_idle = [this] {
    for (std::size_t i = 0; i < pairs_->size(); ++i) {
      if (pairs_->outstanding(i) > 0) return false;
    }
    return true;
  };
  while (!is_idle()) {
    if (!turn(deadline)) return false;
  }
  return true;
}

}  // namespace hy::degraded
