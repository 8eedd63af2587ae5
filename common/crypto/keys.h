#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "common/base/bytes.h"
#include "common/base/secret.h"

namespace hy::crypto {

using Bytes32 = std::array<std::uint8_t, 32>;
using Bytes64 = std::array<std::uint8_t, 64>;
using View32 = std::span<const std::uint8_t, 32>;

/// A fixed-size secret without a heap: wiped on destruction, on being moved from and before being
/// overwritten. It has no formatter and no stream operator.
template <std::size_t N>
class WipedArray {
 public:
  WipedArray() = default;
  explicit WipedArray(std::span<const std::uint8_t, N> in) {
    std::copy(in.begin(), in.end(), bytes_.begin());
  }
  WipedArray(const WipedArray&) = default;
  WipedArray& operator=(const WipedArray&) = default;
  WipedArray(WipedArray&& other) noexcept : bytes_(other.bytes_) { other.clear(); }
  WipedArray& operator=(WipedArray&& other) noexcept {
    if (this != &other) {
      bytes_ = other.bytes_;
      other.clear();
    }
    return *this;
  }
  ~WipedArray() { clear(); }

  [[nodiscard]] std::span<const std::uint8_t, N> reveal() const { return bytes_; }
  [[nodiscard]] std::span<std::uint8_t, N> writable() { return bytes_; }
  void clear() { wipe(bytes_.data(), bytes_.size()); }

 private:
  std::array<std::uint8_t, N> bytes_{};
};

using SecretKey32 = WipedArray<32>;

}  // namespace hy::crypto
