#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>

#include <string>
#include <string_view>
#include "common/base/random.h"
#include "tests/faults/tcp_gate.h"

/// The frame-aware half of a gate. No sockets, no clock: the gate feeds bytes and sends what comes
/// out.
namespace hy::faults {

/// Decides which frame meets which fault; shared by all connections of one gate and direction.
class FrameJudge {
 public:
  explicit FrameJudge(std::uint64_t seed) : random_(seed) {}

  void set(const FrameFaultRates& rates) { rates_ = rates; }
  void strike(FrameFault fault, std::uint64_t n, bool data_only) {
    strike_ = Strike{fault, n, data_only};
  }
  void heal();
  [[nodiscard]] bool is_idle() const;

  /// The fault of a frame that came; keeps a copy of DATA frames for replays.
  std::optional<FrameFault> judge(std::string_view frame);
  /// An older frame, never the one judged last; empty when there is none.
  std::string recorded();
  std::uint64_t below(std::uint64_t bound) { return random_.below(bound); }

 private:
  struct Strike {
    FrameFault fault;
    std::uint64_t left;
    bool data_only;
  };
  SeededRandom random_;
  FrameFaultRates rates_;
  std::optional<Strike> strike_;
  std::deque<std::string> record_;  // DATA frames, oldest first; at most kRecordMax
};

/// Cuts one direction of one connection into frames and does to them what the judge says.
class FrameMangler {
 public:
  using Out = std::function<void(std::string)>;
  FrameMangler(FrameJudge& judge, GateCounters::Way& count) : judge_(judge), count_(count) {}

  /// Takes bytes of the stream; `out` gets what is to be sent, in order.
  void feed(std::string_view in, const Out& out);
  /// A frame waits for the next one to be swapped with.
  [[nodiscard]] bool holds() const { return !held_.empty(); }
  /// The next one did not come, or the stream ended: sends what is held, and a rest of a frame at
  /// the stream's end.
  void release(const Out& out);
  void finish(const Out& out);

 private:
  void frame(std::string whole, const Out& out);
  void deliver(std::string whole, const Out& out);

  FrameJudge& judge_;
  GateCounters::Way& count_;
  std::string partial_;
  std::string held_;
  bool is_raw_ = false;  // what came is no frame of ours: passed on as it is
};

}  // namespace hy::faults
