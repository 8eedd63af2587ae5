// HTTP requests at the admin server over a real socket: whatever comes, one well-formed answer or a
// close, only GET and HEAD are served, and what the handler is told equals what a second, strict
// parser reads from the same bytes.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <mutex>
#include <optional>

#include "common/http/http_server.h"
#include "tests/fuzz/target.h"

namespace hy::fuzz {
namespace {

/// What the handler saw of the last request.
struct Seen {
  std::mutex mutex;
  std::optional<http::Request> request;
};
Seen& seen() {
  static Seen kept;
  return kept;
}

http::HttpServer& server() {
  static const auto kept = [] {
    auto started = http::HttpServer::start("127.0.0.1:0", [](const http::Request& request) {
      const std::lock_guard lock(seen().mutex);
      seen().request = request;
      return http::Response{200, "text/plain", "served"};
    });
    law(started.has_value(), "the server starts");
    return std::move(*started);
  }();
  return *kept;
}

/// Sends everything, ends its direction, reads to the end.
Bytes exchange(ByteView input) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(server().port());
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  law(::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0,
      "the server accepts");
  // No TIME_WAIT for each run: thousands a second would use up the ports.
  const linger hard{1, 0};
  std::size_t sent = 0;
  while (sent < input.size()) {
    const ssize_t n = ::send(fd, input.data() + sent, input.size() - sent, MSG_NOSIGNAL);
    if (n <= 0) break;
    sent += static_cast<std::size_t>(n);
  }
  ::shutdown(fd, SHUT_WR);
  Bytes out;
  std::array<char, 4'096> buffer{};
  for (;;) {
    const ssize_t n = ::read(fd, buffer.data(), buffer.size());
    if (n <= 0) break;
    out.append(buffer.data(), static_cast<std::size_t>(n));
  }
  ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  ::close(fd);
  return out;
}

/// "METHOD SP target SP HTTP/1.x": what any reader of these bytes has to agree about.
struct Line {
  std::string_view method;
  std::string_view target;
};
std::optional<Line> first_line(std::string_view text) {
  // A robust reader skips empty lines in front (RFC 9112 §2.2).
  while (text.starts_with("\r\n")) text.remove_prefix(2);
  const std::string_view line = text.substr(0, text.find("\r\n"));
  const std::size_t one = line.find(' ');
  const std::size_t two = line.rfind(' ');
  if (one == std::string_view::npos || one == two) return std::nullopt;
  return Line{line.substr(0, one), line.substr(one + 1, two - one - 1)};
}

void run(ByteView input) {
  {
    const std::lock_guard lock(seen().mutex);
    seen().request.reset();
  }
  (void)server();
  const Bytes answer = exchange(input);
  const std::lock_guard lock(seen().mutex);
  const auto& request = seen().request;
  law(answer.empty() || answer.starts_with("HTTP/1."), "an answer is HTTP");
  law(answer.size() < 1'024, "an answer to garbage is short");
  if (!request) {
    law(answer.find(" 200 ") == std::string::npos, "nothing is served without a request");
    return;
  }
  const auto line = first_line(as_text(input));
  law(line.has_value(), "what is served has a request line");
  law(request->method == line->method, "both parsers read one method");
  const std::string target =
      request->query.empty() ? request->path : request->path + "?" + request->query;
  law(target == line->target || target + "?" == line->target, "both parsers read one target");
  law(request->body.size() <= 64 * 1'024 && request->body.size() <= input.size(),
      "a body has a bound");
  law(request->body.empty() || as_text(input).find(request->body) != std::string::npos ||
          as_text(input).find("hunked") != std::string::npos,
      "a body is the sender's bytes");
  law(answer.find("HTTP/1.", 1) == std::string::npos, "one answer a connection: no smuggling");
}

std::vector<Seed> seeds() {
  const std::string get = "GET /healthz HTTP/1.1\r\nHost: a\r\n";
  return {
      {"get", get + "\r\n"},
      {"query", "GET /metrics?a=b&c HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"head", "HEAD / HTTP/1.1\r\n\r\n"},
      {"post", "POST /x HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello"},
      {"http-1-0", "GET / HTTP/1.0\r\n\r\n"},
      {"http-2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
      {"pipelined", get + "\r\n" + get + "\r\n"},
      {"two-lengths", "POST /x HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!"},
      {"length-and-chunks",
       "POST /x HTTP/1.1\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
       "5\r\nhello\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n"},
      {"chunked", "POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"},
      {"chunk-huge", "POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nx"},
      {"length-huge", "POST /x HTTP/1.1\r\nContent-Length: 18446744073709551615\r\n\r\nx"},
      {"length-negative", "POST /x HTTP/1.1\r\nContent-Length: -1\r\n\r\nx"},
      {"absolute", "GET http://a/healthz HTTP/1.1\r\nHost: b\r\n\r\n"},
      {"connect", "CONNECT a:443 HTTP/1.1\r\n\r\n"},
      {"expect", "POST /x HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx"},
      {"upgrade", get + "Upgrade: websocket\r\nConnection: upgrade\r\n\r\n"},
      {"authorization", get + "Authorization: Bearer aaaa\r\n\r\n"},
      {"fold", get + "X: a\r\n b\r\n\r\n"},
      {"bare-lf", "GET / HTTP/1.1\nHost: a\n\n"},
      {"space-before-colon", "GET / HTTP/1.1\r\nHost : a\r\n\r\n"},
      {"zero-byte", std::string("GET /\0x HTTP/1.1\r\n\r\n", 20)},
      {"long-header", get + "X: " + std::string(3'000, 'x') + "\r\n\r\n"},
      {"unfinished", "GET / HTT"},
      {"traversal", "GET /../../etc/passwd HTTP/1.1\r\n\r\n"},
      {"tls", std::string("\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03", 11)}};
}

HY_FUZZ_TARGET(http_admin, run, seeds, 12'288);

}  // namespace
}  // namespace hy::fuzz
