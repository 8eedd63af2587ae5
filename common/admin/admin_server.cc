#include "common/admin/admin_server.h"

#include "common/http/http_server.h"
#include "common/obs/metrics_export.h"

namespace hy::admin {
namespace {

/// Names of instances and versions are ours; still, nothing breaks out of the JSON text.
std::string json_text(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return out + "\"";
}

http::Response ready(const AdminOptions& options) {
  const auto missing = options.missing ? options.missing() : std::vector<std::string>{};
  if (missing.empty()) return {200, "application/json", R"({"ready":true})"};
  std::string body = R"({"ready":false,"missing":[)";
  for (std::size_t i = 0; i < missing.size(); ++i)
    body += (i > 0 ? "," : "") + json_text(missing[i]);
  return {503, "application/json", body + "]}"};
}

http::Response version(const AdminOptions& o) {
  return {200, "application/json",
          "{\"instance\":" + json_text(o.instance) + ",\"version\":" + json_text(o.version) +
              ",\"config\":" + json_text(o.config_hash) +
              ",\"topology\":" + json_text(o.topology_hash) + "}"};
}

http::Response serve(const AdminOptions& options, const http::Request& request) {
  if (request.method != "GET" && request.method != "HEAD")
    return {405, "application/json", R"({"error":"method"})"};
  if (request.path == "/healthz") return {200, "application/json", R"({"alive":true})"};
  if (request.path == "/readyz") return ready(options);
  if (request.path == "/version") return version(options);
  if (request.path == "/metrics" && options.metrics != nullptr)
    return {200, "text/plain; version=0.0.4", obs::prometheus_text(*options.metrics)};
  if (request.path == "/config" && options.config_json)
    return {200, "application/json", options.config_json()};
  if (request.path == "/inflight" && options.inflight_json)
    return {200, "application/json", options.inflight_json()};
  if (request.path == "/placements" && options.placements_json)
    return {200, "application/json", options.placements_json()};
  return {
      404, "application/json",
      R"({"error":"path","paths":["/healthz","/readyz","/metrics","/config","/version","/inflight","/placements"]})"};
}

}  // namespace

struct AdminServer::Impl {
  AdminOptions options;
  std::unique_ptr<http::HttpServer> server;
};

AdminServer::AdminServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
AdminServer::~AdminServer() = default;

Result<std::unique_ptr<AdminServer>> AdminServer::start(AdminOptions options) {
  auto impl = std::make_unique<Impl>();
  impl->options = std::move(options);
  auto server = http::HttpServer::start(
      impl->options.address,
      [raw = impl.get()](const http::Request& request) { return serve(raw->options, request); });
  if (!server) return std::unexpected(std::move(server).error());
  impl->server = *std::move(server);
  return std::unique_ptr<AdminServer>(new AdminServer(std::move(impl)));
}

std::uint16_t AdminServer::port() const {
  return impl_->server->port();
}

}  // namespace hy::admin
