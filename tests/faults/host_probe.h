#pragma once

#include <string>
#include <vector>

#include "common/base/result.h"
#include "tests/faults/tcp_gate.h"

namespace hy::faults {

/// What this host lets a fault programme use. Each answer was tried, not guessed from a version.
struct HostOffers {
  bool root = false;
  bool namespaces = false;  ///< a network namespace of our own
  bool nft_drop = false;    ///< an nft drop rule in it stops packets
  bool netem = false;
  bool faketime = false;
  bool preload = false;  ///< libhy_disk_fault.so is beside the tests
  int descriptors = 0;   ///< hard limit of one process
  /// One line for people.
  [[nodiscard]] std::string text() const;
};
HostOffers probe_host();

/// Moves this process and all that it starts from now on into a network namespace of its own, with
/// loopback up: rules made there reach nobody else. Call it before threads start. Errors:
/// kForbidden (no root), kChildFailed.
Status enter_own_network();

/// Packet rules by nft for TCP ports of loopback, in the namespace that enter_own_network() made.
/// Refuses to work in the host's own namespace. One thread at a time.
class NetRules {
 public:
  static Result<NetRules> make();
  /// Packets to (kToServer), from (kToClient) the server at `port` are dropped.
  Status drop(int port, Direction direction);
  /// Packets to the server at `port` are answered by RST.
  Status reject(int port);
  /// percent 1 … 99 of the packets to and from `port` are dropped.
  Status lose(int port, int percent);
  Status clear();
  /// Packets that any rule has met since make() or clear().
  Result<std::uint64_t> packets() const;
};

}  // namespace hy::faults
