#pragma once

#include <map>
#include <memory>
#include <queue>
#include <string>
#include <vector>

#include "client/bench/book.h"
#include "client/bench/figures.h"
#include "client/bench/ledger_thread.h"
#include "client/bench/line.h"
#include "client/bench/ring.h"
#include "client/bench/shown_lately.h"
#include "client/bench/size_spec.h"
#include "client/load/light_client.h"
#include "common/base/random.h"

namespace hy::bench {

/// Who sends how much in the open loop, and who comes and goes.
struct Mix {
  double active_share = 1;   ///< of the people …
  double active_weight = 1;  ///< … who send this share of the messages
  double churn_per_min = 0;  ///< share of the people who leave and come back, a minute
  bool is_one_way = false;   ///< those of an even number send, the others answer one in ten
  static Mix named(const std::string& name);
};

/// One worker's people: pairs that write to each other over real connections. Somebody with several
/// peers has one connection, and is one `Person` for each of them.
/// Everything that they see goes into the book of their pair. One thread; the
/// caller turns the loop.
class Swarm final : public SeatListener {
 public:
  struct Setup {
    std::uint64_t run = 0;  ///< makes ids and bodies of this run
    crypto::Bytes32 server_key{};
    std::vector<sockaddr_in> entries;
    std::vector<in_addr> sources;  ///< empty: any
    std::string device_prefix = "load-";
    Slot slot = Slot::kDesktop;
    SizeSpec size;
    std::size_t record_bytes_max = 1'024UL << 20;  ///< what waits to be judged
    std::vector<std::pair<Uid, Bytes>> people;     ///< with tokens; paired by pair_up()
    std::uint32_t peers = 1;                       ///< that each of them writes to
    std::uint32_t first_index = 0;                 ///< of the first person among all workers
    bool pairs_share_entry = false;                ///< both people of a pair dial the same entry
  };
  Swarm(Setup setup, load::Loop& loop, Random& random);

  /// Dials everybody who is not connected: `rate` a second (0: as fast as
  /// answers come) with at most `at_once` logins under way. `is_stubborn`: who
  /// is turned away comes again, with back-off.
  void dial(double rate, std::uint32_t at_once, MonoTime from, bool is_stubborn);
  /// Everybody who is not connected comes back at random within `window` (0:
  /// the one that the server announced), as apps do after a loss.
  void come_back(MonoTime from, std::chrono::milliseconds window, std::uint32_t at_once);
  [[nodiscard]] bool is_dialling() const { return !dials_.empty() || under_way_ > 0; }
  /// Lost connections come back by themselves from now on.
  void keep_connected() { keeps_connected_ = true; }

  /// Open loop: `rate` messages a second of all together, from `at` on, evenly
  /// spaced. `skip_late` above 0: what could not be sent within it is left out, not made up for.
  void start_open(double rate, MonoTime at, const Mix& mix, std::chrono::milliseconds skip_late);
  /// Closed loop: everybody keeps `outstanding` messages unanswered.
  void start_closed(std::uint32_t outstanding);
  /// Those of an even number send `each` messages to their peers, `outstanding`
  /// at once. With several peers: the side of each conversation that comes first.
  void start_flood(std::uint32_t each, std::uint32_t outstanding);
  /// Between start_flood() and stop_sending().
  [[nodiscard]] bool is_flood_over();
  void stop_sending();
  /// Asks the server what there is, for everybody who misses something. Once
  /// the load is over.
  void catch_up_all();
  /// From now on messages between people who lost no connection are a curve of their own.
  void mark_bystanders();
  /// Ends the connections of a share of the people without a word.
  std::uint32_t drop(double share, std::uint64_t seed);
  /// Everybody of an odd number leaves.
  void leave_odd();
  /// Pings of an idle connection; 0: as the server announced.
  void set_ping(std::chrono::milliseconds every) { ping_every_ = every; }

  /// Does what is due; returns when it wants to be called again at the latest.
  MonoTime work(MonoTime now);
  /// Every message sent has its answer and is at its receiver, and nobody misses a row.
  [[nodiscard]] bool is_settled();
  /// And every receipt has come: what was fetched by PULL gets none.
  [[nodiscard]] bool is_confirmed();
  /// Nobody is fetching what was missed.
  [[nodiscard]] bool is_caught_up() const { return catching_up_ == 0; }
  [[nodiscard]] std::size_t open_connections() const { return open_; }
  /// Sends that are due and were not made yet.
  [[nodiscard]] std::uint64_t backlog(MonoTime now) const;

