#pragma once

#include <expected>
#include <string>
#include <utility>

#include "common/base/error.h"

namespace hy {

/// Expected failures are values. (libstdc++ 12's std::expected has no and_then: use HY_TRY or an
/// `if`.)
template <class T>
using Result = std::expected<T, Error>;
using Status = std::expected<void, Error>;

inline std::unexpected<Error> fail(Errc code, std::string detail = {},
                                   std::chrono::milliseconds retry_after = {}) {
  return std::unexpected(Error{code, std::move(detail), retry_after});
}

}  // namespace hy

#define HY_CONCAT_INNER(a, b) a##b
#define HY_CONCAT(a, b) HY_CONCAT_INNER(a, b)

/// HY_TRY(auto x, f()): returns f's error from this function, or goes on with its value in x.
#define HY_TRY(target, expression)                                           \
  auto HY_CONCAT(hy_try_, __LINE__) = (expression);                          \
  if (!HY_CONCAT(hy_try_, __LINE__))                                         \
    return std::unexpected(std::move(HY_CONCAT(hy_try_, __LINE__)).error()); \
  target = *std::move(HY_CONCAT(hy_try_, __LINE__))

/// HY_TRY_VOID(f()): the same for Status.
#define HY_TRY_VOID(expression)                                 \
  do {                                                          \
    if (auto hy_try_status = (expression); !hy_try_status)      \
      return std::unexpected(std::move(hy_try_status).error()); \
  } while (false)
