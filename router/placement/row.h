#pragma once

#include <tuple>

#include "common/base/ids.h"

namespace hy::router {

/// One placement: which connection of which life of which entry holds (uid, slot), or that the
/// session of that epoch has ended (`dead`). Written by that entry alone.
struct Row {
  Uid uid;
  Slot slot = Slot::kNone;
  Epoch epoch;
  bool dead = false;
  EntryId entry;
  Incarnation incarnation;
  ConnId conn;
  friend bool operator==(const Row&, const Row&) = default;
};

/// The order of router.md §3 over rows of one key: epoch; dead above live; then who wrote it, so
/// that the order is total.
[[nodiscard]] constexpr auto rank(const Row& row) {
  return std::tuple(row.epoch, row.dead, row.entry, row.incarnation, row.conn);
}

/// max(a, b): commutative, associative, idempotent, so replicas agree whatever the order in which
/// they heard. Precondition: the same key.
[[nodiscard]] constexpr const Row& merge(const Row& a, const Row& b) {
  return rank(a) < rank(b) ? b : a;
}

}  // namespace hy::router
