#include "entry/session/small_bodies.h"

#include <string>
#include <utility>

#include "common/wire/refused.h"

namespace hy::entry {
namespace {

constexpr std::uint32_t kVarint = 0;

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

std::uint64_t millis_field(Millis value) {
  return value.count() > 0 ? static_cast<std::uint64_t>(value.count()) : 0;
}

}  // namespace

Bytes refused_body(Errc code, Millis retry_after, std::string_view detail,
                   std::uint32_t conn_counter) {
  return wire::encode_refused(
      {.code = code, .detail = std::string(detail), .retry_after = retry_after}, conn_counter);
}

Error error_of_refused(const Bytes& body) {
  const auto refusal = wire::decode_refused(as_bytes(body));
  return refusal ? refusal->error : refusal.error();
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

void append_ack_terms(Bytes& login_answer, const AckTerms& terms) {
  put_number(login_answer, 14, millis_field(terms.within));
  put_number(login_answer, 15, terms.owed_max);
  put_number(login_answer, 16, terms.bytes_max);
}

}  // namespace hy::entry
