#pragma once

#include <atomic>
#include <filesystem>

#include "das/engines/embedded/embedded_engine.h"
#include "tests/contract/contract.h"

namespace hy::das::contract {

/// The machine's clocks, with a wall clock that a test may set aside and a monotonic one that it
/// may push ahead.
class OffsetClock final : public Clock {
 public:
  [[nodiscard]] MonoTime now() const override { return real_.now() + mono_.load(); }
  [[nodiscard]] std::int64_t wall_ms() const override { return real_.wall_ms() + wall_.load(); }
  void move_wall(Millis by) { wall_ += by.count(); }
  void move_mono(Millis by) { mono_ = mono_.load() + by; }

 private:
  SystemClock real_;
  std::atomic<std::int64_t> wall_{0};
  std::atomic<Millis> mono_{Millis{0}};
};

/// A file in a folder of its own, removed at the end.
class EmbeddedStore final : public TestStore {
 public:
  EmbeddedStore();
  ~EmbeddedStore() override;
  Result<std::unique_ptr<Engine>> open() override;
  [[nodiscard]] bool is_shared() const override { return false; }
  bool move_clock(Millis by) override {
    clock_.move_wall(by);
    return true;
  }
  /// Not started.
  std::unique_ptr<embedded::EmbeddedEngine> make(std::uint32_t pages_max = 0);
  [[nodiscard]] std::filesystem::path file() const { return folder_ / "hongyan.db"; }
  [[nodiscard]] OffsetClock& clock() { return clock_; }

 private:
  std::filesystem::path folder_;
  OffsetClock clock_;
};

}  // namespace hy::das::contract
