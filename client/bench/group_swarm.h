#pragma once

#include <map>
#include <memory>
#include <queue>
#include <string>
#include <utility>
#include <vector>

#include "client/bench/book.h"
#include "client/bench/figures.h"
#include "client/bench/ring.h"
#include "client/bench/size_spec.h"
#include "client/load/light_client.h"
#include "common/base/random.h"

namespace hy::bench {

/// One worker's chat groups: people over real connections, each in one group, which the first of
/// its members makes by GROUP_CREATE like any person.
///
/// Every delivery is checked as it comes, against counters rather than a book: of each member,
/// which seqs it has without a hole; of each group, which message stands at which seq. A row for
/// each delivery would cost more than the servers do. Found are: a message that a member never
/// gets, the same one at two seqs, another one at a known seq, one out of its sender's order, a
/// wrong body or id, a STORED that names another seq than the members see. What comes again by the
/// same seq is dropped, as an app does. One thread; the caller turns the loop.
class GroupSwarm final : public load::Listener {
 public:
  struct Setup {
    std::uint64_t run = 0;  ///< makes ids, bodies and names of this run
    crypto::Bytes32 server_key{};
    std::vector<sockaddr_in> entries;
    std::vector<in_addr> sources;  ///< empty: any
    std::string device_prefix = "load-";
    Slot slot = Slot::kDesktop;
    SizeSpec size;
    std::vector<std::pair<Uid, Bytes>> people;  ///< with tokens; group after group
    std::uint32_t first_index = 0;              ///< of the first person among all workers
    std::uint32_t members = 2;                  ///< of each group
  };
  GroupSwarm(Setup setup, load::Loop& loop, Random& random);

  /// As Swarm::dial().
  void dial(double rate, std::uint32_t at_once, MonoTime from, bool is_stubborn);
  [[nodiscard]] bool is_dialling() const { return !dials_.empty() || under_way_ > 0; }
  void keep_connected() { keeps_connected_ = true; }
  void set_ping(std::chrono::milliseconds every) { ping_every_ = every; }
  /// Makes the groups of those who are connected.
  void make_groups();
  /// All are made, and every member was told.
  [[nodiscard]] bool has_groups() const;
  /// Groups that the server refused.
  [[nodiscard]] std::size_t groups_refused() const { return refused_groups_; }

  /// Open loop: `rate` messages a second of all groups together, in turn, each from another member.
  void start_open(double rate, MonoTime at, std::chrono::milliseconds skip_late);
  /// Closed loop: `outstanding` messages of each group are on their way: not answered, or not yet
  /// with everybody who is connected.
  void start_closed(std::uint32_t outstanding);
  void stop_sending();
  void catch_up_all();

  MonoTime work(MonoTime now);
  [[nodiscard]] bool is_settled();
  [[nodiscard]] bool is_confirmed() { return is_settled(); }
  [[nodiscard]] std::size_t open_connections() const { return open_; }
  [[nodiscard]] std::uint64_t backlog(MonoTime now) const;
  [[nodiscard]] const Counts& counts() const { return counts_; }
  Curves& curves() { return curves_; }
  [[nodiscard]] const std::map<std::string, std::uint64_t>& errors() const { return errors_; }
  /// What was found so far, and what is missing now: to be called when the load is over.
  Ledger judge();

  void on_open(load::LightClient& c) override;
  void on_reply(load::LightClient& c, std::uint32_t number, const load::SendReply& reply) override;
  void on_push(load::LightClient& c, std::uint32_t n, const load::PushView& push) override;
  void on_ack(load::LightClient&, std::uint32_t) override {}
  void on_receipt(load::LightClient& c, ConversationId conversation, std::uint64_t up_to,
                  Uid by) override;
  void on_hint(load::LightClient& c) override;
  void on_slice(load::LightClient& c, ConversationId conversation,
                std::span<const load::PushView> rows, std::uint64_t head, bool more) override;
  void on_heads(load::LightClient& c,
                std::span<const std::pair<ConversationId, std::uint64_t>> heads,
                bool more) override;
  void on_sync_refused(load::LightClient& c, Millis retry_after) override;
  void on_answer(load::LightClient& c, std::uint16_t type, Errc refused, ByteView body) override;
  void on_closed(load::LightClient& c, load::Blame blame, Errc code) override;

