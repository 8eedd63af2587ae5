#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "client/sdk/hongyan.hpp"
#include "tests/cluster/store_rows.h"

/// What every client of a run saw, message by message, and the judgement over it and the database.
namespace hy::chaos {

using Time = std::chrono::steady_clock::time_point;

/// One message, from the moment its outbox has it.
struct Fate {
  int sender = -1;  ///< index of the person; -1: never sent by us
  int receiver = -1;
  std::uint64_t number = 0;  ///< 1, 2, 3 … per sender: the order in which it was written
  ConversationId conversation;
  Bytes body;
  Time sent_at{};
  std::optional<Time> relayed_at;
  std::optional<Time> stored_at;
  std::optional<Time> shown_at;
  Seq acked_seq;
  Errc refused = Errc::kOk;
  int shown = 0;
  bool shown_provisional = false;  ///< the first time
  bool moved = false;              ///< and then got its seq
  bool unsure = false;
};

struct Totals {
  std::uint64_t sent = 0;
  std::uint64_t stored = 0;
  std::uint64_t delivered = 0;
  std::uint64_t relayed = 0;  ///< was RELAYED at least once
  std::uint64_t refused = 0;
  std::uint64_t shown_twice = 0;
  std::uint64_t out_of_order = 0;
};

/// Thread-safe: the SDKs' threads write, one thread reads.
class Journal {
 public:
  struct Sent {
    int sender;
    int receiver;
    std::uint64_t number;
    ConversationId conversation;
    Bytes body;
    Time at;
  };
  void sent(const ClientMsgId& id, Sent sent);
  void step(const ClientMsgId& id, hy::Step step, Errc code, Seq seq);
  void shown(int receiver, const Message& message);

  [[nodiscard]] Totals totals() const;
  /// Every message was stored (or refused) and shown.
  [[nodiscard]] bool is_settled() const;
  /// Largest time between two deliveries of one conversation inside [from, to], and where.
  [[nodiscard]] std::chrono::milliseconds longest_gap(Time from, Time to) const;
  /// Copy of everything, for the judgement after the run.
  [[nodiscard]] std::unordered_map<ClientMsgId, Fate> fates() const;
  /// What was seen wrong while it happened, at most 50 lines.
  [[nodiscard]] std::vector<std::string> faults() const;

 private:
  void fault(std::string line);

  mutable std::mutex mutex_;
  std::unordered_map<ClientMsgId, Fate> fates_;
  std::unordered_map<std::uint64_t, std::uint64_t> largest_;  // (receiver, conversation) → seq
  std::unordered_map<int, std::vector<Time>> deliveries_;     // receiver → times, rising
  std::uint64_t shown_twice_ = 0;
  std::uint64_t out_of_order_ = 0;
  std::uint64_t unsettled_ = 0;
  std::vector<std::string> faults_;
};

/// Holds what the clients saw against the rows of the database. One line per violation (the first
/// of each kind in full, then a count); empty: clean. Rules: every row is one message of ours with
/// its body, once; every STORED has its row at the acked seq and was shown; every RELAYED became
/// STORED; seqs of each conversation are 1 … head without a hole; a sender's messages stand in the
/// order in which they were written; nothing was shown twice or below a larger seq.
std::vector<std::string> judge(const Journal& journal, const StoredRows& rows);

}  // namespace hy::chaos
