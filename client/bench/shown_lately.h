#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "client/bench/ring.h"

namespace hy::bench {

/// Which of the other one's messages a person was shown last, by seq. Delivery is at least once: a
/// message may be pushed again under another push number, late too (a router that answered late, an
/// entry that stood still), and an app drops it by its seq. Only another message at that seq, or
/// the same one at another seq, is a fault.
///
/// Logic hands a message to two routers at most, 50 ms apart, so what comes again is as old as the
/// longer of the two ways was behind the other: kKept messages of one person are five seconds at
/// the 50/s that a connection of a busy run gets. What is older is judged by its order alone. At
/// most 8 · kKept bytes, nothing while nothing is shown.
class ShownLately {
 public:
  static constexpr std::size_t kKept = 256;
  struct Row {
    std::uint32_t seq = 0;
    std::uint32_t number = 0;  ///< of the sender's message; 0: none of this run
  };
  enum class Fate : std::uint8_t {
    kNew,
    kAgain,  ///< the same message at the same seq: dropped
    kOther,  ///< another message at a known seq, or a shown message at another seq
  };

  void add(Row row) {
    if (rows_.size() == kKept) {
      const Row oldest = rows_.front();
      rows_.pop_front();
      gone_.seq = std::max(gone_.seq, oldest.seq);
      gone_.number = std::max(gone_.number, oldest.number);
    }
    rows_.push_back(row);
    highest_ = std::max(highest_, row.number);
  }

  /// What `row` is to somebody who has something at its seq already, or not.
  [[nodiscard]] Fate fate(Row row, bool is_known) {
    if (!is_known) {
      // Numbers rise, so what is new is above all that were shown, but for a resend.
      if (row.number > highest_ || row.number == 0) return Fate::kNew;
      return seq_of(row.number) ? Fate::kOther : Fate::kNew;
    }
    for (std::size_t i = rows_.size(); i-- > 0;) {
      if (rows_[i].seq == row.seq)
        return rows_[i].number == row.number ? Fate::kAgain : Fate::kOther;
    }
    // Forgotten by now, or of a run before this one.
    const bool is_old = rows_.empty() || row.seq < rows_.front().seq;
    return is_old && row.number <= gone_.number ? Fate::kAgain : Fate::kOther;
  }

  /// Where a message that was shown stands.
  [[nodiscard]] std::optional<std::uint32_t> seq_of(std::uint32_t number) {
    for (std::size_t i = rows_.size(); i-- > 0;) {
      if (rows_[i].number == number) return rows_[i].seq;
    }
    return std::nullopt;
  }

 private:
  Ring<Row> rows_;
  Row gone_;
  std::uint32_t highest_ = 0;
};

}  // namespace hy::bench
