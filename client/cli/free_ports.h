#pragma once

#include <vector>

#include "client/cli/unique_fd.h"
#include "common/base/result.h"

namespace hy::cli {

/// Ports on 127.0.0.1 for the daemons of one cluster. They stay below the kernel's range for
/// outgoing connections (32768), where a listener may meet a stranger's connection at any moment. A
/// reservation is an abstract Unix socket that lives as long as this object: two clusters that
/// start at the same time never choose the same port, also while a daemon of one is being
/// restarted.
class FreePorts {
 public:
  /// A free base port near `preferred` (which ends in 0), with base + 1 free as well.
  /// Errors: kPortInUse.
  Result<int> pair(int preferred);

 private:
  std::vector<UniqueFd> reservations_;
};

}  // namespace hy::cli
