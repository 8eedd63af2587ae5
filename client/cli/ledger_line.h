#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "client/sdk/hongyan.hpp"

/// The ledger: every message that was written, and what became of it at the people who should have
/// got it. Counted from what the receiving SDKs showed, never from server counters. No I/O.
namespace hy::cli {

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

class Ledger {
 public:
  using Time = std::chrono::steady_clock::time_point;
  /// Finished messages beyond this many are forgotten, oldest first; a repeat of one of them still
  /// shows, as out of order.
  explicit Ledger(std::size_t remembered_max = 200'000) : remembered_max_(remembered_max) {}

  void sent(const ClientMsgId& id);
  void step(const ClientMsgId& id, Step step, Time now);
  /// `receiver`'s device showed a message. A provisional message that settles at its seq is moved,
  /// not shown again.
  void shown(const std::string& receiver, const Message& message);

  /// Counts so far. What was stored before `lost_before` and not shown counts as lost: give the
  /// time of the last repair, or the largest time at the very end.
  [[nodiscard]] LedgerCounts counts(Time lost_before = Time::min()) const;
  /// Everything sent was stored (or refused), and everything stored was shown.
  [[nodiscard]] bool is_settled() const;
  /// Ids that are lost, shown twice or out of order, as hex with the fault: at most `max`.
  [[nodiscard]] std::vector<std::string> faults(std::size_t max, Time lost_before) const;

 private:
  struct Entry {
    Step step = Step::kQueued;
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

/// "ledger  sent 1  stored 1  delivered 1  in flight 0  relayed 0  LOST 0  SHOWN TWICE 0  OUT OF
/// ORDER 0"
std::string ledger_text(const LedgerCounts& counts);
/// One line for a screen of `columns`, shortened below 110.
std::string ledger_on_screen(const LedgerCounts& counts, int columns);

}  // namespace hy::cli
