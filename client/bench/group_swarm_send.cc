#include <fmt/format.h>

#include <algorithm>

#include "client/bench/group_swarm.h"
#include "client/load/proto_scan.h"

// Messages of groups: when who sends, what comes to whom, and whether it is right.
namespace hy::bench {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::milliseconds kRefillAfter{20};
constexpr auto kHoleWait = 200ms;  // a push left a hole: the late one may be on its way
constexpr std::uint32_t kKindEvent = 3;
constexpr int kNumberBits = 31;

std::int64_t us(std::chrono::nanoseconds d) {
  return d.count() / 1'000;
}

}  // namespace

void GroupSwarm::start_open(double rate, MonoTime at, std::chrono::milliseconds skip_late) {
  skip_late_ = skip_late;
  rate_ = rate;
  send_from_ = at;
  sends_made_ = 0;
  outstanding_ = 0;
}

void GroupSwarm::start_closed(std::uint32_t outstanding) {
  rate_ = 0;
  outstanding_ = outstanding;
  for (Group& g : groups_) refill(g);
}

void GroupSwarm::stop_sending() {
  rate_ = 0;
  outstanding_ = 0;
  refills_ = {};
  for (Group& g : groups_) g.has_to_wait = false;
}

MonoTime GroupSwarm::next_send() const {
  return send_from_ + std::chrono::nanoseconds(static_cast<std::int64_t>(
                          static_cast<double>(sends_made_) * 1e9 / rate_));
}

std::uint64_t GroupSwarm::backlog(MonoTime t) const {
  if (rate_ <= 0 || t < send_from_) return 0;
  const auto due =
      static_cast<std::uint64_t>(std::chrono::duration<double>(t - send_from_).count() * rate_);
  return due > sends_made_ ? due - sends_made_ : 0;
}

void GroupSwarm::work_open(MonoTime t) {
  for (;;) {
    const MonoTime intended = next_send();
    if (intended > t) return;
    Group& g = groups_[sends_made_ % groups_.size()];
    ++sends_made_;
    ++counts_.due;
    const std::uint32_t place = next_sender(g);
    if (place == setup_.members || (skip_late_.count() > 0 && t - intended > skip_late_)) {
      ++counts_.missed;
      continue;
    }
    curves_.lag.record(us(now() - intended));
    send(g, place, intended);
  }
}

std::uint32_t GroupSwarm::next_sender(Group& g) {
  if (!g.is_made) return setup_.members;
  for (std::uint32_t i = 0; i < setup_.members; ++i) {
    const std::uint32_t place = g.round++ % setup_.members;
    if (member(g, place).is_ready) return place;
  }
  return setup_.members;
}

void GroupSwarm::refill(Group& g) {
  while (outstanding_ > 0 && !g.has_to_wait && g.in_flight < outstanding_) {
    const std::uint32_t place = next_sender(g);
    if (place == setup_.members) return;
    send(g, place, now());
  }
}

void GroupSwarm::send(Group& g, std::uint32_t place, MonoTime intended) {
  const auto number = g.first + static_cast<std::uint32_t>(g.flights.size());
  if (number >> kNumberBits != 0) return;
  Flight f{};
  f.intended = intended;
  f.sender = place;
  g.flights.push_back(f);
  ++g.in_flight;
  ++counts_.sent;
  write(g, number, false);
}

void GroupSwarm::write(Group& g, std::uint32_t number, bool again) {
  Flight& f = *flight_of(g, number);
  f.was_resent = f.was_resent || again;
  load::LightClient& c = *member(g, f.sender).client;
  const ClientMsgId id = message_id(setup_.run, c.uid(), number, unix_ms(f.intended));
  c.send(number, Gid{g.conversation.lo}, as_text(id.bytes),
         bodies_.make(c.uid().value(), number, setup_.size));
}

GroupSwarm::Flight* GroupSwarm::flight_of(Group& g, std::uint32_t number) {
  const std::uint32_t at = number - g.first;
  return at < g.flights.size() ? &g.flights[at] : nullptr;
}

void GroupSwarm::end_flight(Group& g, Flight& f) {
  if (f.is_over) return;
  f.is_over = true;
  --g.in_flight;
}

