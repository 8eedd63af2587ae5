#pragma once

#include <string>

#include "common/base/clock.h"
#include "common/base/result.h"

namespace hy::http {

struct Answer {
  int status = 0;
  std::string body;
};

/// One GET over plain HTTP/1.1, blocking, done or failed within `within`; at most 1 MiB of body.
/// For command-line tools and tests, never inside a daemon. `address` is "IP:PORT".
/// Errors: kUnreachableServer, kTimedOut, kUsage (the address).
Result<Answer> get(const std::string& address, const std::string& path, Millis within);

}  // namespace hy::http
