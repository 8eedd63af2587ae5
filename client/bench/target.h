#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "common/base/ids.h"

namespace hy::bench {

/// A process of the server that runs on this host.
struct ServerProcess {
  std::string name;  ///< "entry-a", "mariadb"
  std::string tier;  ///< "entry", "logic", "router", "das", "store"
  pid_t pid = -1;
  std::string admin;  ///< "127.0.0.1:PORT" of its metrics; empty: none
};

/// Whom a run is against, found by public means alone.
struct Target {
  std::string name;
  std::string store;                 ///< "embedded", "mysql"; empty: not known
  std::vector<std::string> entries;  ///< "IP:PORT"
  std::string server_key_hex;
  std::string device_prefix = "bench-";  ///< what the tokens are bound to, with the uid behind it
  Slot slot = Slot::kDesktop;            ///< and this
  std::vector<std::pair<Uid, Bytes>> people;  ///< with their tokens
  std::vector<ServerProcess> processes;       ///< empty: the server is elsewhere
};

}  // namespace hy::bench