void GroupSwarm::forget_finished(Group& g) {
  while (!g.flights.empty() && g.flights.front().is_over) {
    g.flights.pop_front();
    ++g.first;
  }
}

void GroupSwarm::on_reply(load::LightClient& c, std::uint32_t number,
                          const load::SendReply& reply) {
  Member& m = members_[c.index];
  Group& g = group_of(m);
  Flight* const f = flight_of(g, number);
  if (f == nullptr || f->is_answered || f->sender != c.index % setup_.members) return;
  if (reply.kind == load::SendReply::Kind::kRefused ||
      reply.kind == load::SendReply::Kind::kRelayed) {
    const bool is_refused = reply.kind == load::SendReply::Kind::kRefused;
    if (!is_refused) wrong(&Ledger::dishonest, "RELAYED, which no group message is");
    ++(is_refused ? counts_.refused : counts_.relayed);
    ++errors_["send refused HY-" + std::to_string(static_cast<int>(reply.code))];
    f->is_answered = true;
    end_flight(g, *f);
    forget_finished(g);
    const auto place = static_cast<std::uint32_t>(&g - groups_.data());
    if (outstanding_ > 0 && !std::exchange(g.has_to_wait, true))
      refills_.push({now() + std::max<Millis>(kRefillAfter, reply.retry_after), place});
    return;
  }
  const auto seq = static_cast<std::uint32_t>(reply.seq);
  f->is_answered = true;
  ++counts_.stored;
  curves_.stored.record(us(now() - f->intended));
  g.head = std::max(g.head, seq);
  if (!stands_at(g, seq, number))
    wrong(&Ledger::dishonest,
          fmt::format("STORED group {} seq {} is another message's", g.conversation.lo, reply.seq));
  if (f->shown + 1 >= setup_.members) end_flight(g, *f);
  forget_finished(g);
  arrived(m, g, seq, 0);
  refill(g);
}

std::uint32_t GroupSwarm::check(Group& g, const load::PushView& push) {
  ++found_.looked_at;
  if (push.kind == kKindEvent) return 0;
  const std::uint32_t number = BodyMaker::number_of(push.body);
  const Flight* const f = flight_of(g, number);
  // A message that everybody has is forgotten; it can only come again by a PULL.
  const Uid sender = f != nullptr ? member(g, f->sender).client->uid() : push.sender;
  const bool is_right = push.sender == sender && number < g.first + g.flights.size() &&
                        is_message_id(push.id, setup_.run, sender, number) &&
                        bodies_.is_right(push.body, sender.value(), setup_.size);
  if (!is_right)
    wrong(&Ledger::dishonest,
          fmt::format("CONTENT group {} seq {} from uid {} is not what was sent", g.conversation.lo,
                      push.seq, push.sender.value()));
  return is_right ? number : 0;
}

bool GroupSwarm::stands_at(Group& g, std::uint32_t seq, std::uint32_t number) {
  if (number == 0 || seq < g.first_seq) return true;  // everybody had it
  Seen seen{number, setup_.members, false};
  if (Flight* const f = flight_of(g, number); f != nullptr) {
    seen.sender = f->sender;
    seen.was_resent = f->was_resent;
    if (f->seq != 0 && f->seq != seq) {
      wrong(&Ledger::shown_twice, fmt::format("TWICE group {} message {} at seq {} and {}",
                                              g.conversation.lo, number, f->seq, seq));
      return true;
    }
    f->seq = seq;
  }
  while (g.numbers.size() <= seq - g.first_seq) g.numbers.push_back({});
  Seen& known = g.numbers[seq - g.first_seq];
  if (known.number == 0) known = seen;
  return known.number == number;
}

