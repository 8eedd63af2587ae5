#pragma once

#include <cstdint>
#include <span>

namespace hy {

/// Randomness as an argument. The system implementation is crypto/system_random.h.
class Random {
 public:
  virtual ~Random() = default;
  virtual void fill(std::span<std::uint8_t> out) = 0;
  [[nodiscard]] std::uint64_t next() {
    std::uint64_t value = 0;
    fill({reinterpret_cast<std::uint8_t*>(&value), sizeof value});
    return value;
  }
  /// Even over 0 .. bound-1; bound ≥ 1. The bias of the modulus is below 2^-32 for bounds below
  /// 2^32.
  [[nodiscard]] std::uint64_t below(std::uint64_t bound) { return next() % bound; }
};

/// Reproducible from its seed (splitmix64): for jitter, simulation and tests, never for secrets.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) : state_(seed) {}
  void fill(std::span<std::uint8_t> out) override {
    for (std::size_t i = 0; i < out.size();) {
      state_ += 0x9E3779B97F4A7C15ULL;
      std::uint64_t z = state_;
      z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
      z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
      z ^= z >> 31;
      for (int k = 0; k < 8 && i < out.size(); ++k, ++i) {
        out[i] = static_cast<std::uint8_t>(z);
        z >>= 8;
      }
    }
  }

 private:
  std::uint64_t state_;
};

}  // namespace hy
