#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "common/flat/flat_map.h"
#include "common/flow/placement_digest.h"
#include "router/lease/lease_table.h"
#include "router/placement/placement_table.h"
#include "router/ports/entry_port.h"
#include "router/ports/stats.h"

namespace hy::router {

/// A row as an entry sends it; entry and incarnation are those of its stream.
struct OfferedRow {
  std::uint64_t uid = 0;
  std::uint32_t slot = 0;
  Epoch epoch;
  ConnId conn;
  bool dead = false;
};

struct EntryHello {
  EntryId entry;
  Incarnation incarnation;
  std::string role;
  std::uint32_t version_low = 0;
  std::uint32_t version_high = 0;
  std::uint64_t topology_version = 0;
  std::uint64_t digest_key = 0;
  std::uint64_t first_op_held = 0;
};

struct HelloVerdict {
  enum class Kind : std::uint8_t { kAccepted, kBadIncarnation, kRefused } kind = Kind::kAccepted;
  Incarnation known;  ///< with kBadIncarnation
  Errc code = Errc::kOk;
  std::string detail;
};

struct EntryHeartbeat {
  Incarnation incarnation;
  std::uint64_t last_op = 0;
  std::uint64_t rows = 0;
  std::uint64_t digest_root = 0;  ///< 0: not stated
  bool draining = false;
};

struct LinkRules {
  std::uint64_t topology_version = 0;
  std::uint32_t stream_version = 1;
  Millis tombstone_min{600'000};  ///< 10 min
  Millis compare_every{60'000};   ///< all buckets, whatever the root says
  std::uint32_t kick_tries_max = 5;
  std::size_t kicks_pending_max = 100'000;  ///< per entry; more are found again by digest
};

/// The replica's end of all entries' streams (router.md §4 to §7, §12): rows in, acknowledgements,
/// snapshots, digests, kicks out; and whether this replica may say "offline". One thread; time is
/// an argument.
class RouterLink {
 public:
  RouterLink(LinkRules rules, PlacementTable& table, LeaseTable& leases, EntryPort& port,
             RouterStats& stats);

  /// Called when is_ready() has changed.
  std::function<void(bool)> on_ready_changed;

  /// Judges a HELLO. kAccepted: make the stream known to the port, then call accept().
  [[nodiscard]] HelloVerdict check(const EntryHello& hello) const;
  void accept(const EntryHello& hello, MonoTime now);
  void on_ops(EntryId entry, std::uint64_t after, std::uint64_t last,
              std::span<const OfferedRow> rows, MonoTime now);
  void on_snapshot(EntryId entry, std::span<const OfferedRow> rows, bool end, std::uint64_t last_op,
                   MonoTime now);
  void on_heartbeat(EntryId entry, const EntryHeartbeat& beat, MonoTime now);
  /// The entry's 256 buckets; they belong to its state after `op`.
  void on_buckets(EntryId entry, std::span<const flow::DigestBucket> buckets, std::uint64_t op,
                  MonoTime now);
  void on_bucket_rows(EntryId entry, std::uint32_t bucket, std::span<const OfferedRow> rows,
                      MonoTime now);
  void on_lost(EntryId entry, MonoTime now);
  /// Every LeaseRules::tick. Returns entries that have just died: their streams are to be closed.
  std::vector<EntryId> tick(MonoTime now);
  /// Before each event, first of all.
  void observe(MonoTime now);

  /// Logic asks: closes what is live at the key (slot kNone: at all slots) below the epoch, and
  /// repeats it until that is seen.
  void kick(Uid uid, Slot slot, Epoch below, Errc code, const std::string& reason);

  /// READY: it may say "offline".
  [[nodiscard]] bool is_ready() const { return ready_; }
  /// For whom this replica waits while WARMING.
  [[nodiscard]] std::vector<EntryId> missing() const;
  [[nodiscard]] std::uint64_t last_op(EntryId entry) const;

 private:
  enum class Phase : std::uint8_t { kDown, kDumping, kLive };
  struct PendingKick {
    KickOrder order;
    std::uint32_t tries = 0;
    bool from_logic = false;
  };
  struct Peer {
    Phase phase = Phase::kDown;
    Incarnation incarnation;
    bool complete = false;  // holds all rows of this incarnation up to last_op
    std::uint64_t last_op = 0;
    MonoTime agreed_at{};
    MonoTime compared_at{};
    bool asked_digests = false;
    std::map<ConnId, PendingKick> kicks;
  };

  Peer* peer(EntryId entry);
  void ask_for_dump(EntryId entry, Peer& p);
  void begin_dump(EntryId entry, Peer& p);
  /// states_present: the row says what the entry holds now (a dump, a bucket), not what happened.
  void offer(EntryId entry, Peer& p, const OfferedRow& offered, bool states_present, MonoTime now);
  void displaced(const Row& before, const Row& winner);
  void send_kick(EntryId entry, KickOrder order, bool from_logic);
  void repeat_kicks(EntryId entry, Peer& p, bool agreed);
  [[nodiscard]] bool still_wanted(EntryId entry, const PendingKick& kick) const;
  void agreed(EntryId entry, Peer& p, MonoTime now);
  void sweep(MonoTime now);
  void refresh_ready();

  LinkRules rules_;
  PlacementTable& table_;
  LeaseTable& leases_;
  EntryPort& port_;
  RouterStats& stats_;
  std::map<EntryId, Peer> peers_;
  std::uint32_t sweep_bucket_ = 0;
  bool ready_ = false;
};

}  // namespace hy::router
