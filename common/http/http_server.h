#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "common/base/clock.h"
#include "common/base/result.h"

namespace hy::http {

struct Request {
  std::string method;  ///< "GET"
  std::string path;    ///< before '?'
  std::string query;   ///< after '?', as sent
  std::string authorization;
  std::string body;
  std::string peer;  ///< "127.0.0.1"
};

struct Response {
  int status = 200;
  std::string content_type = "application/json";
  std::string body{};
};

struct Limits {
  std::uint32_t header_bytes_max = 8 * 1'024;
  std::uint64_t body_bytes_max = 64 * 1'024;
  std::size_t connections_max = 32;  ///< one more is closed at once
  Millis request_within{10'000};     ///< from accept to the last byte of the answer
};

/// HTTP/1.1 on one thread of its own, one request a connection. For administration: nothing here is
/// built for load.
class HttpServer {
 public:
  /// Runs on the server's thread; an exception becomes status 500 without text.
  using Handler = std::function<Response(const Request&)>;

  /// address: "IP:PORT", port 0 = any. Errors: kPortInUse, kConfigWrongType.
  static Result<std::unique_ptr<HttpServer>> start(std::string_view address, Handler handler,
                                                   Limits limits = {});
  /// Ends all connections and joins the thread.
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;
  [[nodiscard]] std::uint16_t port() const;
  /// Connections open now and refused since the start. Any thread.
  [[nodiscard]] std::size_t connections() const;
  [[nodiscard]] std::uint64_t refused() const;

 private:
  struct Impl;
  explicit HttpServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace hy::http
