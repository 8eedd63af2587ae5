#include <algorithm>

#include "client/bench/swarm.h"

// Messages of a swarm: when who sends, and what comes back.
namespace hy::bench {
namespace {

using namespace std::chrono_literals;

constexpr Millis kRefillAfter{20};  // closed loop: after a refusal that names no time
constexpr auto kResendAfter = 1s;   // RELAYED: the same id again
constexpr std::uint64_t kParts = 1'000'000;

std::int64_t us(std::chrono::nanoseconds d) {
  return d.count() / 1'000;
}

}  // namespace

Mix Mix::named(const std::string& name) {
  if (name == "social") return {.active_share = 0.3, .active_weight = 0.9, .churn_per_min = 0.2};
  if (name == "service") return {.active_share = 1, .active_weight = 1, .is_one_way = true};
  if (name == "office") return {.active_share = 0.2, .active_weight = 0.8, .churn_per_min = 0.02};
  return {};
}

void Swarm::start_open(double rate, MonoTime at, const Mix& mix,
                       std::chrono::milliseconds skip_late) {
  skip_late_ = skip_late;
  rate_ = rate;
  send_from_ = at;
  sends_made_ = 0;
  outstanding_ = 0;
  mix_ = mix;
  next_churn_ = mix.churn_per_min > 0 ? at : MonoTime::max();
}

void Swarm::start_closed(std::uint32_t outstanding) {
  rate_ = 0;
  outstanding_ = outstanding;
  refill_all();
}

void Swarm::start_flood(std::uint32_t each, std::uint32_t outstanding) {
  rate_ = 0;
  outstanding_ = outstanding;
  is_flood_ = true;
  for (std::size_t i = 0; i < people_.size(); i += 2) people_[i].to_flood = each;
  for (Line& line : lines_.all()) line.flooding = 0;
  refill_all();
}

bool Swarm::is_flood_over() {
  return std::ranges::all_of(lines_.all(), [this](Line& line) {
    return line.unanswered == 0 && next_of(line) == nullptr;
  });
}

void Swarm::stop_sending() {
  rate_ = 0;
  outstanding_ = 0;
  is_flood_ = false;
  next_churn_ = MonoTime::max();
  refills_ = {};
  for (Line& line : lines_.all()) line.has_to_wait = false;
}

void Swarm::refill_all() {
  for (Line& line : lines_.all()) refill(line);
}

void Swarm::refill(Line& line) {
  while (!line.has_to_wait && line.unanswered < outstanding_) {
    Person* const p = next_of(line);
    if (p == nullptr || !p->is_ready || p->owes_resends) return;
    if (is_flood_) --p->to_flood;
    const MonoTime t = now();
    send(*p, t, t);
  }
}

Swarm::Person* Swarm::next_of(Line& line) {
  const std::size_t seats = line.seats.size();
  if (is_flood_) {
    while (line.flooding < seats && people_[line.seats[line.flooding]->index].to_flood == 0)
      ++line.flooding;
    return line.flooding < seats ? &people_[line.seats[line.flooding]->index] : nullptr;
  }
  if (seats == 1) return &people_[line.seats.front()->index];
  const std::uint64_t draw = mix64(setup_.run ^ line.client.uid().value() ^ mix64(++line.draws));
  return &people_[line.seats[draw % seats]->index];
}

MonoTime Swarm::intended_at(std::uint64_t n) const {
  return send_from_ +
         std::chrono::nanoseconds(static_cast<std::int64_t>(static_cast<double>(n) * 1e9 / rate_));
}

std::uint64_t Swarm::backlog(MonoTime t) const {
  if (rate_ <= 0 || t < send_from_) return 0;
  const auto due =
      static_cast<std::uint64_t>(std::chrono::duration<double>(t - send_from_).count() * rate_);
  return due > sends_made_ ? due - sends_made_ : 0;
}

std::size_t Swarm::pick(std::uint64_t n) {
  const std::size_t people = people_.size();
  const std::uint64_t draw = mix64(setup_.run ^ n);
  if (setup_.peers > 1) {
    const Line& line = lines_.all()[n % lines_.all().size()];
    return line.seats[draw % line.seats.size()]->index;
  }
  if (mix_.is_one_way) {
    const std::size_t pair = n % (people / 2);
    return 2 * pair + (draw % 10 == 0 ? 1 : 0);
  }
  if (takes_turns()) return n % people;
  const auto active = std::max<std::size_t>(
      1, static_cast<std::size_t>(static_cast<double>(people) * mix_.active_share));
  const bool is_active =
      static_cast<double>(draw % kParts) < mix_.active_weight * static_cast<double>(kParts);
  const std::uint64_t who = mix64(draw);
  return is_active || active == people ? who % active : active + who % (people - active);
}

void Swarm::work_open(MonoTime t) {
  const std::uint64_t first = sends_made_;
  std::uint64_t end = first;
  while (intended_at(end) <= t) ++end;
  // Who is due more than once, because the generator is behind, sends it all in one go: each visit
  // of a person costs as much as a message.
  const std::uint64_t round =
      takes_turns() ? people_.size() : std::max<std::uint64_t>(end - first, 1);
  for (std::uint64_t at = first; at < std::min(first + round, end); ++at) {
    for (std::uint64_t n = at; n < end; n += round) send_due(n);
  }
  sends_made_ = end;
}

void Swarm::send_due(std::uint64_t n) {
  Person& p = people_[pick(n)];
  const MonoTime intended = intended_at(n);
  const MonoTime t = now();
  ++counts_.due;
  if (!p.is_ready || p.owes_resends || (skip_late_.count() > 0 && t - intended > skip_late_)) {
    ++counts_.missed;
    return;
  }
  curves_.lag.record(us(t - intended));
  send(p, intended, t);
}

void Swarm::send(Person& p, MonoTime intended, MonoTime t) {
  const auto number = p.first + static_cast<std::uint32_t>(p.pending.size());
  if (number > p.client->last_number) return;
  Seat& c = *p.client;
  const ClientMsgId id = message_id(setup_.run, c.uid(), number, unix_ms(t));
  p.pending.push_back({.intended = intended, .sent = t, .is_alone = c.line().unanswered == 0});
  ++p.unanswered;
  ++c.line().unanswered;
  ++counts_.sent;
  note_at(t, p, Mark::kSent, number);
  c.send(number, peer_of(p).client->uid(), as_text(id.bytes),
         bodies_.make(c.uid().value(), number, setup_.size));
}

void Swarm::resend(Person& p, std::uint32_t number) {
  const Pending* const m = pending_of(p, number);
  if (m == nullptr || m->is_answered || !p.is_ready) return;
  const Uid own = p.client->uid();
  const ClientMsgId id = message_id(setup_.run, own, number, unix_ms(m->sent));
  note(p, Mark::kSentAgain, number);
  p.client->send(number, peer_of(p).client->uid(), as_text(id.bytes),
                 bodies_.make(own.value(), number, setup_.size));
}

void Swarm::work_resends(MonoTime t, MonoTime& next) {
  while (!resends_.empty() && resends_.top().at <= t) {
    const Due due = resends_.top();
    resends_.pop();
    Person& p = people_[due.index];
    if (due.number > 0)
      resend(p, due.number);
    else if (p.client->is_open())
      p.client->sync({});
  }
  if (!resends_.empty()) next = std::min(next, resends_.top().at);
}

void Swarm::work_refills(MonoTime t, MonoTime& next) {
  while (!refills_.empty() && refills_.top().at <= t) {
    Line& line = people_[refills_.top().index].client->line();
    refills_.pop();
    line.has_to_wait = false;
    refill(line);
  }
  if (!refills_.empty()) next = std::min(next, refills_.top().at);
}

std::int64_t Swarm::unix_ms(MonoTime t) const {
  return opened_unix_ms_ +
         std::chrono::duration_cast<std::chrono::milliseconds>(t - opened_at_).count();
}

Swarm::Pending* Swarm::pending_of(Person& p, std::uint32_t number) {
  const std::uint32_t at = number - p.first;
  return at < p.pending.size() ? &p.pending[at] : nullptr;
}

void Swarm::forget_finished(Person& p) {
  while (!p.pending.empty() && p.pending.front().is_done()) {
    p.pending.pop_front();
    ++p.first;
  }
}

void Swarm::on_reply(Seat& c, std::uint32_t number, const load::SendReply& reply) {
  Person& p = people_[c.index];
  Pending* const m = pending_of(p, number);
  if (m == nullptr || m->is_answered) return;
  switch (reply.kind) {
    case load::SendReply::Kind::kStored:
      stored(p, *m, number, static_cast<std::uint32_t>(reply.seq), Mark::kStored);
      break;
    case load::SendReply::Kind::kRelayed:
      // Reached the device and is not saved: no answer yet, the same id goes again.
      ++counts_.relayed;
      resends_.push({now() + kResendAfter, c.index, number});
      return;
    case load::SendReply::Kind::kRefused:
      m->is_answered = true;
      m->is_over = true;
      answered(p);
      ++counts_.refused;
      ++refused_[reply.code];
      note(p, Mark::kRefused, number, 0, static_cast<std::uint16_t>(reply.code));
      forget_finished(p);
      if (outstanding_ == 0) return;
      if (is_flood_) {
        ++p.to_flood;
        c.line().flooding = 0;
      }
      if (!std::exchange(c.line().has_to_wait, true))
        refills_.push({now() + std::max<Millis>(kRefillAfter, reply.retry_after), c.index});
      return;
  }
  refill(c.line());
}

void Swarm::answered(Person& p) {
  --p.unanswered;
  --p.client->line().unanswered;
}

void Swarm::stored(Person& p, Pending& m, std::uint32_t number, std::uint32_t seq, Mark how) {
  const MonoTime t = now();
  m.is_answered = true;
  m.seq = seq;
  answered(p);
  ++counts_.stored;
  curves_.stored.record(us(t - m.intended));
  if (m.is_alone) curves_.stored_raw.record(us(t - m.sent));
  note_at(t, p, how, number, seq);
  know(p, seq);
  show_reached(p);
  confirm(p, p.receipted_at);
}

std::uint32_t Swarm::number_of(Uid sender, const load::PushView& push, std::uint16_t& extra) {
  const std::uint32_t number = BodyMaker::number_of(push.body);
  extra = kWrongContent;
  if (!is_message_id(push.id, setup_.run, sender, number)) return 0;
  if (bodies_.is_right(push.body, sender.value(), setup_.size)) extra = 0;
  return number;
}

void Swarm::delivered(Person& sender, std::uint32_t number) {
  Pending* const m = pending_of(sender, number);
  if (m == nullptr || m->is_delivered) return;
  m->is_delivered = true;
  const MonoTime t = now();
  ++counts_.delivered;
  curves_.delivered.record(us(t - m->intended));
  if (m->is_alone) curves_.delivered_raw.record(us(t - m->sent));
  if (marks_bystanders_ && !sender.was_lost && !peer_of(sender).was_lost)
    curves_.bystander.record(us(t - m->intended));
  if (m->is_over) forget_finished(sender);
}

void Swarm::on_push(Seat& c, std::uint32_t n, const load::PushView& push) {
  Person& p = people_[c.index];
  if (n <= p.last_push) {
    ++counts_.pushed_again;
    return;
  }
  p.last_push = n;
  Person& sender = peer_of(p);
  if (push.sender != sender.client->uid() || push.is_provisional) return note(p, Mark::kSkipped, 0);
  const auto seq = static_cast<std::uint32_t>(push.seq);
  std::uint16_t extra = 0;
  const std::uint32_t number = number_of(push.sender, push, extra);
  const auto held = std::ranges::find(p.held, seq, &Held::seq);
  const bool is_held = held != p.held.end();
  const auto fate =
      is_held ? (held->number == number ? ShownLately::Fate::kAgain : ShownLately::Fate::kOther)
              : p.shown.fate({seq, number}, knows(p, seq));
  if (fate == ShownLately::Fate::kAgain && extra == 0) {
    // An app drops it by its seq, whatever its push number.
    ++counts_.pushed_again;
    return note(p, Mark::kSkipped, 0);
  }
  if (fate == ShownLately::Fate::kOther) extra |= clash(p, seq, number);
  // What contradicts something is told as it comes: no hole will ever be closed for it.
  if (fate == ShownLately::Fate::kNew && seq != p.contiguous + 1)
    return hold(p, {seq, number}, extra);
  note(p, Mark::kPushed, number, seq, extra);
  know(p, seq);
  p.shown.add({seq, number});
  if (number != 0) delivered(sender, number);
  show_reached(p);
}

std::uint16_t Swarm::clash(Person& p, std::uint32_t seq, std::uint32_t number) {
  const std::uint32_t earlier = p.shown.seq_of(number).value_or(seq);
  return earlier <= books_[p.client->index / 2].base ? kShownBefore : 0;
}

void Swarm::on_ack(Seat& c, std::uint32_t n) {
  note(people_[c.index], Mark::kAcked, n);
}

void Swarm::on_receipt(Seat& c, ConversationId conversation, std::uint64_t up_to, Uid by) {
  Person& p = people_[c.index];
  if (by != peer_of(p).client->uid() || conversation != conversation_of(p)) return;
  ++counts_.receipts;
  note(p, Mark::kReceipt, 0, up_to);
  p.receipted = std::max(p.receipted, static_cast<std::uint32_t>(up_to));
  p.receipted_at = now();
  confirm(p, p.receipted_at);
}

void Swarm::confirm(Person& p, MonoTime at) {
  // A sender's seqs rise with its numbers: what a receipt covers is in front.
  for (std::size_t i = 0; i < p.pending.size(); ++i) {
    Pending& m = p.pending[i];
    if (m.is_over) continue;
    if (m.seq == 0 || m.seq > p.receipted) break;
    m.is_over = true;
    ++counts_.confirmed;
    curves_.confirmed.record(us(at - m.intended));
    if (m.is_alone) curves_.confirmed_raw.record(us(at - m.sent));
  }
  forget_finished(p);
  const std::size_t pair = p.client->index / 2;
  if (p.pending.empty() && books_[pair].records.size() >= cut_at_) cut(pair);
}

}  // namespace hy::bench
