#include "common/http/http_server.h"

#include "common/net/asio.h"
// asio.h first: it makes Boost 1.74 compile here.
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>

#include <atomic>
#include <optional>
#include <thread>

#include "common/net/listener.h"
#include "common/obs/log.h"

namespace hy::http {
namespace beast = boost::beast;
namespace bh = boost::beast::http;
using net::ErrorCode;
using net::Tcp;

struct HttpServer::Impl {
  Handler handler;
  Limits limits;
  // Before the context: sessions that die with it still count themselves out.
  std::atomic<std::size_t> connections{0};
  std::atomic<std::uint64_t> refused{0};
  asio::io_context context{1};
  std::optional<net::Listener> listener;
  std::thread thread;
};

namespace {

bh::response<bh::string_body> plain(unsigned version, bh::status status, std::string body) {
  bh::response<bh::string_body> out(status, version);
  out.set(bh::field::content_type, "application/json");
  out.body() = std::move(body);
  return out;
}

/// One connection: read one request, answer, close. Owns itself through its handlers; everything
/// runs on the server's thread.
class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(HttpServer::Handler& handler, const Limits& limits, std::atomic<std::size_t>& count,
          Tcp::socket socket)
      : handler_(handler), count_(count), stream_(std::move(socket)) {
    ++count_;
    parser_.header_limit(limits.header_bytes_max);
    parser_.body_limit(limits.body_bytes_max);
    stream_.expires_after(limits.request_within);  // covers the answer too: never re-armed
  }
  ~Session() { --count_; }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  void read() {
    bh::async_read(stream_, buffer_, parser_,
                   [self = shared_from_this()](ErrorCode ec, std::size_t) { self->on_read(ec); });
  }

 private:
  void on_read(ErrorCode ec) {
    if (ec == bh::error::header_limit)
      return write(
          plain(11, bh::status::request_header_fields_too_large, R"({"error":"headers"})"));
    if (ec == bh::error::body_limit)
      return write(plain(11, bh::status::payload_too_large, R"({"error":"body"})"));
    if (ec == beast::error::timeout || ec == bh::error::end_of_stream) return;
    if (ec) return write(plain(11, bh::status::bad_request, R"({"error":"request"})"));
    write(answer());
  }

  bh::response<bh::string_body> answer() {
    const auto& in = parser_.get();
    Request request;
    request.method = std::string(in.method_string());
    const std::string target(in.target());
    const auto mark = target.find('?');
    request.path = target.substr(0, mark);
    if (mark != std::string::npos) request.query = target.substr(mark + 1);
    request.authorization = std::string(in[bh::field::authorization]);
    request.body = in.body();
    beast::error_code ignored;
    request.peer = stream_.socket().remote_endpoint(ignored).address().to_string();
    Response made;
    try {
      made = handler_(request);
    } catch (const std::exception& e) {
      log::error("http_handler_failed", {{"code", Errc::kInternal}, {"what", e.what()}});
      made = {500, "application/json", R"({"error":"internal"})"};
    }
    bh::response<bh::string_body> out(static_cast<bh::status>(made.status), in.version());
    out.set(bh::field::content_type, made.content_type);
    out.set(bh::field::cache_control, "no-store");
    // HEAD: the same headers, no body.
    if (in.method() == bh::verb::head) {
      out.content_length(made.body.size());
    } else {
      out.body() = std::move(made.body);
      out.prepare_payload();
    }
    return out;
  }

  void write(bh::response<bh::string_body> response) {
    response.keep_alive(false);
    if (!response.has_content_length()) response.prepare_payload();
    response_ = std::move(response);
    serializer_.emplace(response_);
    if (parser_.is_header_done() && parser_.get().method() == bh::verb::head)
      serializer_->split(true);
    const auto done = [self = shared_from_this()](ErrorCode, std::size_t) {
      ErrorCode ignored;
      self->stream_.socket().shutdown(Tcp::socket::shutdown_send, ignored);
    };
    if (serializer_->split())
      bh::async_write_header(stream_, *serializer_, done);
    else
      bh::async_write(stream_, *serializer_, done);
  }

  HttpServer::Handler& handler_;
  std::atomic<std::size_t>& count_;
  beast::tcp_stream stream_;
  beast::flat_buffer buffer_;
  bh::request_parser<bh::string_body> parser_;
  bh::response<bh::string_body> response_;
  std::optional<bh::response_serializer<bh::string_body>> serializer_;
};

}  // namespace

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Result<std::unique_ptr<HttpServer>> HttpServer::start(std::string_view address, Handler handler,
                                                      Limits limits) {
  auto impl = std::make_unique<Impl>();
  auto* raw = impl.get();
  raw->handler = std::move(handler);
  raw->limits = limits;
  net::ListenerOptions options;
  options.backlog = 64;
  auto listener =
      net::Listener::open(raw->context, address, options, [raw](net::Accepted accepted) {
        if (raw->connections.load() >= raw->limits.connections_max) {
          ++raw->refused;
          return;  // the socket closes as it goes out of scope
        }
        auto socket = accepted.into(raw->context);
        if (!socket) return;
        std::make_shared<Session>(raw->handler, raw->limits, raw->connections, *std::move(socket))
            ->read();
      });
  if (!listener) return std::unexpected(std::move(listener).error());
  raw->listener.emplace(*std::move(listener));
  raw->listener->start();
  raw->thread = std::thread([raw] { raw->context.run(); });
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

HttpServer::~HttpServer() {
  impl_->context.stop();
  if (impl_->thread.joinable()) impl_->thread.join();
}

std::uint16_t HttpServer::port() const {
  return impl_->listener->port();
}
std::size_t HttpServer::connections() const {
  return impl_->connections.load();
}
std::uint64_t HttpServer::refused() const {
  return impl_->refused.load();
}

}  // namespace hy::http
