#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "common/base/clock.h"

namespace hy::flow {

/// Many deadlines, few ticks: an id is returned by the first due() at or after its time. Ids that
/// ended before stay in their slot and are skipped by the owner. Adding costs the same however many
/// there are, which a heap does not give. Not thread-safe.
class DeadlineWheel {
 public:
  static constexpr Millis kStep{32};

  explicit DeadlineWheel(MonoTime start) : at_(start) {}

  void add(std::uint64_t id, MonoTime deadline) {
    const auto ahead = (deadline - at_) / kStep + 1;
    const auto slots = std::clamp<std::int64_t>(ahead, 1, kSlots - 1);
    slots_[(cursor_ + static_cast<std::size_t>(slots)) % kSlots].push_back({id, deadline});
  }

  /// Appends the ids whose time has come. Calls may be any time apart.
  void due(MonoTime now, std::vector<std::uint64_t>& out) {
    while (at_ + kStep <= now) {
      at_ += kStep;
      cursor_ = (cursor_ + 1) % kSlots;
      std::vector<Item> items = std::move(slots_[cursor_]);
      slots_[cursor_].clear();
      for (const Item& item : items) {
        if (item.deadline <= now) {
          out.push_back(item.id);
        } else {
          add(item.id, item.deadline);  // beyond the wheel's horizon when it was added
        }
      }
      items.clear();
      if (slots_[cursor_].empty()) slots_[cursor_].swap(items);  // its memory serves the next round
    }
    // The slot that is not over yet.
    std::erase_if(slots_[(cursor_ + 1) % kSlots], [now, &out](const Item& item) {
      if (item.deadline > now) return false;
      out.push_back(item.id);
      return true;
    });
  }

 private:
  struct Item {
    std::uint64_t id;
    MonoTime deadline;
  };
  static constexpr std::size_t kSlots = 128;
  std::array<std::vector<Item>, kSlots> slots_;
  std::size_t cursor_ = 0;
  MonoTime at_;
};

}  // namespace hy::flow
