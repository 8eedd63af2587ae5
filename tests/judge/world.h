#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "client/judge/evidence.h"
#include "common/base/random.h"

namespace hy::judge {

/// A small cluster that breaks no promise, and what its clients write: from a seed, always the
/// same. Five people with seven devices in four pairs and a group; in every world somebody is away
/// and writes, a store is away and messages are relayed, an app is killed between the commit and
/// the display, a second phone signs in, a device loses its store, rows expire, somebody leaves the
/// group and somebody joins it, a text is said three times, acks are lost and refusals come.
///
/// One thing happens after the other; what makes histories hard for a checker is which.
class World {
 public:
  explicit World(std::uint64_t seed);
  /// Plays it to its end.
  Evidence run();
  /// The rules that its histories keep: short tails, few samples.
  static Rules rules();

 private:
  struct Outgoing {
    ClientMsgId id;
    ConversationId conv;
    std::uint64_t phash;
    bool is_relayed = false;
    bool is_committed = false;  ///< and its answer was lost
  };
  struct View {  // a conversation on a device
    std::uint64_t have = 0;
    bool is_known = false;
  };
  struct Device {
    DeviceKey key;
    History history;
    bool is_online = false;
    bool was_ever_online = false;
    bool is_kicked = false;
    std::uint32_t connection = 0;
    Epoch epoch;
    std::uint32_t pushes = 0;
    std::uint32_t request = 0;
    std::int64_t since = 0;
    std::uint64_t useq = 0;
    std::map<ConversationId, View> views;
    std::set<ClientMsgId> provisional;  ///< on disk without a seq
    std::map<ClientMsgId, Shown> states;
    std::vector<Outgoing> outbox;
  };
  struct Member {
    std::uint64_t join = 0;
    std::uint64_t leave = 0;
    std::uint64_t read = 0;
  };
  struct Log {
    ConversationId conv;
    std::vector<MessageRow> rows;  ///< seq 1, 2, 3 …
    std::vector<std::size_t> writers;
    std::uint64_t kept_from = 1;
    std::map<Uid, Member> members;
  };

  // what happens
  void act();
  void write(Device& d, Log& log, std::uint64_t phash, bool later = false);
  void away_and_writing();
  void store_away();
  void kill_before_display(Device& d, Log& log);
  void second_phone();
  void ended_by_the_operator();
  void lose_store();
  void expire();
  void leave_group();
  void join_group();
  void entry_killed();
  void quiet();
  void read(Device& d, Log& log);
  void ask_presence(Device& d);
  void ending();

  // how it happens
  void flush(Device& d);
  bool attempt(Device& d, Outgoing& message);
  bool relay(Device& d, Outgoing& message);
  std::uint64_t commit(Device& d, Outgoing& message);
  void answered(Device& d, const Outgoing& message, std::uint64_t seq, bool repeat);
  void push(Device& d, Log& log, std::uint64_t seq);
  void push_all(Log& log, std::uint64_t seq, const Device& from);
  void delivered(Log& log, std::uint64_t seq, Uid by);
  void place(Device& d, Log& log, std::uint64_t seq, bool show = true);
  void pull(Device& d, Log& log, std::uint64_t to);
  void sync(Device& d);
  void sign_in(Device& d, bool new_auth = false);
  void go_away(Device& d, ClosedBy by);
  void meet(Device& d, Log& log, std::uint64_t head);
  void set_state(Device& d, const ClientMsgId& id, Shown to);
  void show_unread(Device& d, Log& log);
  [[nodiscard]] std::int64_t unread(const Log& log, Uid uid) const;
  [[nodiscard]] std::uint64_t last_for(const Log& log, Uid uid) const;
  [[nodiscard]] bool is_member(const Log& log, Uid uid) const;

  Nanos tick(int at_most_ms = 5);
  void pass(int ms) { now_ += Nanos{ms} * 1'000'000; }
  [[nodiscard]] std::int64_t store_ms() const { return 1'700'000'000'000 + now_ / 1'000'000; }
  [[nodiscard]] bool one_in(std::uint64_t n) { return random_.below(n) == 0; }
  ClientMsgId new_id();
  Device& any_online();
  Log& any_log(Uid uid);
  std::vector<Device*> devices_of(Uid uid);

  SeededRandom random_;
  Nanos now_ = kSecond;
  std::vector<std::unique_ptr<Device>> devices_;
  std::vector<Log> logs_;
  std::map<Uid, std::vector<std::pair<ConversationId, std::uint64_t>>> user_logs_;
  std::map<std::pair<Uid, Slot>, std::uint32_t> auth_;
  std::vector<FaultWindow> faults_;
  std::vector<CalmWindow> calm_;
  std::vector<Revocation> revocations_;
  bool is_store_away_ = false;
  bool has_left_ = false;
  bool is_quiet_ = false;  ///< every push comes
};

/// Tapped lines and playbacks of a history.
WireEvidence wire_of(const Evidence& evidence, std::uint64_t seed);

}  // namespace hy::judge
