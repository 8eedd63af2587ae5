#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/flat/flat_map.h"
#include "entry/ports/traffic.h"

namespace hy::entry {

/// Gathers what devices confirm. A RECEIPT is cumulative for its conversation and person, so of
/// several confirmations of one connection, conversation and sender only the highest seq goes on.
/// Provisional ones (seq 0) are told apart by their message and all go on. Core; one thread.
class ConfirmGatherer {
 public:
  void add(Confirm confirm);
  /// Appends everything to `out`, in the order in which each first came.
  void take(std::vector<Confirm>& out);
  [[nodiscard]] std::size_t size() const { return gathered_.size(); }

 private:
  std::vector<Confirm> gathered_;
  /// By a hash of connection and conversation: where its last one stands. A collision costs a
  /// merge, never a mix-up.
  FlatMap<std::uint64_t, std::uint32_t> last_;
};

}  // namespace hy::entry
