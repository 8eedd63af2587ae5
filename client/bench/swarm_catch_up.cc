#include <algorithm>

#include "client/bench/swarm.h"

// What a person has of the conversation, and how it fetches what it misses.
namespace hy::bench {
namespace {

constexpr Millis kAskAgainAfter{1'000};
// As the SDK: a moment for the late one, then PULL; longer after an answer that did not bring it.
constexpr Millis kHoleWait{100};
constexpr Millis kHoleWaitAgain{500};
constexpr std::size_t kHeldMax =
    1'024;  // of one person; what is more is on its disk, and will be pulled
constexpr std::size_t kHeldKept = 16;  // room that an idle connection may keep

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

void Swarm::hold(Person& p, Held row, std::uint16_t extra) {
  await_hole(p, kHoleWait);
  note(p, Mark::kHeld, row.number, row.seq, extra);
  if (p.held.size() < kHeldMax) p.held.push_back(row);
}

void Swarm::show(Person& p, Held row) {
  note(p, Mark::kShown, row.number, row.seq);
  know(p, row.seq);
  p.shown.add({row.seq, row.number});
  if (row.number != 0) delivered(peer_of(p), row.number);
}

void Swarm::show_reached(Person& p) {
  while (!p.held.empty()) {
    const auto next = std::ranges::find(p.held, p.contiguous + 1, &Held::seq);
    if (next == p.held.end()) return;
    const Held row = *next;
    *next = p.held.back();
    p.held.pop_back();
    show(p, row);
    if (p.held.empty() && p.held.capacity() > kHeldKept) std::vector<Held>().swap(p.held);
  }
}

void Swarm::await_hole(Person& p, std::chrono::milliseconds wait) {
  // A fetch that is under way, or a SYNC that leads to one, will close it.
  if (p.awaits_hole || p.is_catching_up || p.has_missed) return;
  p.awaits_hole = true;
  holes_.push({now() + wait, p.client->index});
}

void Swarm::work_holes(MonoTime t, MonoTime& next) {
  while (!holes_.empty() && holes_.top().at <= t) {
    Person& p = people_[holes_.top().index];
    holes_.pop();
    p.awaits_hole = false;
    if (p.is_ready && !p.held.empty() && !p.is_catching_up && !p.has_missed)
      begin_catch_up(p, true);
  }
  if (!holes_.empty()) next = std::min(next, holes_.top().at);
}

void Swarm::on_hint(Seat& c) {
  Person& p = people_[c.index];
  ++counts_.hints;
  // What is being fetched may have been read before the hinted row was there.
  if (p.is_catching_up) {
    p.is_hinted = true;
    return;
  }
  p.has_missed = true;
  c.sync({});
}

void Swarm::on_sync_refused(Seat& c, Millis retry_after) {
  ++errors_["sync refused"];
  resends_.push({now() + std::max<Millis>(kAskAgainAfter, retry_after), c.index});
}

void Swarm::catch_up_all() {
  for (Person& p : people_) {
    const bool is_whole = p.ahead.empty() && p.held.empty() && !p.has_missed && is_through(p) &&
                          is_through(peer_of(p));
    if (!p.is_ready || is_whole) continue;
    if (p.is_catching_up) {
      p.is_hinted = true;
      continue;
    }
    p.has_missed = true;
    p.client->sync({});
  }
}

void Swarm::begin_catch_up(Person& p, bool for_hole) {
  p.is_catching_up = true;
  p.asks_for_hole = for_hole;
  ++catching_up_;
  p.client->pull(conversation_of(p), std::uint64_t{p.contiguous} + 1, 0);
}

void Swarm::on_slice(Seat& c, ConversationId conversation, std::span<const load::PushView> rows,
                     std::uint64_t head, bool more) {
  Person& p = people_[c.index];
  if (!p.is_catching_up) return;
  if (conversation != conversation_of(p)) {
    ++errors_["pull refused"];
    p.is_catching_up = false;
    --catching_up_;
    if (p.asks_for_hole && !p.is_hinted) return await_hole(p, kAskAgainAfter);
    resends_.push({now() + kAskAgainAfter, c.index});  // its SYNC begins anew
    return;
  }
  for (const load::PushView& row : rows) {
    take_row(p, row);
    show_reached(p);
  }
  if (more && !rows.empty()) return c.pull(conversation, rows.back().seq + 1, 0);
  (void)head;
  end_catch_up(p, rows.empty() ? 0 : static_cast<std::uint32_t>(rows.back().seq));
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
  ++counts_.pulled;
  const auto held = std::ranges::find(p.held, seq, &Held::seq);
  if (held != p.held.end()) {
    const Held known = *held;
    p.held.erase(held);
    return show(p, known);
  }
  note(p, Mark::kPulled, number, seq, extra);
  know(p, seq);
  p.shown.add({seq, number});
  if (number != 0) delivered(peer_of(p), number);
}

void Swarm::end_catch_up(Person& p, std::uint32_t seen_to) {
  if (p.is_catching_up) --catching_up_;
  p.is_catching_up = false;
  p.has_missed = false;
  // What the log does not have will not come; the judge knows whether it was promised.
  if (seen_to > p.contiguous) {
    std::erase_if(p.ahead, [seen_to](std::uint32_t seq) { return seq <= seen_to; });
    p.contiguous = seen_to - 1;
    know(p, seen_to);
    std::ranges::sort(p.held, {}, &Held::seq);
    const auto above = std::ranges::upper_bound(p.held, seen_to, {}, &Held::seq);
    const std::vector<Held> below(p.held.begin(), above);
    p.held.erase(p.held.begin(), above);
    for (const Held& row : below) show(p, row);
  }
  show_reached(p);
  if (std::exchange(p.is_hinted, false)) {
    p.has_missed = true;
    return p.client->sync({});
  }
  if (!p.held.empty()) await_hole(p, kHoleWaitAgain);
  if (std::exchange(p.asks_for_hole, false) && !p.owes_resends) return;
  // After a loss: what the log does not have was not stored: the same ids once more.
  for (std::size_t i = 0; i < p.pending.size(); ++i) {
    if (!p.pending[i].is_answered) resend(p, p.first + static_cast<std::uint32_t>(i));
  }
  if (std::exchange(p.owes_resends, false)) refill(p.client->line());
}

}  // namespace hy::bench