  [[nodiscard]] const Counts& counts() const { return counts_; }
  Curves& curves() { return curves_; }
  [[nodiscard]] std::map<std::string, std::uint64_t> errors() const;
  /// Judges what the books hold; to be called when the load is over.
  Ledger judge();

  void on_open(Seat& c) override;
  void on_reply(Seat& c, std::uint32_t number, const load::SendReply& reply) override;
  void on_push(Seat& c, std::uint32_t n, const load::PushView& push) override;
  void on_ack(Seat& c, std::uint32_t n) override;
  void on_receipt(Seat& c, ConversationId conversation, std::uint64_t up_to, Uid by) override;
  void on_hint(Seat& c) override;
  void on_slice(Seat& c, ConversationId conversation, std::span<const load::PushView> rows,
                std::uint64_t head, bool more) override;
  void on_heads(Seat& c, std::span<const std::pair<ConversationId, std::uint64_t>> heads,
                bool more) override;
  void on_sync_refused(Seat& c, Millis retry_after) override;
  void on_closed(Seat& c, load::Blame blame, Errc code) override;

 private:
  /// A message on its way.
  struct Pending {
    MonoTime intended;
    MonoTime sent;
    std::uint32_t seq = 0;
    bool is_alone = false;  ///< nothing else of the sender was unanswered when it was sent
    bool is_answered = false;
    bool is_delivered = false;
    bool is_over = false;  ///< refused or confirmed
    /// Nothing more will come. A receipt may be here first: a push that waits for older rows is on
    /// the device, and acknowledged, before it is shown.
    [[nodiscard]] bool is_done() const { return is_over && (is_delivered || seq == 0); }
  };
  struct Held {
    std::uint32_t seq;
    std::uint32_t number;
  };
  struct Person {
    Seat* client = nullptr;
    Ring<Pending> pending;  ///< numbers first … first + size − 1
    std::uint32_t first;    ///< number of pending.front()
    std::uint32_t unanswered = 0;
    std::uint32_t last_push = 0;  ///< push number
    std::uint32_t receipted = 0;  ///< up to this seq
    MonoTime receipted_at{};
    MonoTime intended_dial{};
    MonoTime next_ping{};
    std::uint32_t contiguous = 0;  ///< every seq up to here is known
    bool awaits_hole = false;      ///< a time is set at which the first hole is asked for
    bool asks_for_hole = false;    ///< is_catching_up for its sake, on a connection that is well
    bool is_hinted = false;        ///< by a hint that came meanwhile
    std::vector<std::uint32_t> ahead;  ///< own ones above the first hole, few
    std::uint32_t to_flood = 0;        ///< messages that are still to be sent
    std::uint32_t tries = 0;           ///< dials turned away in a row
    std::uint32_t moves = 0;           ///< entries that it left because they failed it
    std::vector<Held> held;            ///< pushed above the first hole, at most kHeldMax
    ShownLately shown;                 ///< of the peer's messages
    bool is_ready = false;             ///< its SYNC was answered
    bool knows_base = false;           ///< where the conversation stood before the run
    bool has_missed = false;           ///< rows may be missing until it pulled
    bool is_catching_up = false;
    bool owes_resends = false;  ///< what a lost connection left unanswered goes before what is new
    bool was_lost = false;      ///< its connection ended by itself since the last mark
  };
  struct Due {
    MonoTime at;
    std::uint32_t index;
    std::uint32_t number = 0;
    friend bool operator<(const Due& a, const Due& b) { return a.at > b.at; }  // earliest on top
  };

