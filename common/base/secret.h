#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <utility>

namespace hy {

/// Overwrites memory in a way that the compiler may not drop.
inline void wipe(void* data, std::size_t size) {
  std::memset(data, 0, size);
  asm volatile("" : : "r"(data) : "memory");
}

/// Bytes that must not be seen: wiped on destruction, not printable (it has no formatter and no
/// stream operator).
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string bytes) : bytes_(std::move(bytes)) {}
  Secret(const Secret&) = default;
  Secret(Secret&& other) noexcept : bytes_(other.bytes_) { other.clear(); }
  Secret& operator=(const Secret& other) {
    if (this != &other) {
      clear();
      bytes_ = other.bytes_;
    }
    return *this;
  }
  Secret& operator=(Secret&& other) noexcept {
    if (this != &other) {
      clear();
      bytes_ = other.bytes_;
      other.clear();
    }
    return *this;
  }
  ~Secret() { clear(); }

  [[nodiscard]] bool empty() const { return bytes_.empty(); }
  [[nodiscard]] std::size_t size() const { return bytes_.size(); }
  /// The only way in: the name shows at the call where a secret is used.
  [[nodiscard]] const std::string& reveal() const { return bytes_; }
  void clear() {
    wipe(bytes_.data(), bytes_.size());
    bytes_.clear();
  }

 private:
  std::string bytes_;
};

}  // namespace hy
