#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/base/result.h"

namespace hy::obs {
class Registry;
}

namespace hy::admin {

/// What the server shows. All callbacks run on the admin thread: they must be safe there and quick.
struct AdminOptions {
  std::string address{};   ///< "IP:PORT"; port 0 = any. Loopback unless the operator says otherwise
  std::string instance{};  ///< "entry-a"
  std::string version{};   ///< "0.1.0"
  std::string config_hash{};
  std::string topology_hash{};
  const obs::Registry* metrics = nullptr;  ///< outlives the server
  /// Peers that are not reachable yet; empty = ready. A draining daemon returns {"draining"}.
  std::function<std::vector<std::string>()> missing{};
  std::function<std::string()> config_json{};      ///< Values::to_json()
  std::function<std::string()> inflight_json{};    ///< work in hand
  std::function<std::string()> placements_json{};  ///< who is connected where, as far as known here
};

/// HTTP on a thread of its own: /healthz /readyz /metrics /config /version /inflight /placements
/// (GET). /readyz is 200 {"ready":true} or 503 {"ready":false,"missing":["das a"]}. At most 32
/// connections, 8 KiB of headers, 64 KiB of body, 10 s a request, one request a connection.
class AdminServer {
 public:
  /// Errors: kPortInUse, kConfigWrongType (address).
  static Result<std::unique_ptr<AdminServer>> start(AdminOptions options);
  ~AdminServer();
  AdminServer(const AdminServer&) = delete;
  AdminServer& operator=(const AdminServer&) = delete;
  /// The port that it got.
  [[nodiscard]] std::uint16_t port() const;

 private:
  struct Impl;
  explicit AdminServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace hy::admin
