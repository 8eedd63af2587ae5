#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "client/judge/history.h"

/// The live ledger: every message that was written, and what became of it at the people who should
/// have got it. Counted from what the receiving SDKs showed, never from server counters. No I/O.
namespace hy::judge {

struct LedgerCounts {
  std::uint64_t sent = 0;       ///< written to an outbox
  std::uint64_t stored = 0;     ///< answered STORED
  std::uint64_t delivered = 0;  ///< stored, and shown by its receiver
  std::uint64_t relayed = 0;    ///< answered RELAYED, not stored yet
  std::uint64_t refused = 0;
  std::uint64_t lost = 0;          ///< stored, and missing at its receiver after everything healed
  std::uint64_t shown_twice = 0;   ///< one message displayed twice
  std::uint64_t out_of_order = 0;  ///< displayed below a larger seq
  [[nodiscard]] std::uint64_t in_flight() const {
    return stored > delivered ? stored - delivered : 0;
  }
  [[nodiscard]] bool is_clean() const { return lost + shown_twice + out_of_order == 0; }
};

/// Counts while a run goes on: memory stays bounded by what is unfinished and `remembered_max`
/// finished messages, so it may run for ever. The verdict on a whole run is judge()'s.
class Ledger {
 public:
  using Time = std::chrono::steady_clock::time_point;
  /// Finished messages beyond this many are forgotten, oldest first; a repeat of one of them still
  /// shows, as out of order.
  explicit Ledger(std::size_t remembered_max = 200'000) : remembered_max_(remembered_max) {}

  void sent(const ClientMsgId& id);
  void step(const ClientMsgId& id, Shown step, Time now);
  /// `receiver`'s device showed a message; seq 0: provisional. A provisional message that settles
  /// at its seq is moved, not shown again.
  void shown(const std::string& receiver, ConversationId conversation, Seq seq,
             const ClientMsgId& id);

  /// Counts so far. What was stored before `lost_before` and not shown counts as lost: give the
  /// time of the last repair, or the largest time at the very end.
  [[nodiscard]] LedgerCounts counts(Time lost_before = Time::min()) const;
  /// Everything sent was stored (or refused), and everything stored was shown.
  [[nodiscard]] bool is_settled() const;
  /// Ids that are lost, shown twice or out of order, as hex with the fault: at most `max`.
  [[nodiscard]] std::vector<std::string> faults(std::size_t max, Time lost_before) const;

 private:
  struct Entry {
    Shown step = Shown::kOutbox;
    bool is_shown = false;
    bool is_shown_provisional = false;
    Time stored_at{};
  };
  void forget_old();

  std::size_t remembered_max_;
  std::map<ClientMsgId, Entry> entries_;
  std::deque<ClientMsgId> order_;
  std::map<std::pair<std::string, ConversationId>, std::uint64_t> largest_;
  LedgerCounts totals_;  // without lost, which is computed from entries_
  std::vector<std::string> faults_;
};

}  // namespace hy::judge
