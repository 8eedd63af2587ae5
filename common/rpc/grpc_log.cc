#include "common/rpc/grpc_log.h"

#include <grpc/support/log.h>

#include <chrono>
#include <cstdlib>
#include <mutex>
#include <string>
#include <utility>

#include "absl/synchronization/mutex.h"
#include "common/obs/log.h"

namespace hy::rpc {
namespace {

struct LogState {
  std::mutex mutex;
  RpcLogSink sink;
  std::chrono::steady_clock::time_point second{};
  std::uint32_t lines = 0;
  std::uint64_t dropped = 0;
};

/// Leaked on purpose: gRPC's own threads may log while static objects are destroyed.
LogState& state() {
  static LogState* const instance = new LogState;
  return *instance;
}

void to_log(RpcLogLevel level, std::string_view text) {
  switch (level) {
    case RpcLogLevel::kDebug: return log::debug("rpc", {{"text", text}});
    case RpcLogLevel::kInfo: return log::info("rpc", {{"text", text}});
    case RpcLogLevel::kError: return log::warn("rpc", {{"text", text}});  // gRPC goes on by itself
  }
}

void on_grpc_log(gpr_log_func_args* args) {
  RpcLogLevel level = RpcLogLevel::kDebug;
  if (args->severity == GPR_LOG_SEVERITY_INFO) level = RpcLogLevel::kInfo;
  if (args->severity == GPR_LOG_SEVERITY_ERROR) level = RpcLogLevel::kError;
  rpc_log(level, std::string("gRPC: ") + args->message);
}

}  // namespace

void set_rpc_log_sink(RpcLogSink sink) {
  const std::lock_guard lock(state().mutex);
  state().sink = std::move(sink);
}

void rpc_log(RpcLogLevel level, std::string_view text) {
  LogState& s = state();
  RpcLogSink sink;
  std::uint64_t dropped = 0;
  {
    const std::lock_guard lock(s.mutex);
    const auto now = std::chrono::steady_clock::now();
    if (now - s.second >= std::chrono::seconds(1)) {
      s.second = now;
      s.lines = 0;
      dropped = std::exchange(s.dropped, 0);
    }
    if (++s.lines > kRpcLogLinesPerSecond) {
      ++s.dropped;
      return;
    }
    sink = s.sink;
  }
  const auto put = [&sink](RpcLogLevel l, std::string_view t) {
    if (sink) {
      sink(l, t);
    } else {
      to_log(l, t);
    }
  };
  if (dropped > 0) put(RpcLogLevel::kInfo, std::to_string(dropped) + " lines left out");
  put(level, text);
}

void init_grpc_process() {
  static std::once_flag once;
  std::call_once(once, [] {
    // gRPC 1.51 has no setting for the lowest TLS version. This list names a cipher of TLS 1.2 that
    // needs a pre-shared key, which we never have: 1.2 cannot be agreed on, and the ciphers of 1.3
    // are not touched by it.
    ::setenv("GRPC_SSL_CIPHER_SUITES", "PSK-AES128-GCM-SHA256", 1);
    gpr_set_log_function(&on_grpc_log);
    // Debian builds Abseil without NDEBUG: every lock of a mutex inside gRPC is then entered into
    // one graph of all mutexes of the process and checked for cycles, below a lock of its own.
    absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  });
}

}  // namespace hy::rpc
