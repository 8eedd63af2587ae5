#pragma once

#include "client/judge/evidence.h"

/// What tests of single checkers write often.
namespace hy::judge {

inline ClientMsgId id_of(std::uint64_t n) {
  ClientMsgId id;
  put_be(id.bytes.data(), n);
  return id;
}

inline Nanos at_s(double s) {
  return static_cast<Nanos>(s * static_cast<double>(kSecond));
}

}  // namespace hy::judge
