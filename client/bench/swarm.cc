#include "client/bench/swarm.h"

#include <algorithm>
#include <utility>

namespace hy::bench {
namespace {

using namespace std::chrono_literals;

constexpr auto kPingRound = 100ms;  // how often the people are looked through for pings
constexpr auto kForEver = 3600s;
constexpr std::size_t kCutRecordsMin = 512;
constexpr std::size_t kCutRecordsMinMany = 64;  // of each of many conversations
constexpr std::size_t kRecordsAtOnce = 65'536;  // judged together: about 30 MiB of histories

}  // namespace

Swarm::Swarm(Setup setup, load::Loop& loop, Random& random)
    : setup_(std::move(setup)),
      shared_{.loop = loop, .random = random, .listener = lines_},
      bodies_(setup_.run),
      lines_(*this),
      opened_at_(now()),
      opened_unix_ms_(SystemClock().wall_ms()),
      judge_(setup_.run) {
  shared_.server_key = setup_.server_key;
  // Seconds since 2020: above every counter of an earlier run with the same accounts.
  constexpr std::int64_t kFirstMs = 1'577'836'800'000;
  shared_.conn_counter = static_cast<std::uint32_t>((opened_unix_ms_ - kFirstMs) / 1'000);
  shared_.slot = setup_.slot;
  shared_.device_prefix = setup_.device_prefix;
  lines_.fill(shared_, std::move(setup_.people), setup_.peers);
  people_.resize(lines_.seats());
  books_.resize(people_.size() / 2);
  for (std::size_t i = 0; i < people_.size(); ++i) {
    people_[i].client = &lines_.seat(i);
    people_[i].first = people_[i].client->first_number;
    books_[i / 2].people[i % 2] = people_[i].client->uid();
  }
  // A quarter of the memory for what is being written, the rest for what waits
  // to be judged.
  cut_at_ = std::max(
      setup_.peers == 1 ? kCutRecordsMin : kCutRecordsMinMany,
      setup_.record_bytes_max / 4 / sizeof(Record) / std::max<std::size_t>(1, books_.size()));
}

std::map<std::string, std::uint64_t> Swarm::errors() const {
  std::map<std::string, std::uint64_t> out = errors_;
  for (const auto& [code, times] : refused_)
    out["send refused HY-" + std::to_string(static_cast<int>(code))] = times;
  return out;
}

ConversationId Swarm::conversation_of(const Person& p) const {
  const PairBook& book = books_[p.client->index / 2];
  return ConversationId::pair(book.people[0], book.people[1]);
}

// ── the book
// ──────────────────────────────────────────────────────────────────────────────────

void Swarm::note_at(MonoTime at, const Person& p, Mark mark, std::uint32_t number,
                    std::uint64_t seq, std::uint16_t extra) {
  const std::uint32_t i = p.client->index;
  std::deque<Record>& records = books_[i / 2].records;
  // A pair that never comes to rest cannot be cut: it may grow to all of the
  // memory's share.
  if (records.size() >= 4 * cut_at_ || judge_.waiting_bytes() > setup_.record_bytes_max) {
    ++records_dropped_;
    return;
  }
  records.push_back({.at = static_cast<std::uint32_t>((at - opened_at_).count() / kTickNs),
                     .seq = static_cast<std::uint32_t>(seq),
                     .number = number,
                     .mark = mark,
                     .side = static_cast<std::uint8_t>(i % 2),
                     .extra = extra});
}

void Swarm::cut(std::size_t pair) {
  Person* const both[2] = {&people_[2 * pair], &people_[2 * pair + 1]};
  for (const Person* p : both) {
    const bool is_at_rest = p->is_ready && p->unanswered == 0 && p->ahead.empty() &&
                            p->held.empty() && !p->has_missed && !p->is_catching_up &&
                            p->pending.empty();
    if (!is_at_rest) return;
  }
  if (both[0]->contiguous != both[1]->contiguous) return;
  PairBook& book = books_[pair];
  PairBook next;
  next.base = both[0]->contiguous;
  for (std::size_t side = 0; side < 2; ++side) {
    next.people[side] = book.people[side];
    next.pushes[side] = both[side]->last_push;
  }
  std::swap(next, book);
  judge_.add(std::move(next));
}

Ledger Swarm::judge() {
  for (const Person& p : people_) {
    const std::uint32_t i = p.client->index;
    books_[i / 2].is_drained[i % 2] =
        p.is_ready && !p.has_missed && !p.is_catching_up && p.unanswered == 0;
  }
  Ledger out = judge_.finish();
  std::vector<const PairBook*> batch;
  std::size_t records = 0;
  const auto flush = [&] {
    if (!batch.empty()) out.merge(judge_pairs(batch, setup_.run));
    batch.clear();
    records = 0;
  };
  // A device stands in a batch once: it knows nothing of the other conversations there. Each round
  // of pair_up has everybody once.
  const std::size_t round = lines_.all().size() / 2;
  for (std::size_t i = 0; i < books_.size(); ++i) {
    if (i % round == 0 || records >= kRecordsAtOnce) flush();
    if (books_[i].records.empty()) continue;
    batch.push_back(&books_[i]);
    records += books_[i].records.size();
  }
  flush();
  // What comes later is judged from here on.
  for (std::size_t i = 0; i < people_.size(); ++i) {
    PairBook& book = books_[i / 2];
    book.records = {};
    book.base = std::max(book.base, people_[i].contiguous);
    book.pushes[i % 2] = people_[i].last_push;
  }
  out.records_dropped = records_dropped_;
  return out;
}

// ── time
// ──────────────────────────────────────────────────────────────────────────────────────

MonoTime Swarm::work(MonoTime t) {
  MonoTime next = t + kForEver;
  work_dials(t, next);
  if (rate_ > 0) {
    work_open(t);
    next = std::min(next, next_send());
  }
  work_refills(t, next);
  work_resends(t, next);
  work_holes(t, next);
  if (t >= next_churn_) work_churn(t);
  next = std::min(next, next_churn_);
  if (t >= next_ping_round_) {
    next_ping_round_ = t + kPingRound;
    work_pings(t);
  }
  return std::min(next, next_ping_round_);
}

void Swarm::work_pings(MonoTime t) {
  for (const Line& line : lines_.all()) {
    Person& p = people_[line.seats.front()->index];
    if (!p.is_ready || t < p.next_ping) continue;
    p.next_ping = t + ping_of(p);
    if (outstanding_ > 0) continue;  // nobody is silent in a closed loop
    ++counts_.pings;
    p.client->ping();
  }
}

std::chrono::milliseconds Swarm::ping_of(const Person& p) const {
  if (ping_every_.count() > 0) return ping_every_;
  return std::chrono::milliseconds(std::max(1'000U, p.client->heartbeat_ms()));
}

bool Swarm::is_through(Person& p) {
  for (std::size_t i = 0; i < p.pending.size(); ++i) {
    const Pending& m = p.pending[i];
    if (!m.is_done() && !(m.is_answered && m.is_delivered)) return false;
  }
  return p.to_flood == 0;
}

bool Swarm::is_settled() {
  return catching_up_ == 0 && std::ranges::all_of(people_, [](Person& p) {
           return is_through(p) && p.ahead.empty() && p.held.empty() && !p.has_missed;
         });
}

bool Swarm::is_confirmed() {
  return std::ranges::all_of(people_, [](Person& p) { return p.pending.empty(); });
}

}  // namespace hy::bench