 private:
  struct Ahead {
    std::uint32_t seq;
    std::uint32_t number;  ///< 0: an own one, or the event
  };
  struct Member {
    std::unique_ptr<load::LightClient> client;
    std::uint32_t contiguous = 0;  ///< every seq up to here was shown
    std::uint32_t last_push = 0;
    std::uint32_t last_number = 0;  ///< of its messages, by seq
    std::uint32_t tries = 0;
    std::uint32_t moves = 0;
    std::vector<Ahead> ahead;  ///< above a hole
    MonoTime intended_dial{};
    MonoTime next_ping{};
    bool is_ready = false;
    bool is_catching_up = false;
    bool awaits_hole = false;
    bool has_missed = false;  ///< rows may be missing until it pulled
  };
  /// A message on its way.
  struct Flight {
    MonoTime intended;
    std::uint32_t sender = 0;  ///< place in the group
    std::uint32_t seq = 0;
    std::uint32_t shown = 0;  ///< to how many of the others
    bool is_answered = false;
    bool is_over = false;
    bool was_resent = false;
  };
  /// Which message stands at a seq.
  struct Seen {
    std::uint32_t number = 0;  ///< 0: nobody has seen it yet
    std::uint32_t sender = 0;  ///< place in the group
    bool was_resent = false;   ///< sent again without naming what came before it: in no order
  };
  struct Group {
    ConversationId conversation{};
    std::uint32_t base = 0;   ///< seq of the event that made it
    std::uint32_t first = 1;  ///< number of flights.front()
    Ring<Flight> flights;     ///< by number
    std::uint32_t in_flight = 0;
    std::uint32_t first_seq = 1;  ///< of numbers.front()
    Ring<Seen> numbers;           ///< by seq, from first_seq on
    std::uint32_t head = 0;       ///< highest seq that anybody was told
    std::uint32_t round = 0;
    bool is_asked = false;
    bool is_made = false;
    bool has_to_wait = false;  ///< closed loop: refused, and told when to come again
  };
  struct Due {
    MonoTime at;
    std::uint32_t index;
    friend bool operator<(const Due& a, const Due& b) { return a.at > b.at; }  // earliest on top
  };

  [[nodiscard]] static MonoTime now() { return std::chrono::steady_clock::now(); }
  Group& group_of(const Member& m) { return groups_[m.client->index / setup_.members]; }
  Member& member(const Group& g, std::uint32_t place) {
    return members_[static_cast<std::size_t>(&g - groups_.data()) * setup_.members + place];
  }
  [[nodiscard]] std::string name_of(const Group& g) const;
  [[nodiscard]] std::int64_t unix_ms(MonoTime t) const;
  void make_group(Group& g);
  void send(Group& g, std::uint32_t place, MonoTime intended);
  void write(Group& g, std::uint32_t number, bool again);
  /// A member of the group who may send now; members: nobody.
  std::uint32_t next_sender(Group& g);
  void refill(Group& g);
  Flight* flight_of(Group& g, std::uint32_t number);
  void end_flight(Group& g, Flight& f);
  void forget_finished(Group& g);
  /// Number of the message at hand; 0: it is none of this group, and was told.
  std::uint32_t check(Group& g, const load::PushView& push);
  /// `number` stands at `seq`: whether that is what everybody else saw.
  bool stands_at(Group& g, std::uint32_t seq, std::uint32_t number);
  void arrived(Member& m, Group& g, std::uint32_t seq, std::uint32_t number);
  void show(Member& m, Group& g, std::uint32_t number);
  void show_ahead(Member& m, Group& g);
  void forget_numbers(Group& g);
  void begin_catch_up(Member& m);
  void leave(Member& m);
  void work_dials(MonoTime t, MonoTime& next);
  void work_open(MonoTime t);
  void work_waits(MonoTime t, MonoTime& next);
  void work_pings(MonoTime t);
  [[nodiscard]] MonoTime next_send() const;
  void wrong(std::uint64_t Ledger::* kind, std::string text);

  Setup setup_;
  load::SwarmShared shared_;
  BodyMaker bodies_;
  std::vector<Member> members_;
  std::vector<Group> groups_;
  MonoTime opened_at_;
  std::int64_t opened_unix_ms_;
  Ledger found_;

  std::priority_queue<Due> dials_;
  std::priority_queue<Due> holes_;    ///< who asks for what was not pushed
  std::priority_queue<Due> refills_;  ///< groups that were refused and come again then
  std::uint32_t dial_at_once_ = 200;
  std::uint32_t under_way_ = 0;
  bool is_stubborn_ = false;
  bool keeps_connected_ = false;
  std::uint64_t draws_ = 0;
  std::size_t catching_up_ = 0;
  std::size_t refused_groups_ = 0;

  double rate_ = 0;
  MonoTime send_from_{};
  std::uint64_t sends_made_ = 0;
  std::chrono::milliseconds skip_late_{0};
  std::uint32_t outstanding_ = 0;
  std::chrono::milliseconds ping_every_{0};
  MonoTime next_ping_round_{};
  MonoTime next_trim_{};
  std::size_t open_ = 0;

  Counts counts_;
  Curves curves_;
  std::map<std::string, std::uint64_t> errors_;
};

}  // namespace hy::bench
