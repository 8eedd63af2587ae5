#include "entry/link/logic_pool.h"

#include <algorithm>
#include <utility>

#include "common/base/check.h"
#include "common/base/test_hooks.h"

namespace hy::entry {
namespace {

constexpr std::uint32_t kTriesMax = 2;

}  // namespace

Errc truth_of_second_try(Errc code) {
  return error_info(code).outcome == Outcome::kNotDone ? Errc::kOutcomeUnknown : code;
}

LogicPool::LogicPool(LogicPort& port, std::uint32_t logics, LogicLimits limits, Refuse refuse)
    : port_(port), limits_(limits), refuse_(std::move(refuse)), peers_(logics) {}

std::uint32_t LogicPool::up_count() const {
  return static_cast<std::uint32_t>(std::ranges::count_if(peers_, &Peer::up));
}

bool LogicPool::is_full() const {
  return up_count() > 0 &&
         std::ranges::all_of(peers_, [this](const Peer& p) { return !p.up || is_full(p); });
}

bool LogicPool::is_full(const Peer& peer) const {
  return peer.open >= limits_.in_flight_per_peer_max ||
         peer.bytes >= limits_.in_flight_bytes_per_peer_max;
}

void LogicPool::on_up(std::uint32_t logic) {
  peers_[logic].up = true;
}

std::optional<std::uint32_t> LogicPool::choose(ConnId conn) const {
  std::optional<std::uint32_t> best;
  std::uint64_t best_weight = 0;
  for (std::uint32_t i = 0; i < peers_.size(); ++i) {
    if (!peers_[i].up) continue;
    const std::uint64_t weight = mix64(conn.value() ^ mix64(i + 1));
    if (!best || weight > best_weight) {
      best = i;
      best_weight = weight;
    }
  }
  return best;
}

std::optional<std::uint32_t> LogicPool::logic_of(ConnId conn) const {
  const auto at = sticky_.find(conn);
  if (at != sticky_.end() && peers_[at->second.logic].up) return at->second.logic;
  return choose(conn);
}

LogicPool::Open* LogicPool::find(std::uint64_t id) {
  if (id < first_id_ || id - first_id_ >= requests_.size()) return nullptr;
  Open& open = requests_[id - first_id_];
  return open.done ? nullptr : &open;
}

void LogicPool::submit(Command command, MonoTime now) {
  const std::uint64_t id = first_id_ + requests_.size();
  Open& open = requests_.emplace_back();
  open.command = std::move(command);
  open.done = false;
  ++open_count_;
  sticky_[open.command.conn].open += 1;
  send(id, open, now);
}

void LogicPool::send(std::uint64_t id, Open& open, MonoTime now) {
  Sticky& sticky = sticky_[open.command.conn];
  // Alone in flight, or its logic is gone: choose anew. Otherwise stay, for order.
  const bool keeps = sticky.open > 1 && sticky.logic < peers_.size() && peers_[sticky.logic].up;
  if (!keeps) {
    const auto chosen = choose(open.command.conn);
    if (!chosen) {
      refuse_open(open, Errc::kUnavailable);
      return;
    }
    sticky.logic = *chosen;
  }
  const std::uint32_t logic = sticky.logic;
  if (is_full(peers_[logic]) || !port_.has_room(logic)) {
    refuse_open(open, Errc::kOverloaded);
    return;
  }
  if (now >= open.command.deadline) {
    refuse_open(open, Errc::kDeadlineExceeded);
    return;
  }
  open.logic = logic;
  open.command.is_second_try = open.tries > 0;
  ++open.tries;
  ++peers_[logic].open;
  peers_[logic].bytes += open.command.body.size();
  sync_point("entry.before_logic_forward");
  port_.forward(logic, id, open.command,
                std::chrono::duration_cast<Millis>(open.command.deadline - now));
}

void LogicPool::finish(Open& open) {
  HY_CHECK(!open.done);
  open.done = true;
  --open_count_;
  const auto sticky = sticky_.find(open.command.conn);
  if (sticky != sticky_.end() && --sticky->second.open == 0) sticky_.erase(sticky);
  Peer& peer = peers_[open.logic];
  if (open.tries == 0 || peer.open == 0) return;
  --peer.open;
  peer.bytes -= open.command.body.size();
}

void LogicPool::refuse_open(Open& open, Errc code) {
  finish(open);
  const Command command = std::move(open.command);
  refuse_(command, open.tries > 0 ? truth_of_second_try(code) : code);
}

std::optional<Command> LogicPool::take(std::uint32_t logic, std::uint64_t id) {
  Open* open = find(id);
  if (open == nullptr || open->logic != logic || open->tries == 0) return std::nullopt;
  finish(*open);
  Command out = std::move(open->command);
  while (!requests_.empty() && requests_.front().done) {
    requests_.pop_front();
    ++first_id_;
  }
  return out;
}

void LogicPool::on_down(std::uint32_t logic, MonoTime now) {
  peers_[logic].up = false;
  peers_[logic].open = 0;
  peers_[logic].bytes = 0;
  sync_point("entry.logic_lost_before_resend");
  // Ascending ids: the order in which the commands came.
  for (std::size_t i = 0; i < requests_.size(); ++i) {
    Open& open = requests_[i];
    if (open.done || open.logic != logic || open.tries == 0) continue;
    if (open.tries >= kTriesMax) {
      refuse_open(open, Errc::kUnavailable);
      continue;
    }
    send(first_id_ + i, open, now);
  }
}

void LogicPool::confirm(const Confirm& confirm) {
  const auto logic = logic_of(confirm.conn);
  if (logic && port_.has_room(*logic)) port_.confirm(*logic, confirm);
}

void LogicPool::closed(const Closed& closed) {
  const auto logic = logic_of(closed.conn);
  if (closed.session && logic && port_.has_room(*logic)) {
    port_.closed(*logic, closed.conn, *closed.session);
  }
  const auto sticky = sticky_.find(closed.conn);
  if (sticky == sticky_.end()) return;
  std::uint32_t left = sticky->second.open;
  for (auto open = requests_.rbegin(); open != requests_.rend() && left > 0; ++open) {
    if (open->done || open->command.conn != closed.conn) continue;
    finish(*open);
    open->command = Command{};
    --left;
  }
}

void LogicPool::expire(MonoTime now) {
  // All commands have the same time to live, so the oldest end first.
  while (!requests_.empty()) {
    Open& open = requests_.front();
    if (!open.done) {
      if (now < open.command.deadline) return;
      refuse_open(open, Errc::kDeadlineExceeded);
    }
    requests_.pop_front();
    ++first_id_;
  }
}

std::vector<LogicPool::OpenCommand> LogicPool::list(MonoTime now, std::size_t max) const {
  std::vector<OpenCommand> out;
  for (const Open& open : requests_) {
    if (out.size() >= max) break;
    if (open.done) continue;
    out.push_back({.type = open.command.type,
                   .logic = open.logic,
                   .tries = open.tries,
                   .remaining = std::chrono::duration_cast<Millis>(open.command.deadline - now)});
  }
  return out;
}

}  // namespace hy::entry
