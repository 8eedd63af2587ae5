#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace hy::entry {

/// One timer for each connection slot of an I/O thread: 12 bytes each, O(1) to move. A wheel of 512
/// ticks; what lies further off fires early and is armed again by its owner, who asks what is due
/// anyway. Ticks are counted by the owner (128 ms each, say). One thread.
class TimerWheel {
 public:
  static constexpr std::uint32_t kTicks = 512;

  TimerWheel() { heads_.fill(kNone); }

  /// Fires at `tick`, or earlier if that is more than a turn of the wheel away. Never before the
  /// next advance().
  void arm(std::uint32_t index, std::uint32_t tick) {
    if (index >= nodes_.size()) nodes_.resize(index + 1);
    disarm(index);
    std::uint32_t ahead = tick - now_;
    if (static_cast<std::int32_t>(ahead) < 1) ahead = 1;
    if (ahead >= kTicks) ahead = kTicks - 1;
    const auto slot = static_cast<std::uint16_t>((now_ + ahead) % kTicks);
    Node& node = nodes_[index];
    node.slot = slot;
    node.next = heads_[slot];
    node.previous = kNone;
    if (node.next != kNone) nodes_[node.next].previous = index;
    heads_[slot] = index;
  }
  void disarm(std::uint32_t index) {
    if (index >= nodes_.size() || nodes_[index].slot == kUnarmed) return;
    Node& node = nodes_[index];
    if (node.previous == kNone) {
      heads_[node.slot] = node.next;
    } else {
      nodes_[node.previous].next = node.next;
    }
    if (node.next != kNone) nodes_[node.next].previous = node.previous;
    node.slot = kUnarmed;
  }
  /// When the armed timer fires, as a tick; false: it is not armed.
  [[nodiscard]] bool fires_by(std::uint32_t index, std::uint32_t tick) const {
    if (index >= nodes_.size() || nodes_[index].slot == kUnarmed) return false;
    const std::uint32_t ahead = (nodes_[index].slot + kTicks - now_ % kTicks) % kTicks;
    return static_cast<std::int32_t>(tick - now_) >= static_cast<std::int32_t>(ahead);
  }
  /// Appends what fires up to and with `tick`; those are unarmed then.
  void advance(std::uint32_t tick, std::vector<std::uint32_t>& fired) {
    for (std::uint32_t turned = 0; now_ != tick && turned < kTicks; ++turned) {
      ++now_;
      collect(now_ % kTicks, fired);
    }
    now_ = tick;
  }
  [[nodiscard]] std::uint32_t now() const { return now_; }

 private:
  static constexpr std::uint32_t kNone = 0xFFFF'FFFF;
  static constexpr std::uint16_t kUnarmed = 0xFFFF;
  struct Node {
    std::uint32_t next = kNone;
    std::uint32_t previous = kNone;
    std::uint16_t slot = kUnarmed;
  };

  void collect(std::uint32_t slot, std::vector<std::uint32_t>& fired) {
    std::uint32_t index = heads_[slot];
    heads_[slot] = kNone;
    while (index != kNone) {
      Node& node = nodes_[index];
      fired.push_back(index);
      index = node.next;
      node.slot = kUnarmed;
    }
  }

  std::array<std::uint32_t, kTicks> heads_;
  std::vector<Node> nodes_;
  std::uint32_t now_ = 0;
};

}  // namespace hy::entry
