#include "common/base/check.h"

#include <cstdio>
#include <cstdlib>

namespace hy {

void check_failed(std::string_view file, int line, std::string_view condition) {
  std::fprintf(stderr, "HY_CHECK failed: %.*s:%d: %.*s\n", static_cast<int>(file.size()),
               file.data(), line, static_cast<int>(condition.size()), condition.data());
  std::abort();
}

}  // namespace hy
