#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/bytes.h"

/// One fuzz target per file in tests/fuzz/targets. A target takes any bytes and checks laws: it
/// ends the process when one is broken. The same object is a libFuzzer program (HY_SANITIZE=fuzzer)
/// and a part of fuzz_replay, which runs the corpora and mutations of them in ordinary and in
/// sanitized builds.
namespace hy::fuzz {

/// File name and content.
using Seed = std::pair<std::string, Bytes>;

struct Target {
  std::string_view name;
  void (*run)(ByteView input);
  /// Well-formed inputs, the same at every call: tests/fuzz/corpus/<name> is written from them.
  std::vector<Seed> (*seeds)();
  /// Longest input that the target looks at.
  std::size_t bytes_max = 4'096;
};

/// All targets linked into this program, in order of their names.
const std::vector<Target>& targets();

struct Registration {
  explicit Registration(const Target& target);
};

/// Ends the process when `holds` is false: prints which law was broken.
[[noreturn]] void law_broken(const char* what);
inline void law(bool holds, const char* what) {
  if (!holds) [[unlikely]]
    law_broken(what);
}

/// Takes an input apart from the front; gives zeros when it is used up.
class Reader {
 public:
  explicit Reader(ByteView input) : rest_(input) {}
  [[nodiscard]] bool empty() const { return rest_.empty(); }
  std::uint8_t u8() {
    if (rest_.empty()) return 0;
    const std::uint8_t value = rest_.front();
    rest_ = rest_.subspan(1);
    return value;
  }
  std::uint16_t u16() { return static_cast<std::uint16_t>(u8() << 8 | u8()); }
  std::uint32_t u32() { return static_cast<std::uint32_t>(u16()) << 16 | u16(); }
  std::uint64_t u64() { return static_cast<std::uint64_t>(u32()) << 32 | u32(); }
  /// At most `size` bytes.
  ByteView take(std::size_t size) {
    const ByteView out = rest_.first(std::min(size, rest_.size()));
    rest_ = rest_.subspan(out.size());
    return out;
  }
  ByteView rest() { return std::exchange(rest_, {}); }

 private:
  ByteView rest_;
};

/// A copy that can be written to, as the product's buffers can.
inline Bytes copy_of(ByteView bytes) {
  return Bytes(as_text(bytes));
}
inline std::span<std::uint8_t> writable(Bytes& bytes) {
  return {reinterpret_cast<std::uint8_t*>(bytes.data()), bytes.size()};
}

}  // namespace hy::fuzz

/// In a target's file: HY_FUZZ_TARGET(frame_decoder, run, seeds, bytes_max)
#define HY_FUZZ_TARGET(name, run, seeds, bytes_max) \
  const ::hy::fuzz::Registration registration {     \
    {                                               \
      #name, run, seeds, bytes_max                  \
    }                                               \
  }