void GroupSwarm::on_push(load::LightClient& c, std::uint32_t n, const load::PushView& push) {
  Member& m = members_[c.index];
  Group& g = group_of(m);
  if (n <= m.last_push) {
    ++counts_.pushed_again;
    return;
  }
  m.last_push = n;
  if (!g.is_made && push.kind == kKindEvent) {
    // The event may be here before the answer to who asked for it.
    load::FieldReader event(as_bytes(push.body));
    while (event.next()) {
      if (event.field() == 1 && as_text(event.bytes()) == name_of(g))
        g.conversation = push.conversation;
    }
  }
  if (push.conversation != g.conversation) return;  // a group of an earlier run
  const auto seq = static_cast<std::uint32_t>(push.seq);
  if (push.is_provisional) {
    wrong(&Ledger::dishonest, "a provisional message in a group");
    return;
  }
  const std::uint32_t number = check(g, push);
  g.head = std::max(g.head, seq);
  if (!stands_at(g, seq, number))
    wrong(&Ledger::dishonest, fmt::format("AGREE group {} seq {} is not what others saw there",
                                          g.conversation.lo, seq));
  if (!g.is_made) {
    m.contiguous = std::max(m.contiguous, seq);
    return;
  }
  const bool is_known =
      seq <= m.contiguous || std::ranges::find(m.ahead, seq, &Ahead::seq) != m.ahead.end();
  if (is_known) {
    ++counts_.pushed_again;
    return;
  }
  arrived(m, g, seq, number);
}

void GroupSwarm::arrived(Member& m, Group& g, std::uint32_t seq, std::uint32_t number) {
  if (seq <= m.contiguous) return;
  if (seq == m.contiguous + 1) {
    m.contiguous = seq;
    show(m, g, number);
    if (!m.ahead.empty()) show_ahead(m, g);
    return;
  }
  if (std::ranges::find(m.ahead, seq, &Ahead::seq) != m.ahead.end()) return;
  m.ahead.push_back({seq, number});
  if (!std::exchange(m.awaits_hole, true)) holes_.push({now() + kHoleWait, m.client->index});
}

void GroupSwarm::show_ahead(Member& m, Group& g) {
  for (;;) {
    const auto next = std::ranges::find(m.ahead, m.contiguous + 1, &Ahead::seq);
    if (next == m.ahead.end()) return;
    const std::uint32_t number = next->number;
    m.ahead.erase(next);
    ++m.contiguous;
    show(m, g, number);
  }
}

void GroupSwarm::show(Member& m, Group& g, std::uint32_t number) {
  Flight* const f = flight_of(g, number);
  if (number == 0 || f == nullptr || f->sender == m.client->index % setup_.members) return;
  ++counts_.delivered;
  curves_.delivered.record(us(now() - f->intended));
  ++f->shown;
  if (!f->is_answered || f->shown + 1 < setup_.members) return;
  end_flight(g, *f);
  forget_finished(g);
  refill(g);
}

void GroupSwarm::on_receipt(load::LightClient& c, ConversationId conversation, std::uint64_t up_to,
                            Uid by) {
  Group& g = group_of(members_[c.index]);
  if (conversation != g.conversation) return;
  for (std::uint32_t i = 0; i < setup_.members; ++i) {
    const Member& m = member(g, i);
    if (m.client->uid() != by) continue;
    std::uint64_t has = m.contiguous;
    for (const Ahead& row : m.ahead) has = std::max<std::uint64_t>(has, row.seq);
    ++counts_.confirmed;
    if (up_to > has)
      wrong(&Ledger::dishonest,
            fmt::format("RECEIPT of seq {} by uid {} who has {}", up_to, by.value(), has));
    return;
  }
}

void GroupSwarm::forget_numbers(Group& g) {
  if (g.numbers.empty()) return;
  std::uint32_t all = g.head;
  for (std::uint32_t i = 0; i < setup_.members; ++i) all = std::min(all, member(g, i).contiguous);
  while (!g.numbers.empty() && g.first_seq <= all) {
    const Seen seen = g.numbers.front();
    if (seen.number != 0 && seen.sender < setup_.members) {
      Member& sender = member(g, seen.sender);
      if (seen.number < sender.last_number && !seen.was_resent)
        wrong(&Ledger::out_of_order,
              fmt::format("ORDER group {} seq {}: message {} of uid {} stands behind its {}",
                          g.conversation.lo, g.first_seq, seen.number, sender.client->uid().value(),
                          sender.last_number));
      sender.last_number = std::max(sender.last_number, seen.number);
    }
    g.numbers.pop_front();
    ++g.first_seq;
  }
}

}  // namespace hy::bench