  [[nodiscard]] static MonoTime now() { return std::chrono::steady_clock::now(); }
  void note(const Person& p, Mark mark, std::uint32_t number, std::uint64_t seq = 0,
            std::uint16_t extra = 0) {
    note_at(now(), p, mark, number, seq, extra);
  }
  void note_at(MonoTime at, const Person& p, Mark mark, std::uint32_t number, std::uint64_t seq = 0,
               std::uint16_t extra = 0);
  /// Now, which is `t`.
  void send(Person& p, MonoTime intended, MonoTime t);
  /// Message number n of the schedule.
  void send_due(std::uint64_t n);
  /// The wall clock at `t`: what the ids of messages begin with.
  [[nodiscard]] std::int64_t unix_ms(MonoTime t) const;
  /// Closed loop: as many messages of this connection as may be under way, to peers by draw.
  void refill(Line& line);
  void refill_all();
  Person* next_of(Line& line);
  static void answered(Person& p);
  void resend(Person& p, std::uint32_t number);
  void work_resends(MonoTime t, MonoTime& next);
  void work_refills(MonoTime t, MonoTime& next);
  void work_holes(MonoTime t, MonoTime& next);
  [[nodiscard]] MonoTime intended_at(std::uint64_t n) const;
  [[nodiscard]] MonoTime next_send() const { return intended_at(sends_made_); }
  [[nodiscard]] std::chrono::milliseconds ping_of(const Person& p) const;
  void leave(Person& p);
  void confirm(Person& p, MonoTime at);
  void forget_finished(Person& p);
  void stored(Person& p, Pending& m, std::uint32_t number, std::uint32_t seq, Mark how);
  void delivered(Person& sender, std::uint32_t number);
  Pending* pending_of(Person& p, std::uint32_t number);
  /// Number of a message of `sender` with this id and body; 0: it is none.
  /// `extra` gets what is wrong with it.
  std::uint32_t number_of(Uid sender, const load::PushView& push, std::uint16_t& extra);
  void work_dials(MonoTime t, MonoTime& next);
  void work_open(MonoTime t);
  void work_churn(MonoTime t);
  void work_pings(MonoTime t);
  std::size_t pick(std::uint64_t n);
  /// pick() goes around: n % people.
  [[nodiscard]] bool takes_turns() const {
    return setup_.peers == 1 && !mix_.is_one_way && mix_.active_share >= 1;
  }
  Person& peer_of(const Person& p) { return people_[p.client->index ^ 1U]; }
  [[nodiscard]] ConversationId conversation_of(const Person& p) const;

  /// kShownBefore when the judge cannot see any more what a push contradicts.
  std::uint16_t clash(Person& p, std::uint32_t seq, std::uint32_t number);

  static bool knows(const Person& p, std::uint32_t seq);
  static void know(Person& p, std::uint32_t seq);
  /// An app shows by seq: what was pushed above a hole waits until the hole is closed.
  void hold(Person& p, Held row, std::uint16_t extra);
  void show(Person& p, Held row);
  /// Shows what was held back and has no hole below it any more.
  void show_reached(Person& p);
  void await_hole(Person& p, std::chrono::milliseconds wait);
  /// All that the person sent is answered and delivered.
  static bool is_through(Person& p);
  void begin_catch_up(Person& p, bool for_hole);
  void take_row(Person& p, const load::PushView& row);
  /// `seen_to`: up to there the log has nothing but what came; 0: nothing is known.
  void end_catch_up(Person& p, std::uint32_t seen_to);
  void cut(std::size_t pair);

  Setup setup_;
  load::SwarmShared shared_;
  BodyMaker bodies_;
  Lines lines_;
  std::vector<Person> people_;
  std::vector<PairBook> books_;
  MonoTime opened_at_;
  std::int64_t opened_unix_ms_;
  std::uint64_t records_dropped_ = 0;
  std::size_t cut_at_ = 0;  ///< records of a pair from which it is judged while the load goes on
  LedgerThread judge_;

  std::priority_queue<Due> dials_;
  std::uint32_t dial_at_once_ = 200;
  std::uint32_t under_way_ = 0;
  bool is_stubborn_ = false;
  bool keeps_connected_ = false;
  bool marks_bystanders_ = false;
  std::uint64_t draws_ = 0;
  std::size_t catching_up_ = 0;

  double rate_ = 0;
  MonoTime send_from_{};
  std::uint64_t sends_made_ = 0;
  std::chrono::milliseconds skip_late_{0};
  std::uint32_t outstanding_ = 0;
  std::size_t round_ = 0;
  std::priority_queue<Due> refills_;  ///< closed loop: who was refused, and comes again then
  std::priority_queue<Due> resends_;  ///< RELAYED: the same id again; number 0: SYNC
  std::priority_queue<Due> holes_;    ///< who asks for what was pushed to nobody
  Mix mix_;
  bool is_flood_ = false;
  MonoTime next_churn_ = MonoTime::max();
  std::chrono::milliseconds ping_every_{0};
  MonoTime next_ping_round_{};
  std::size_t open_ = 0;

  Counts counts_;
  Curves curves_;
  std::map<std::string, std::uint64_t> errors_;
  std::map<Errc, std::uint64_t> refused_;  ///< sends
};

}  // namespace hy::bench
