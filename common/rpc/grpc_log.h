#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

namespace hy::rpc {

enum class RpcLogLevel : std::uint8_t { kDebug, kInfo, kError };
using RpcLogSink = std::function<void(RpcLogLevel, std::string_view)>;

/// Where this folder and gRPC itself write. Until it is set: common/obs/log. Any thread calls the
/// sink, at most kRpcLogLinesPerSecond times a second; what was left out is told in one line. Set
/// it before the first Loop, or at least before threads log.
void set_rpc_log_sink(RpcLogSink sink);
inline constexpr std::uint32_t kRpcLogLinesPerSecond = 20;

void rpc_log(RpcLogLevel level, std::string_view text);

/// Once per process, done by the first Loop: gRPC's log goes to rpc_log, TLS below 1.3 is off.
void init_grpc_process();

}  // namespace hy::rpc
