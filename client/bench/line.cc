#include "client/bench/line.h"

#include <algorithm>
#include <bit>

namespace hy::bench {
namespace {

constexpr unsigned kRequestBits = 31;  // request ids above are the client's own

}  // namespace

std::vector<std::pair<std::uint32_t, std::uint32_t>> pair_up(std::uint32_t people,
                                                             std::uint32_t peers) {
  std::vector<std::pair<std::uint32_t, std::uint32_t>> out;
  out.reserve(std::size_t{people} * peers / 2);
  if (peers == 1) {
    for (std::uint32_t i = 0; i + 1 < people; i += 2) out.emplace_back(i, i + 1);
    return out;
  }
  // In round r the last person meets r, and r + k meets r − k on a circle of all others.
  const std::uint32_t circle = people - 1;
  for (std::uint32_t round = 0; round < peers; ++round) {
    for (std::uint32_t k = 0; k < people / 2; ++k) {
      const std::uint32_t one = (round + k) % circle;
      const std::uint32_t other = k == 0 ? circle : (round + circle - k) % circle;
      // Who comes first opens the conversation: half of its own for everybody.
      out.emplace_back(round % 2 == 0 ? one : other, round % 2 == 0 ? other : one);
    }
  }
  return out;
}

// ── a seat
// ────────────────────────────────────────────────────────────────────────────────────

bool Seat::is_first() const {
  return line_->seats.front() == this;
}
Uid Seat::uid() const {
  return line_->client.uid();
}
bool Seat::is_open() const {
  return line_->client.is_open();
}
bool Seat::is_closed() const {
  return line_->client.is_closed();
}
std::uint32_t Seat::heartbeat_ms() const {
  return line_->client.heartbeat_ms();
}
std::uint32_t Seat::storm_window_ms() const {
  return line_->client.storm_window_ms();
}
std::uint32_t Seat::conn_counter() const {
  return line_->client.conn_counter();
}
void Seat::connect(const sockaddr_in& to, in_addr from) {
  line_->client.connect(to, from);
}
void Seat::send(std::uint32_t number, Uid to, std::string_view id, std::string_view body) {
  line_->client.send(number, to, id, body);
}
void Seat::ping() {
  line_->client.ping();
}
void Seat::close() {
  line_->client.close();
}

void Seat::pull(ConversationId conversation, std::uint64_t from, std::uint64_t to) {
  if (line_->seats.size() == 1) return line_->client.pull(conversation, from, to);
  line_->asks_.push_back({this, conversation, from, to});
  if (!line_->is_pulling_) line_->next_pull();
}

void Seat::sync(std::string_view page_after) {
  if (line_->seats.size() == 1) return line_->client.sync(page_after);
  asks_ = true;
  if (!line_->is_syncing_) line_->begin_sync();
}

void Line::next_pull() {
  is_pulling_ = !asks_.empty();
  if (is_pulling_) client.pull(asks_.front().conversation, asks_.front().from, asks_.front().to);
}

void Line::begin_sync() {
  is_syncing_ = true;
  for (Seat* s : seats) {
    s->awaits_ = std::exchange(s->asks_, false);
    s->head_ = 0;
  }
  client.sync({});
}

// ── all of them
// ───────────────────────────────────────────────────────────────────────────────

void Lines::fill(load::SwarmShared& shared, std::vector<std::pair<Uid, Bytes>> people,
                 std::uint32_t peers) {
  for (auto& [uid, token] : people) {
    Line& line = lines_.emplace_back(shared, uid, std::move(token));
    line.client.index = static_cast<std::uint32_t>(lines_.size() - 1);
    line.seats.reserve(peers);
  }
  number_bits_ = kRequestBits - static_cast<unsigned>(std::bit_width(peers - 1));
  const auto pairs = pair_up(static_cast<std::uint32_t>(people.size()), peers);
  seats_.reserve(2 * pairs.size());
  for (const auto& [one, other] : pairs) {
    for (const std::uint32_t i : {one, other}) {
      Line& line = lines_[i];
      const auto first = static_cast<std::uint32_t>(line.seats.size()) << number_bits_;
      // 0 is nobody's number.
      line.seats.push_back(&seats_.emplace_back(line, static_cast<std::uint32_t>(seats_.size()),
                                                first + 1, first + ((1U << number_bits_) - 1)));
    }
    if (peers > 1)
      books_.emplace(ConversationId::pair(lines_[one].client.uid(), lines_[other].client.uid()),
                     static_cast<std::uint32_t>(books_.size()));
  }
}

ConversationId Lines::conversation_of(const Seat& s) const {
  return ConversationId::pair(s.uid(), seats_[s.index ^ 1U].uid());
}

Seat* Lines::seat_of(const Line& line, ConversationId conversation) {
  if (line.seats.size() == 1) return line.seats.front();
  const auto book = books_.find(conversation);
  if (book == books_.end()) return nullptr;
  for (std::size_t side = 0; side < 2; ++side) {
    Seat& s = seats_[2 * std::size_t{book->second} + side];
    if (&s.line() == &line) return &s;
  }
  return nullptr;
}

void Lines::on_open(load::LightClient& c) {
  Line& line = line_of(c);
  line.unacked_.clear();
  line.asks_.clear();
  line.last_push_ = 0;
  line.is_pulling_ = false;
  line.is_syncing_ = true;  // the client's own, at login
  for (Seat* s : line.seats) {
    s->pushes_ = 0;
    s->head_ = 0;
    s->asks_ = false;
    s->awaits_ = true;
  }
  for (Seat* s : line.seats) to_.on_open(*s);
}

void Lines::on_reply(load::LightClient& c, std::uint32_t number, const load::SendReply& reply) {
  const Line& line = line_of(c);
  const std::size_t at = number >> number_bits_;
  if (at < line.seats.size()) to_.on_reply(*line.seats[at], number, reply);
}

void Lines::on_push(load::LightClient& c, std::uint32_t n, const load::PushView& push) {
  Line& line = line_of(c);
  if (line.seats.size() == 1) return to_.on_push(*line.seats.front(), n, push);
  Seat* const s = seat_of(line, push.conversation);
  if (s == nullptr) return;
  // A number that came before on this connection is one that came before at the seat.
  if (n > line.last_push_) {
    line.last_push_ = n;
    line.unacked_.push_back({n, ++s->pushes_, s});
  }
  to_.on_push(*s, s->pushes_, push);
}

void Lines::on_ack(load::LightClient& c, std::uint32_t n) {
  Line& line = line_of(c);
  if (line.seats.size() == 1) return to_.on_ack(*line.seats.front(), n);
  while (!line.unacked_.empty() && line.unacked_.front().number <= n) {
    const Line::Push push = line.unacked_.front();
    line.unacked_.pop_front();
    to_.on_ack(*push.seat, push.of_seat);
  }
}

void Lines::on_receipt(load::LightClient& c, ConversationId conversation, std::uint64_t up_to,
                       Uid by) {
  if (Seat* const s = seat_of(line_of(c), conversation))
    to_.on_receipt(*s, conversation, up_to, by);
}

void Lines::on_hint(load::LightClient& c) {
  for (Seat* s : line_of(c).seats) to_.on_hint(*s);
}

void Lines::on_slice(load::LightClient& c, ConversationId conversation,
                     std::span<const load::PushView> rows, std::uint64_t head, bool more) {
  Line& line = line_of(c);
  if (line.seats.size() == 1)
    return to_.on_slice(*line.seats.front(), conversation, rows, head, more);
  if (line.asks_.empty()) return;
  Seat* const s = line.asks_.front().seat;
  line.asks_.pop_front();
  to_.on_slice(*s, conversation, rows, head, more);
  line.next_pull();
}

void Lines::on_heads(load::LightClient& c,
                     std::span<const std::pair<ConversationId, std::uint64_t>> heads, bool more) {
  Line& line = line_of(c);
  if (line.seats.size() == 1) return to_.on_heads(*line.seats.front(), heads, more);
  for (const auto& [conversation, head] : heads) {
    if (Seat* const s = seat_of(line, conversation)) s->head_ = head;
  }
  if (more && !heads.empty()) return c.sync(heads.back().first.to_bytes());
  for (Seat* s : line.seats) {
    if (!std::exchange(s->awaits_, false)) continue;
    const std::pair<ConversationId, std::uint64_t> row{conversation_of(*s), s->head_};
    to_.on_heads(*s, std::span(&row, s->head_ > 0 ? 1 : 0), false);
  }
  line.is_syncing_ = false;
  if (std::ranges::any_of(line.seats, [](const Seat* s) { return s->asks_; })) line.begin_sync();
}

void Lines::on_sync_refused(load::LightClient& c, Millis retry_after) {
  Line& line = line_of(c);
  line.is_syncing_ = false;
  for (Seat* s : line.seats) s->asks_ = std::exchange(s->awaits_, false) || s->asks_;
  to_.on_sync_refused(*line.seats.front(), retry_after);
}

void Lines::on_closed(load::LightClient& c, load::Blame blame, Errc code) {
  for (Seat* s : line_of(c).seats) to_.on_closed(*s, blame, code);
}

}  // namespace hy::bench
