#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/config/command_line.h"
#include "common/rpc/stream.h"
#include "entry/link/hub.h"
#include "entry/net/shard.h"
#include "entry/session/connect_gate.h"
#include "entry/session/drain.h"

namespace hy::entry {

/// Everything that an entry takes from its configuration, in the types of those who use it.
struct Config {
  std::vector<std::string> listen;
  std::uint32_t io_threads = 1;
  ShardOptions shard;
  GateLimits gate;
  HubOptions hub;
  DrainTimes drain;
  std::string allow_list;  ///< path; empty: none
  std::string deny_list;
  rpc::TlsFiles tls;
  std::uint32_t max_connections_asked = 0;
  std::uint32_t connections_that_fit = 0;  ///< beside other descriptors
};

std::span<const config::Property> properties();
config::DaemonSpec daemon_spec();
/// The limits that may change while clients are connected.
void read_live(const config::Values& values, Config& config);
/// Errors: kConfigMissing (no key), kConfigUnreadable and kConfigWrongType (KEY_NOTICE file),
/// kLimitTooLow. `descriptors`: connections that fit.
Result<Config> read_config(const config::Start& start, std::uint64_t descriptors);

}  // namespace hy::entry
