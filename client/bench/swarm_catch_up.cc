#include <algorithm>

#include "client/bench/swarm.h"

// What a person has of the conversation, and how it fetches what it misses.
namespace hy::bench {
namespace {

constexpr Millis kAskAgainAfter{1'000};

}  // namespace

bool Swarm::knows(const Person& p, std::uint32_t seq) {
  return seq <= p.contiguous || std::ranges::find(p.ahead, seq) != p.ahead.end();
}

void Swarm::know(Person& p, std::uint32_t seq) {
  if (seq <= p.contiguous) return;
  if (seq != p.contiguous + 1) {
    if (std::ranges::find(p.ahead, seq) == p.ahead.end()) p.ahead.push_back(seq);
    return;
  }
  ++p.contiguous;
  while (!p.ahead.empty()) {
    const auto next = std::ranges::find(p.ahead, p.contiguous + 1);
    if (next == p.ahead.end()) return;
    *next = p.ahead.back();
    p.ahead.pop_back();
    ++p.contiguous;
  }
}

void Swarm::on_hint(load::LightClient& c) {
  Person& p = people_[c.index];
  ++counts_.hints;
  if (p.is_catching_up) return;
  p.has_missed = true;  // later pushes wait until the earlier rows are here
  c.sync({});
}

void Swarm::on_sync_refused(load::LightClient& c, Millis retry_after) {
  ++errors_["sync refused"];
  resends_.push({now() + std::max<Millis>(kAskAgainAfter, retry_after), c.index});
}

void Swarm::catch_up_all() {
  for (Person& p : people_) {
    const bool is_whole =
        p.ahead.empty() && !p.has_missed && is_through(p) && is_through(peer_of(p));
    if (p.is_ready && !p.is_catching_up && !is_whole) {
      p.has_missed = true;
      p.client->sync({});
    }
  }
}

void Swarm::begin_catch_up(Person& p) {
  p.is_catching_up = true;
  ++catching_up_;
  p.client->pull(conversation_of(p), std::uint64_t{p.contiguous} + 1, 0);
}

void Swarm::on_slice(load::LightClient& c, ConversationId conversation,
                     std::span<const load::PushView> rows, std::uint64_t head, bool more) {
  Person& p = people_[c.index];
  if (!p.is_catching_up) return;
  if (conversation != conversation_of(p)) {
    ++errors_["pull refused"];
    p.is_catching_up = false;
    --catching_up_;
    resends_.push({now() + kAskAgainAfter, c.index});  // its SYNC begins anew
    return;
  }
  for (const load::PushView& row : rows) take_row(p, row);
  if (more && !rows.empty()) return c.pull(conversation, rows.back().seq + 1, 0);
  (void)head;
  end_catch_up(p);
}

void Swarm::take_row(Person& p, const load::PushView& row) {
  const auto seq = static_cast<std::uint32_t>(row.seq);
  if (knows(p, seq)) return;
  std::uint16_t extra = 0;
  const std::uint32_t number = number_of(row.sender, row, extra);
  if (row.sender == p.client->uid()) {
    Pending* const m = pending_of(p, number);
    if (m != nullptr && !m->is_answered)
      stored(p, *m, number, seq, Mark::kPulledOwn);
    else
      note(p, Mark::kPulledOwn, number, seq, extra);
    know(p, seq);
    return;
  }
  const auto held = std::ranges::find(p.held, seq, &Held::seq);
  if (held != p.held.end()) {
    note(p, Mark::kShown, held->number, seq);
    p.held.erase(held);
  } else {
    note(p, Mark::kPulled, number, seq, extra);
  }
  ++counts_.pulled;
  know(p, seq);
  p.shown.add({seq, number});
  if (number != 0) delivered(peer_of(p), number);
}

void Swarm::end_catch_up(Person& p) {
  if (p.is_catching_up) --catching_up_;
  p.is_catching_up = false;
  p.has_missed = false;
  std::ranges::sort(p.held, {}, &Held::seq);
  for (const Held& held : std::exchange(p.held, {})) {
    note(p, Mark::kShown, held.number, held.seq);
    know(p, held.seq);
    p.shown.add({held.seq, held.number});
    if (held.number != 0) delivered(peer_of(p), held.number);
  }
  // What the log does not have was not stored: the same ids once more.
  for (std::size_t i = 0; i < p.pending.size(); ++i) {
    if (!p.pending[i].is_answered) resend(p, p.first + static_cast<std::uint32_t>(i));
  }
}

}  // namespace hy::bench
