#include "logic/delivery/trace_ring.h"

#include <bit>

namespace hy::logic {

const char* rung_name(Rung rung) {
  switch (rung) {
    case Rung::kReceived: return "received";
    case Rung::kRulesDone: return "rules";
    case Rung::kAppendSent: return "append sent";
    case Rung::kStored: return "stored";
    case Rung::kAcked: return "STORED said";
    case Rung::kPushSent: return "push sent";
    case Rung::kPushResult: return "push result";
    case Rung::kRelayed: return "RELAYED said";
    case Rung::kConfirmed: return "confirmed";
    case Rung::kReceiptSent: return "receipt sent";
  }
  return "unknown";
}

TraceRing::TraceRing(std::size_t rows_max)
    : mask_(std::bit_ceil(rows_max) - 1),
      rows_(mask_ + 1),
      numbers_(mask_ + 1),
      by_position_(mask_ + 1) {}

std::size_t TraceRing::place(ConversationId conversation, Seq seq) const {
  return mix64(std::hash<ConversationId>{}(conversation) ^ seq.value()) & mask_;
}

TraceRing::Ref TraceRing::begin(const ClientMsgId& id, ConversationId conversation, TraceId trace,
                                bool dyed, MonoTime at) {
  const Ref ref{++last_};
  Row& row = rows_[slot(ref.number)];
  row = Row{};
  row.client_msg_id = id;
  row.conversation = conversation;
  row.trace = trace;
  row.dyed = dyed;
  row.at[static_cast<std::size_t>(Rung::kReceived)] = at;
  numbers_[slot(ref.number)] = ref.number;
  return ref;
}

TraceRing::Row* TraceRing::row(Ref ref) {
  if (ref.number == 0 || numbers_[slot(ref.number)] != ref.number) return nullptr;
  return &rows_[slot(ref.number)];
}

void TraceRing::mark(Ref ref, Rung rung, MonoTime at) {
  Row* found = row(ref);
  if (found == nullptr) return;
  MonoTime& place_of_rung = found->at[static_cast<std::size_t>(rung)];
  if (place_of_rung == MonoTime{}) place_of_rung = at;
}

void TraceRing::stored(Ref ref, Seq seq, MonoTime at) {
  Row* found = row(ref);
  if (found == nullptr) return;
  found->seq = seq;
  by_position_[place(found->conversation, seq)] = ref.number;
  mark(ref, Rung::kStored, at);
}

void TraceRing::stored(Ref ref, const Appended& stored, MonoTime at) {
  this->stored(ref, stored.seq, at);
  Row* found = row(ref);
  if (found == nullptr) return;
  found->repeat = stored.repeat;
  found->lane_wait_us = stored.lane_wait_us;
  found->commit_us = stored.commit_us;
  found->batch = stored.batch;
}

void TraceRing::mark(ConversationId conversation, Seq seq, Rung rung, MonoTime at) {
  const Ref ref{by_position_[place(conversation, seq)]};
  const Row* found = row(ref);
  if (found == nullptr || found->conversation != conversation || found->seq != seq) return;
  mark(ref, rung, at);
}

std::optional<TraceRing::Row> TraceRing::find(const ClientMsgId& id) const {
  // Newest first: a resend of the same id has a row of its own.
  const std::uint64_t oldest = last_ > mask_ ? last_ - mask_ : 1;
  for (std::uint64_t number = last_; number >= oldest && number > 0; --number) {
    if (rows_[slot(number)].client_msg_id == id) return rows_[slot(number)];
  }
  return std::nullopt;
}

std::optional<TraceRing::Row> TraceRing::find(ConversationId conversation, Seq seq) const {
  const std::uint64_t number = by_position_[place(conversation, seq)];
  if (number == 0 || numbers_[slot(number)] != number) return std::nullopt;
  const Row& row = rows_[slot(number)];
  if (row.conversation != conversation || row.seq != seq) return std::nullopt;
  return row;
}

}  // namespace hy::logic
