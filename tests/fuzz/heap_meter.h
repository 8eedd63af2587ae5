#pragma once

#include <cstddef>

/// Heap of this thread while a meter lives. Under AddressSanitizer, whose allocator can be asked;
/// elsewhere 0.
namespace hy::fuzz {

class HeapMeter {
 public:
  HeapMeter();
  ~HeapMeter();
  HeapMeter(const HeapMeter&) = delete;
  HeapMeter& operator=(const HeapMeter&) = delete;
  /// The most that was held beyond what was held when the meter was made, in bytes.
  [[nodiscard]] std::size_t peak() const;
};

}  // namespace hy::fuzz
