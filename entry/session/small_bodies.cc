#include "entry/session/small_bodies.h"

#include <utility>

namespace hy::entry {
namespace {

constexpr std::uint32_t kVarint = 0;
constexpr std::uint32_t kLengthDelimited = 2;

void put_varint(Bytes& out, std::uint64_t value) {
  while (value >= 0x80) {
    out.push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  out.push_back(static_cast<char>(value));
}

void put_number(Bytes& out, std::uint32_t field, std::uint64_t value) {
  if (value == 0) return;  // proto3: the default is not written
  put_varint(out, (field << 3) | kVarint);
  put_varint(out, value);
}

void put_text(Bytes& out, std::uint32_t field, std::string_view text) {
  if (text.empty()) return;
  put_varint(out, (field << 3) | kLengthDelimited);
  put_varint(out, text.size());
  out.append(text);
}

std::uint64_t millis_field(Millis value) {
  return value.count() > 0 ? static_cast<std::uint64_t>(value.count()) : 0;
}

}  // namespace

Bytes refused_body(Errc code, Millis retry_after, std::string_view detail,
                   std::uint32_t conn_counter) {
  Bytes out;
  put_number(out, 1, std::to_underlying(code));
  put_number(out, 2, std::to_underlying(error_info(code).scope));
  put_number(out, 3, millis_field(retry_after));
  put_text(out, 4, detail);
  put_number(out, 5, conn_counter);
  return out;
}

Bytes goaway_body(Errc code, Millis wait_max) {
  Bytes out;
  put_number(out, 1, std::to_underlying(code));
  put_number(out, 2, millis_field(wait_max));
  return out;
}

void append_registration_partial(Bytes& login_answer) {
  put_number(login_answer, 13, 1);
}

}  // namespace hy::entry
