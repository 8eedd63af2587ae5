#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "common/flat/flat_map.h"
#include "common/flow/placement_digest.h"
#include "entry/ports/router_port.h"

namespace hy::entry {

/// This entry's placements and the numbered changes that led to them. A change is kept until every
/// replica that follows has confirmed it; what is sent is the latest row of each key, so a key that
/// changed ten times costs one row (and leaves gaps in the numbers).
///
/// Live rows cost 25 bytes a key; op numbers and tombstones exist for unconfirmed keys only. Holds
/// the digests of the links, so that they always stand for the state after last_op(). One thread.
class PlacementLog {
 public:
  struct Live {
    Epoch epoch;
    ConnId conn;
  };

  /// nullopt: that (uid, slot) has no session here.
  [[nodiscard]] std::optional<Live> find(Uid uid, Slot slot) const;
  /// The newest epoch known for the key: a live row's, or that of an unconfirmed tombstone.
  [[nodiscard]] std::optional<Epoch> newest_epoch(Uid uid, Slot slot) const;
  /// The op number of the change.
  std::uint64_t put(Uid uid, Slot slot, Epoch epoch, ConnId conn);
  /// Only when the live row is this connection's. 0: it is not, nothing changed.
  std::uint64_t erase(Uid uid, Slot slot, ConnId conn);

  [[nodiscard]] std::uint64_t last_op() const { return last_op_; }
  /// The oldest op from which a replica can still be brought up to date without a dump.
  [[nodiscard]] std::uint64_t first_op_held() const { return log_start_; }
  [[nodiscard]] std::size_t live_rows() const { return live_.size(); }

  /// The changes after op `after`, at most `rows_max` rows; returns the op number up to which they
  /// go. Precondition: after + 1 >= first_op_held().
  std::uint64_t collect(std::uint64_t after, std::size_t rows_max,
                        std::vector<PlacementRow>& out) const;
  /// Every follower has confirmed up to `op`.
  void confirm(std::uint64_t op);
  /// Unconfirmed changes held.
  [[nodiscard]] std::size_t held() const { return log_.size(); }

  [[nodiscard]] std::vector<PlacementRow> all_rows() const;
  [[nodiscard]] std::vector<PlacementRow> rows_of_bucket(std::uint32_t bucket) const;

  /// One digest per link. Filled from all rows when keyed anew.
  void reset_digest(std::uint32_t link, std::uint64_t key);
  [[nodiscard]] const flow::PlacementDigest& digest(std::uint32_t link) const {
    return digests_[link];
  }

 private:
  // Packed: a million sessions are a million of these.
  struct [[gnu::packed]] Key {
    std::uint64_t uid;
    std::uint8_t slot;
    friend bool operator==(const Key& a, const Key& b) {
      return a.uid == b.uid && a.slot == b.slot;
    }
  };
  struct [[gnu::packed]] Row {
    std::uint32_t auth;
    std::uint32_t counter;
    std::uint64_t conn;
  };
  struct KeyHash {
    std::size_t operator()(const Key& key) const {
      return mix64(std::uint64_t{key.uid} * 8 + key.slot);
    }
  };
  struct Pending {
    std::uint64_t op = 0;
    Epoch epoch;  // of the tombstone, when the key has no live row
    ConnId conn;
  };

  static Key key_of(Uid uid, Slot slot);
  static Live live_of(const Row& row);
  static PlacementRow row_of(const Key& key, const Live& live, bool dead);
  std::uint64_t record(const Key& key, Epoch epoch, ConnId conn);
  void digest_remove(const Key& key, const Live& live);
  void digest_add(const Key& key, const Live& live);

  FlatMap<Key, Row, KeyHash> live_;
  FlatMap<Key, Pending, KeyHash> pending_;
  std::deque<Key> log_;  // log_[i] changed with op log_start_ + i
  // Op 1 is "started, holds nothing": so the first dump has a number that can be confirmed, as 0
  // means "no confirmation" on the wire.
  std::uint64_t log_start_ = 2;
  std::uint64_t last_op_ = 1;
  std::vector<flow::PlacementDigest> digests_;
};

}  // namespace hy::entry
