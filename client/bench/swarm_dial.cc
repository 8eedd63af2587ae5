#include <algorithm>

#include "client/bench/swarm.h"

// Connections of a swarm: when who dials, and what an end means.
namespace hy::bench {
namespace {

using namespace std::chrono_literals;

// As an app comes back: doubling with full jitter.
constexpr std::chrono::milliseconds kBackoffMin{500};
constexpr std::chrono::milliseconds kBackoffMax{30'000};
constexpr unsigned kDoublingsMax = 6;
constexpr std::uint64_t kParts = 1'000'000;

std::chrono::nanoseconds nth(std::uint64_t n, double rate) {
  return std::chrono::nanoseconds(static_cast<std::int64_t>(static_cast<double>(n) * 1e9 / rate));
}

/// A part of a span that `draw` chooses.
std::chrono::nanoseconds part(std::chrono::nanoseconds span, std::uint64_t draw) {
  return span * static_cast<std::int64_t>(mix64(draw) % kParts) / static_cast<std::int64_t>(kParts);
}

}  // namespace

void Swarm::dial(double rate, std::uint32_t at_once, MonoTime from, bool is_stubborn) {
  dial_at_once_ = at_once;
  is_stubborn_ = is_stubborn;
  std::uint64_t n = 0;
  for (Person& p : people_) {
    if (!p.client->is_first() || !p.client->is_closed()) continue;
    p.tries = 0;
    p.intended_dial = rate > 0 ? from + nth(n++, rate) : MonoTime{};
    dials_.push({rate > 0 ? p.intended_dial : from, p.client->index});
  }
}

void Swarm::come_back(MonoTime from, std::chrono::milliseconds window, std::uint32_t at_once) {
  dial_at_once_ = at_once;
  is_stubborn_ = true;
  for (Person& p : people_) {
    if (!p.client->is_first() || !p.client->is_closed()) continue;
    const auto span =
        window.count() > 0 ? window : std::chrono::milliseconds(p.client->storm_window_ms());
    p.tries = 0;
    p.intended_dial = from;
    dials_.push(
        {from + part(span, setup_.run ^ p.client->uid().value() ^ ++draws_), p.client->index});
  }
}

void Swarm::work_dials(MonoTime t, MonoTime& next) {
  while (!dials_.empty() && dials_.top().at <= t && under_way_ < dial_at_once_) {
    Person& p = people_[dials_.top().index];
    dials_.pop();
    if (!p.client->is_closed()) continue;
    const std::size_t all = setup_.first_index + p.client->line().client.index;
    // Without a schedule the clock starts at the dial itself.
    if (p.intended_dial == MonoTime{}) p.intended_dial = now();
    ++counts_.dialled;
    ++under_way_;
    // Who was lost tries another entry, as an app does.
    const std::size_t place = (setup_.pairs_share_entry ? all / 2 : all) + p.moves;
    p.client->connect(
        setup_.entries[place % setup_.entries.size()],
        setup_.sources.empty() ? in_addr{} : setup_.sources[all % setup_.sources.size()]);
  }
  if (!dials_.empty() && under_way_ < dial_at_once_)
    next = std::min(next, std::max(t, dials_.top().at));
}

// Ready when its first SYNC was answered; pushes may come before, and are numbered from 1 again.
void Swarm::on_open(Seat& c) {
  people_[c.index].last_push = 0;
  PairBook& book = books_[c.index / 2];
  if (book.records.empty())
    book.pushes[c.index % 2] = 0;
  else
    note(people_[c.index], Mark::kOpened, c.conn_counter());
}

void Swarm::on_heads(Seat& c, std::span<const std::pair<ConversationId, std::uint64_t>> heads,
                     bool more) {
  Person& p = people_[c.index];
  PairBook& book = books_[c.index / 2];
  const ConversationId mine = conversation_of(p);
  std::uint32_t head = 0;
  for (const auto& [conversation, seq] : heads) {
    if (conversation == mine) head = static_cast<std::uint32_t>(seq);
  }
  if (!p.knows_base && book.records.empty()) {
    // What was there before the run is nobody's concern here.
    book.base = std::max(book.base, head);
    p.contiguous = std::max(p.contiguous, head);
  }
  if (more && !heads.empty()) return c.sync(heads.back().first.to_bytes());
  p.knows_base = true;
  if (!std::exchange(p.is_ready, true) && c.is_first()) {
    p.tries = 0;
    --under_way_;
    ++open_;
    ++counts_.opened;
    const MonoTime t = now();
    curves_.login.record((t - p.intended_dial).count() / 1'000);
    // Spread, or everybody would ping at once.
    p.next_ping = t + part(ping_of(p), c.uid().value());
  }
  if (p.is_catching_up) return;
  if (!p.ahead.empty() || !p.held.empty() || head > p.contiguous) {
    begin_catch_up(p, false);
  } else if (p.has_missed) {
    end_catch_up(p, 0);  // there is nothing that it does not have
  }
  refill(c.line());
}

void Swarm::on_closed(Seat& c, load::Blame blame, Errc code) {
  Person& p = people_[c.index];
  if (!c.is_first()) {
    p.was_lost = p.was_lost || p.is_ready;
    if (p.is_ready) leave(p);
    return;
  }
  std::string what(load::blame_name(blame));
  if (code != Errc::kOk) what += " HY-" + std::to_string(static_cast<int>(code));
  ++errors_[what];
  if (p.is_ready) {
    ++counts_.lost;
    ++p.moves;
    p.was_lost = true;
    leave(p);
    if (!keeps_connected_) return;
    p.intended_dial = now();
    const std::chrono::milliseconds window(c.storm_window_ms());
    dials_.push({now() + part(window, setup_.run ^ ++draws_), c.index});
    return;
  }
  --under_way_;
  ++counts_.failed;
  if (p.was_lost) ++p.moves;
  if (!is_stubborn_ && !keeps_connected_) return;
  const auto most = std::min(kBackoffMax, kBackoffMin * (1U << std::min(p.tries, kDoublingsMax)));
  ++p.tries;
  dials_.push({now() + part(most, setup_.run ^ c.uid().value() ^ ++draws_), c.index});
}

void Swarm::leave(Person& p) {
  p.is_ready = false;
  p.has_missed = true;
  p.owes_resends = p.unanswered > 0;
  if (p.client->is_first()) --open_;
  if (p.is_catching_up) --catching_up_;
  p.is_catching_up = p.is_hinted = false;
  // What was held back is on the device and waits for the next connection: its hole is still open.
  note(p, Mark::kClosed, p.client->conn_counter());
}

void Swarm::mark_bystanders() {
  marks_bystanders_ = true;
  dial_at_once_ = static_cast<std::uint32_t>(people_.size());  // they come when they want to
  for (Person& p : people_) p.was_lost = false;
}

std::uint32_t Swarm::drop(double share, std::uint64_t seed) {
  std::uint32_t dropped = 0;
  for (Person& p : people_) {
    if (!p.is_ready) continue;
    if (static_cast<double>(mix64(seed ^ p.client->uid().value()) % kParts) >=
        share * static_cast<double>(kParts))
      continue;
    leave(p);
    if (!p.client->is_first()) continue;
    p.client->close();
    ++dropped;
  }
  return dropped;
}

void Swarm::leave_odd() {
  for (std::size_t i = 1; i < people_.size(); i += 2) {
    if (!people_[i].is_ready) continue;
    people_[i].client->close();
    leave(people_[i]);
  }
}

void Swarm::work_churn(MonoTime t) {
  next_churn_ = t + 1s;
  const double each = mix_.churn_per_min / 60;
  for (Person& p : people_) {
    if (!p.is_ready || p.is_catching_up) continue;
    if (static_cast<double>(mix64(setup_.run ^ ++draws_) % kParts) >=
        each * static_cast<double>(kParts))
      continue;
    p.client->close();
    leave(p);
    const auto away = 1s + part(10s, setup_.run ^ ++draws_);
    p.intended_dial = t + away;
    dials_.push({t + away, p.client->index});
  }
}

}  // namespace hy::bench
