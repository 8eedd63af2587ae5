#pragma once

#include <span>
#include <string>

#include "common/base/result.h"
#include "common/config/command_line.h"
#include "common/rpc/stream.h"
#include "router/lease/lease_table.h"
#include "router/link/router_link.h"

namespace hy::router {

/// Keys of [router] in hongyan.toml.
std::span<const config::Property> properties();
/// For main.
config::DaemonSpec daemon_spec();

/// The values in the form that the parts want.
struct Config {
  std::string listen;
  rpc::TlsFiles tls;
  bool insecure_peers = false;
  rpc::QueueLimits queue;
  LeaseRules leases;
  LinkRules link;
};
/// Errors: kConfigOutOfBounds for values that contradict each other.
Result<Config> read_config(const config::Start& start);

}  // namespace hy::router
