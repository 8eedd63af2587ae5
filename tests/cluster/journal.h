#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "client/judge/judge.h"
#include "client/sdk/hongyan.hpp"
#include "tests/cluster/store_rows.h"

/// What every client of a run saw, message by message, for progress and times while it runs, and
/// the judgement over the clients' histories and the database after it.
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
  /// A client has left; its history is what the judgement reads.
  void keep(judge::History history);

  [[nodiscard]] Totals totals() const;
  /// Every message was stored (or refused) and shown.
  [[nodiscard]] bool is_settled() const;
  /// Largest time between two deliveries of one conversation inside [from, to], and where.
  [[nodiscard]] std::chrono::milliseconds longest_gap(Time from, Time to) const;
  /// Copy of everything, for the judgement after the run.
  [[nodiscard]] std::unordered_map<ClientMsgId, Fate> fates() const;
  [[nodiscard]] std::optional<Fate> fate(const ClientMsgId& id) const;
  /// What was seen wrong while it happened, at most 50 lines.
  [[nodiscard]] std::vector<std::string> faults() const;
  [[nodiscard]] std::vector<judge::History> histories() const;

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
  std::vector<judge::History> histories_;
};

/// What a run knows besides its clients and its database.
struct RunFacts {
  std::vector<judge::FaultWindow> faults;
  Time healed_at{};
  Time dumped_at{};  ///< of placements
  std::vector<judge::RouterDump> routers;
  std::vector<judge::EntrySession> sessions;
  std::optional<judge::WireEvidence> wire;
};

/// The rows as the checkers read them.
judge::StoreDump dump_of(const StoredRows& rows);

/// The verdict of client/judge over the clients' histories and the rows. Speed is not judged here:
/// the machine that runs a cluster and its clients at once promises none.
judge::Verdict verdict_of(const Journal& journal, const StoredRows& rows,
                          const RunFacts& facts = {});
/// The same as lines for a person, one a violation and at most 50, and what the histories cannot
/// know: bodies that differ, and refusals, of which these runs expect none. Empty: clean.
std::vector<std::string> judge(const Journal& journal, const StoredRows& rows,
                               const RunFacts& facts = {});

}  // namespace hy::chaos
