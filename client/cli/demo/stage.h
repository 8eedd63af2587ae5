#pragma once

#include <array>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "client/cli/cluster.h"
#include "client/cli/ladder.h"
#include "client/cli/ledger_line.h"
#include "client/sdk/hongyan.hpp"

namespace hy::cli {

/// One line of a conversation as a person sees it.
struct ChatLine {
  std::string when;  ///< "12:00:04"
  std::string from;  ///< "you", or a name
  std::string text;  ///< printable
  ClientMsgId id;
  Step step = Step::kQueued;  ///< of own lines
  bool is_mine = false;
};

struct Latency {
  double p50_ms = 0;
  double p99_ms = 0;
  double max_ms = 0;
  std::uint64_t count = 0;
  std::vector<double> seconds;  ///< largest of each of the last seconds, oldest first
};

/// A cluster with people on it, who talk through the real SDK: what the demo's screen and scripts,
/// and the end-to-end tests, look at. Thread-safe.
class Stage {
 public:
  struct Options {
    std::vector<std::string> people{"alice", "bob", "carol"};
    std::filesystem::path stores;  ///< folder for the SDKs' files; empty: in memory
    Millis login_within{20'000};
  };
  /// Makes the people's accounts and signs them in: the first at entry a, the second at entry b, …
  static Result<std::unique_ptr<Stage>> open(Cluster& cluster, Options options);
  ~Stage();
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;

  [[nodiscard]] Cluster& cluster() { return cluster_; }
  [[nodiscard]] hy::Client& client(const std::string& who);
  [[nodiscard]] Uid uid(const std::string& who) const;
  [[nodiscard]] const std::vector<Account>& accounts() const { return accounts_; }

  Result<Sent> say(const std::string& from, const std::string& to, Bytes body,
                   std::uint32_t kind = 1);

  /// Waits until `condition` holds; it is called with the stage locked, after every event.
  bool wait(Millis within, const std::function<bool()>& condition);
  /// The same, but `condition` is called without the lock, so it may ask the stage and the clients.
  bool watch(Millis within, const std::function<bool()>& condition);
  /// Waits until `count` more messages are delivered.
  bool wait_delivered(std::uint64_t count, Millis within);
  /// Waits until everything sent so far is stored and shown. `within` bounds it.
  bool settle(Millis within);
  /// Waits until what was sent before this call is shown: for a stage under load.
  bool catch_up(Millis within);

  [[nodiscard]] LedgerCounts counts();
  /// At the very end: what is stored and not shown is lost.
  [[nodiscard]] LedgerCounts final_counts();
  [[nodiscard]] std::vector<std::string> faults();
  [[nodiscard]] std::vector<Rung> rungs_of(const ClientMsgId& id);
  [[nodiscard]] std::vector<Rung> latest_rungs();
  /// client_msg_id of the last message in hex; empty before the first.
  [[nodiscard]] std::string latest_id();
  [[nodiscard]] Latency latency();
  [[nodiscard]] std::vector<ChatLine> lines_of(const std::string& who, std::size_t last);
  /// "online · entry 127.0.0.1:14000", "backing off: …".
  [[nodiscard]] std::string link_of(const std::string& who);
  /// Sync lines of a person since the last call: "SYNC 1 conversation", "PULL seq 4-6" …
  std::vector<std::string> take_sync_lines(const std::string& who);
  /// Longest time without a delivery at anybody since the last call, up to now.
  Millis take_longest_gap();
  /// Called for every message shown, with the stage locked.
  void on_shown(std::function<void(const std::string& who, const Message&)> f);

 private:
  struct Actor;
  Stage(Cluster& cluster, Options options);
  Status sign_in();
  void attach(Actor& actor);
  void message_came(Actor& actor, const Message& message);
  void step_came(Actor& actor, const ClientMsgId& id, Step step);
  void ladder_came(Actor& actor, const LadderEvent& event);
  void note_latency(std::int64_t us, MonoTime now);
  Actor& actor(const std::string& who);

  Cluster& cluster_;
  Options options_;
  std::vector<Account> accounts_;
  std::mutex mutex_;
  std::condition_variable changed_;
  LadderBook book_;
  Ledger ledger_;
  std::unordered_map<ClientMsgId, std::int64_t> sent_at_us_;
  std::deque<std::int64_t> latencies_us_;
  double max_ms_ = 0;
  std::uint64_t latency_count_ = 0;
  std::deque<std::pair<std::int64_t, double>> seconds_;
  std::function<void(const std::string&, const Message&)> shown_;
  std::vector<std::unique_ptr<Actor>> actors_;  // last: their clients' threads use the rest
};

/// "12:00:04", local time.
std::string clock_text(std::int64_t wall_ms);

}  // namespace hy::cli
