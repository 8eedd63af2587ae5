#pragma once

#include <string_view>

namespace hy {

/// Prints file, line and the condition to stderr and aborts. Never returns.
[[noreturn]] void check_failed(std::string_view file, int line, std::string_view condition);

}  // namespace hy

/// Always on and fatal: an invariant of our own state. Never for bytes that a peer sent.
#define HY_CHECK(condition)                               \
  do {                                                    \
    if (!(condition)) [[unlikely]]                        \
      ::hy::check_failed(__FILE__, __LINE__, #condition); \
  } while (false)

#ifdef HY_DEBUG_CHECKS
#define HY_DCHECK(condition) HY_CHECK(condition)
#else
#define HY_DCHECK(condition) \
  do {                       \
  } while (false)
#endif
