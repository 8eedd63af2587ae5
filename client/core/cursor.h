#pragma once

#include <cstdint>
#include <map>

#include "client/core/records.h"
#include "client/core/turn.h"
#include "common/base/test_hooks.h"

namespace hy::client {

/// One conversation as this device has it: a run without holes, and rows that wait above a hole.
/// `have` never falls, but for the one defined reset.
class Cursor {
 public:
  struct Row {
    Message message;
    bool is_own_send = false;  ///< written on this device: the person saw it when it was written
    bool is_late =
        false;  ///< from below the run: kept in its place, not announced (shown seqs rise)
  };
  enum class Offer : std::uint8_t {
    kApplied,  ///< the next one, or from below the run; take() has it and what it freed
    kOld,      ///< in the run: dropped
    kWaits,    ///< above a hole
    kNoRoom,   ///< above a hole, and too many wait: it will be pulled
  };

  explicit Cursor(ConversationRecord record) : record_(std::move(record)) {}

  Offer offer(Row row, std::uint32_t ahead_max) {
    const std::uint64_t seq = row.message.seq.value();
    const bool shows_again = mutant(Mutant::kPushShownTwice) && seq == have();
    if (seq <= record_.base.value()) {  // late: only the store knows whether it is there
      row.is_late = true;
      ready_.push_back(std::move(row));
      return Offer::kApplied;
    }
    if (seq <= have() && !shows_again) return Offer::kOld;
    raise_head(row.message.seq);
    if (seq > have() + 1 && !mutant(Mutant::kCursorIsMax)) {
      if (ahead_.contains(seq)) return Offer::kOld;
      if (ahead_.size() >= ahead_max) return Offer::kNoRoom;
      ahead_.emplace(seq, std::move(row));
      return Offer::kWaits;
    }
    record_.have = Seq{seq};
    is_dirty_ = true;
    ready_.push_back(std::move(row));
    free_waiting();
    return Offer::kApplied;
  }
  /// The server has nothing more to show up to `seq`: the run starts behind it. Rows that came from
  /// below and waited are taken all the same: they will be confirmed and never come again.
  void skip_to(Seq seq) {
    if (seq <= record_.have) return;
    record_.base = record_.have = seq;
    is_dirty_ = true;
    while (!ahead_.empty() && ahead_.begin()->first <= seq.value()) take_first();
    free_waiting();
  }
  /// The defined reset: from scratch, from behind `base`.
  void reset(Seq base, Seq head) {
    record_.base = record_.have = base;
    record_.head = head;
    ahead_.clear();
    ready_.clear();
    is_dirty_ = true;
  }
  void raise_head(Seq head) {
    if (head <= record_.head) return;
    record_.head = head;
    is_dirty_ = true;
  }
  /// Rows that the run has reached since the last call, ascending.
  std::vector<Row> take() { return std::exchange(ready_, {}); }

  [[nodiscard]] std::uint64_t have() const { return record_.have.value(); }
  [[nodiscard]] bool has_hole() const { return record_.head > record_.have; }
  /// The first hole: from have+1 to here.
  [[nodiscard]] Seq hole_to() const {
    return ahead_.empty() ? record_.head : Seq{ahead_.begin()->first - 1};
  }
  [[nodiscard]] std::size_t waiting() const { return ahead_.size(); }
  [[nodiscard]] const ConversationRecord& record() const { return record_; }
  /// For marks; whoever changes one calls touch().
  ConversationRecord& edit() {
    is_dirty_ = true;
    return record_;
  }
  bool take_dirty() { return std::exchange(is_dirty_, false); }

  MonoTime pull_at = kNever;       ///< the hole is asked for then
  std::uint32_t pull_ticket = 0;   ///< of the PULL on its way; 0: none
  std::uint32_t pull_tries = 0;    ///< in a row without a row gained
  MonoTime reset_at{};             ///< the last reset
  std::uint32_t tickets_from = 0;  ///< PULLs with a lower ticket asked before the last reset

 private:
  void free_waiting() {
    while (!ahead_.empty() && ahead_.begin()->first == have() + 1) {
      record_.have = Seq{ahead_.begin()->first};
      take_first();
    }
  }
  void take_first() { ready_.push_back(std::move(ahead_.extract(ahead_.begin()).mapped())); }

  ConversationRecord record_;
  std::map<std::uint64_t, Row> ahead_;
  std::vector<Row> ready_;
  bool is_dirty_ = false;
};

}  // namespace hy::client
