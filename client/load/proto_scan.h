#pragma once

#include <cstdint>

#include "common/base/bytes.h"

/// The protobuf wire format, for the few messages that a load test makes and reads by the million:
/// no message objects, no copies (protobuf.dev/programming-guides/encoding).
namespace hy::load {

/// Goes over the fields of one message in their order. Unknown fields are the caller's to skip.
class FieldReader {
 public:
  explicit FieldReader(ByteView message)
      : at_(message.data()), end_(message.data() + message.size()) {}

  /// Moves to the next field; false at the end or when the bytes are no message (see is_broken).
  bool next() {
    if (at_ == end_ || is_broken_) return false;
    const std::uint64_t tag = varint();
    field_ = static_cast<std::uint32_t>(tag >> 3);
    switch (tag & 7) {
      case 0: number_ = varint(); break;
      case 1: skip(8); break;
      case 2: bytes_ = take(varint()); break;
      case 5: skip(4); break;
      default: is_broken_ = true;
    }
    return !is_broken_;
  }
  [[nodiscard]] std::uint32_t field() const { return field_; }
  [[nodiscard]] std::uint64_t number() const { return number_; }
  [[nodiscard]] ByteView bytes() const { return bytes_; }
  [[nodiscard]] bool is_broken() const { return is_broken_; }

 private:
  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; at_ != end_ && shift < 64; shift += 7) {
      const std::uint8_t byte = *at_++;
      value |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
      if (byte < 0x80) return value;
    }
    is_broken_ = true;
    return 0;
  }
  ByteView take(std::uint64_t bytes) {
    if (bytes > static_cast<std::uint64_t>(end_ - at_)) {
      is_broken_ = true;
      return {};
    }
    const ByteView out(at_, static_cast<std::size_t>(bytes));
    at_ += bytes;
    return out;
  }
  void skip(std::uint64_t bytes) { take(bytes); }

  const std::uint8_t* at_;
  const std::uint8_t* end_;
  std::uint64_t number_ = 0;
  ByteView bytes_;
  std::uint32_t field_ = 0;
  bool is_broken_ = false;
};

inline void put_varint(Bytes& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>(value | 0x80));
  out.push_back(static_cast<char>(value));
}
inline void put_number(Bytes& out, std::uint32_t field, std::uint64_t value) {
  put_varint(out, field << 3);
  put_varint(out, value);
}
inline void put_bytes(Bytes& out, std::uint32_t field, std::string_view bytes) {
  put_varint(out, field << 3 | 2);
  put_varint(out, bytes.size());
  out.append(bytes);
}

}  // namespace hy::load
