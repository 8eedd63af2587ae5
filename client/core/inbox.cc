#include "client/core/inbox.h"

#include <algorithm>

#include "client/core/backoff.h"

namespace hy::client {

void Inbox::load(std::vector<ConversationRecord> records) {
  for (ConversationRecord& record : records) {
    const ConversationId conversation = record.conversation;
    const auto [at, is_new] = cursors_.try_emplace(conversation, Cursor(std::move(record)));
    if (is_new && at->second.has_hole()) {
      at->second.pull_at = MonoTime{};
      holes_.insert(conversation);
    }
  }
}

void Inbox::connected(MonoTime now) {
  acks_.reset();
  // The probe of a link that is full of rows is late like the rows.
  if (pulls_ > 0) not_in_time(longest_asked_);
  pulls_ = 0;
  longest_asked_ = 0;
  // Also where a push has filled the hole meanwhile: its PULL will never be answered either, and
  // one that is thought to be on its way would hold back all later ones.
  for (auto& [conversation, cursor] : cursors_) cursor.pull_ticket = 0;
  for (const ConversationId& conversation : holes_) cursors_.at(conversation).pull_at = now;
}

Cursor& Inbox::cursor_of(ConversationId conversation, Seq first_seen) {
  const auto at = cursors_.find(conversation);
  if (at != cursors_.end()) return at->second;
  ConversationRecord record;
  record.conversation = conversation;
  if (first_seen.value() > settings_.first_tail) {
    record.base = record.have = Seq{first_seen.value() - settings_.first_tail};
  }
  dirty_.insert(conversation);
  return cursors_.emplace(conversation, Cursor(std::move(record))).first->second;
}

void Inbox::settle(MonoTime now, Cursor& cursor, Millis wait) {
  const ConversationId conversation = cursor.record().conversation;
  for (Cursor::Row& row : cursor.take()) rows_.push_back(std::move(row));
  if (cursor.take_dirty()) dirty_.insert(conversation);
  if (!cursor.has_hole()) {
    holes_.erase(conversation);
    cursor.pull_at = kNever;
    cursor.pull_tries = 0;
    return;
  }
  // A hole that is known already keeps its time: later pushes do not put it off.
  if (holes_.insert(conversation).second) cursor.pull_at = now + wait;
}

PushAcks::Arrival Inbox::pushed(MonoTime now, std::uint32_t n, Message message) {
  const ConversationId conversation = message.conversation;
  const Seq seq = message.seq;
  const PushAcks::Arrival arrival = acks_.arrived(n, conversation, seq);
  if (arrival != PushAcks::Arrival::kNew) return arrival;
  Cursor& cursor = cursor_of(conversation, Seq{seq.value() - 1});
  if (message.server_ms > cursor.record().head_ms) cursor.edit().head_ms = message.server_ms;
  cursor.offer({std::move(message), false}, settings_.ahead_rows_max);
  settle(now, cursor, settings_.hole_wait);
  return arrival;
}

void Inbox::joined(MonoTime now, ConversationId conversation, Seq seq) {
  const Seq below{seq.value() - 1};
  Cursor& cursor = cursor_of(conversation, below);
  cursor.skip_to(below);
  settle(now, cursor, Millis{0});
}

PushAcks::Arrival Inbox::pushed_provisional(std::uint32_t n, ConversationId conversation) {
  return acks_.arrived(n, conversation, Seq{0});
}

void Inbox::stored_here(MonoTime now, Message message) {
  Cursor& cursor = cursor_of(message.conversation, Seq{message.seq.value() - 1});
  if (message.server_ms > cursor.record().head_ms) cursor.edit().head_ms = message.server_ms;
  cursor.offer({std::move(message), true}, settings_.ahead_rows_max);
  settle(now, cursor, settings_.hole_wait);
}

void Inbox::head(MonoTime now, const ConversationInfo& info) {
  Cursor& cursor = cursor_of(info.conversation, info.head);
  ConversationRecord& record = cursor.edit();
  const bool is_new_here = record.head.value() == 0 && record.have.value() == 0;
  record.head_ms = std::max(record.head_ms, info.head_ms);
  record.read = std::max(record.read, info.read);
  record.read_wanted = std::max(record.read_wanted, info.read);
  record.peer_read = std::max(record.peer_read, info.peer_read);
  if (info.join.value() > 0) cursor.skip_to(Seq{info.join.value() - 1});
  cursor.raise_head(info.head);
  if (is_new_here && info.head.value() > settings_.first_tail) {
    cursor.skip_to(Seq{info.head.value() - settings_.first_tail});
  }
  const bool is_behind = info.head < record.have;
  settle(now, cursor, Millis{0});
  if (cursor.has_hole() && cursor.pull_ticket == 0 && cursor.pull_tries == 0) cursor.pull_at = now;
  // The head may come from a cache that is a little old, or the log was set back: the log itself
  // decides, asked for what follows the run (kCursorAhead, or nothing).
  if (is_behind && !cursor.has_hole() && cursor.pull_at == kNever) {
    cursor.pull_at = now;
    holes_.insert(info.conversation);
  }
}

std::vector<PullOrder> Inbox::take_pulls(MonoTime now) {
  std::vector<PullOrder> out;
  for (const ConversationId& conversation : holes_) {
    if (pulls_ >= settings_.pulls_max) break;
    Cursor& cursor = cursors_.at(conversation);
    if (cursor.pull_ticket != 0 || cursor.pull_at > now) continue;
    cursor.pull_ticket = next_ticket_++;
    cursor.pull_at = kNever;
    ++pulls_;
    // Without a hole it is the question whether the log was set back: 0 means "to the head".
    const Seq from{cursor.have() + 1};
    Seq to{0};
    if (cursor.has_hole()) {
      to = std::min(cursor.hole_to(), Seq{cursor.have() + slice_});
      longest_asked_ = std::max(longest_asked_, to.value() - cursor.have());
    }
    out.push_back({conversation, from, to, cursor.pull_ticket});
  }
  return out;
}

/// `rows` were asked for at once and did not come.
void Inbox::not_in_time(std::uint64_t rows) {
  slice_ = std::min(slice_, std::max<std::uint64_t>(1, rows / 4));
}

bool Inbox::pulled(MonoTime now, const PullOrder& order, PullAnswered answer, Random& random) {
  const auto at = cursors_.find(order.conversation);
  if (at == cursors_.end() || order.ticket < at->second.tickets_from) return true;
  Cursor& cursor = at->second;
  const bool is_late = cursor.pull_ticket != order.ticket;
  if (!is_late) {
    cursor.pull_ticket = 0;
    --pulls_;
  }
  if (answer.conversation != order.conversation) return false;
  if (!answer.messages.empty() && answer.messages.front().seq < order.from) return false;
  const std::uint64_t before = cursor.have();
  if (answer.truncated_to >= order.from) {
    cursor.skip_to(std::min(answer.truncated_to, std::max(answer.head, order.to)));
  }
  cursor.raise_head(answer.head);
  for (Message& message : answer.messages) {
    cursor.offer({std::move(message), false}, settings_.ahead_rows_max);
  }
  const bool has_gained = cursor.have() > before;
  if (has_gained && !is_late) slice_ = std::min(settings_.slice_max, slice_ + slice_ / 4 + 1);
  if (pulls_ == 0) longest_asked_ = 0;
  settle(now, cursor, Millis{0});
  if (!cursor.has_hole()) return true;
  if (has_gained) {
    cursor.pull_tries = 0;
    if (cursor.pull_ticket == 0) cursor.pull_at = now;
  } else if (!is_late) {
    cursor.pull_at = now + settings_.pull_again_min +
                     full_jitter(random, settings_.pull_again_min, settings_.pull_again_max,
                                 cursor.pull_tries++);
  }
  return true;
}

void Inbox::pull_failed(Turn& turn, MonoTime now, const PullOrder& order, Errc code,
                        Millis retry_after, Seq head, Random& random) {
  const auto at = cursors_.find(order.conversation);
  if (at == cursors_.end() || at->second.pull_ticket != order.ticket) return;
  Cursor& cursor = at->second;
  cursor.pull_ticket = 0;
  --pulls_;
  if (code == Errc::kDeadlineExceeded && order.to >= order.from)
    not_in_time(order.to.value() - order.from.value() + 1);
  if (code == Errc::kCursorAhead || code == Errc::kTooFar) {
    const bool may_reset =
        cursor.reset_at == MonoTime{} || now - cursor.reset_at >= settings_.reset_again;
    if (may_reset) {
      reset(turn, now, cursor, code == Errc::kCursorAhead ? head : cursor.record().head);
      return;
    }
  }
  // What is missing is not this person's to see, and will not be: what came above it is shown.
  if (code == Errc::kNotMember) cursor.skip_to(cursor.hole_to());
  if (!cursor.has_hole()) {
    settle(now, cursor, Millis{0});  // it was only a question; the next SYNC asks again
    return;
  }
  cursor.pull_at =
      now + retry_after + settings_.pull_again_min +
      full_jitter(random, settings_.pull_again_min, settings_.pull_again_max, cursor.pull_tries++);
}

void Inbox::reset(Turn& turn, MonoTime now, Cursor& cursor, Seq head) {
  const std::uint64_t tail = settings_.first_tail;
  cursor.reset(Seq{head.value() > tail ? head.value() - tail : 0}, head);
  cursor.reset_at = now;
  cursor.tickets_from = next_ticket_;
  cursor.pull_tries = 0;
  turn.writes.emplace_back(ForgetSeqs{cursor.record().conversation});
  holes_.erase(cursor.record().conversation);
  settle(now, cursor, Millis{0});
}

void Inbox::reset_all(Turn& turn, MonoTime now) {
  for (auto& [conversation, cursor] : cursors_) {
    // The head is not known any more: SYNC(0) tells it. Seqs may have been given twice.
    if (cursor.pull_ticket != 0) --pulls_;
    cursor.pull_ticket = 0;
    reset(turn, now, cursor, Seq{0});
  }
}

std::vector<Cursor::Row> Inbox::take_rows() {
  return std::exchange(rows_, {});
}

void Inbox::flush(Turn& turn) {
  for (const ConversationId& conversation : dirty_) {
    turn.writes.emplace_back(PutConversation{cursors_.at(conversation).record()});
  }
  dirty_.clear();
}

void Inbox::settle_acks() {
  acks_.settle([this](ConversationId conversation, Seq seq) {
    const auto at = cursors_.find(conversation);
    return at != cursors_.end() && at->second.record().have >= seq;
  });
}

std::optional<std::uint32_t> Inbox::take_ack() {
  settle_acks();
  return acks_.owes() ? std::optional(acks_.take()) : std::nullopt;
}

void Inbox::raise_read(ConversationId conversation, Seq read) {
  const auto at = cursors_.find(conversation);
  if (at == cursors_.end() || at->second.record().read >= read) return;
  ConversationRecord& record = at->second.edit();
  record.read = read;
  record.read_wanted = std::max(record.read_wanted, read);
  dirty_.insert(conversation);
}

void Inbox::raise_read_wanted(ConversationId conversation, Seq read) {
  Cursor& cursor = cursor_of(conversation, Seq{0});
  if (cursor.record().read_wanted >= read) return;
  cursor.edit().read_wanted = read;
  dirty_.insert(conversation);
}

void Inbox::raise_peer(ConversationId conversation, Seq up_to, bool read) {
  const auto at = cursors_.find(conversation);
  if (at == cursors_.end()) return;
  ConversationRecord& record = at->second.edit();
  if (read) record.peer_read = std::max(record.peer_read, up_to);
  record.peer_delivered = std::max(record.peer_delivered, up_to);
  dirty_.insert(conversation);
}

std::vector<std::pair<ConversationId, Seq>> Inbox::unconfirmed_reads() const {
  std::vector<std::pair<ConversationId, Seq>> out;
  for (const auto& [conversation, cursor] : cursors_) {
    const ConversationRecord& record = cursor.record();
    if (record.read_wanted > record.read) out.emplace_back(conversation, record.read_wanted);
  }
  return out;
}

MonoTime Inbox::wake_at() const {
  if (pulls_ >= settings_.pulls_max) return kNever;
  MonoTime at = kNever;
  for (const ConversationId& conversation : holes_) {
    const Cursor& cursor = cursors_.at(conversation);
    if (cursor.pull_ticket == 0) at = std::min(at, cursor.pull_at);
  }
  return at;
}

const ConversationRecord* Inbox::find(ConversationId conversation) const {
  const auto at = cursors_.find(conversation);
  return at == cursors_.end() ? nullptr : &at->second.record();
}

}  // namespace hy::client
