#include "common/http/http_get.h"

#include <utility>
//
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <charconv>

namespace hy::http {
namespace {

namespace beast = boost::beast;
using Tcp = boost::asio::ip::tcp;
constexpr std::uint64_t kBodyBytesMax = 1'024 * 1'024;

Result<Tcp::endpoint> endpoint_of(const std::string& address) {
  const std::size_t colon = address.rfind(':');
  boost::system::error_code error;
  const auto ip = boost::asio::ip::make_address(address.substr(0, colon), error);
  std::uint16_t port = 0;
  if (colon != std::string::npos) {
    const char* const end = address.data() + address.size();
    if (std::from_chars(address.data() + colon + 1, end, port).ptr != end) port = 0;
  }
  if (error || port == 0) return fail(Errc::kUsage, "\"" + address + "\" is not IP:PORT");
  return Tcp::endpoint(ip, port);
}

}  // namespace

Result<Answer> get(const std::string& address, const std::string& path, Millis within) {
  HY_TRY(const Tcp::endpoint endpoint, endpoint_of(address));
  boost::asio::io_context io;
  beast::tcp_stream stream(io);
  stream.expires_after(within);
  beast::http::request<beast::http::empty_body> request(beast::http::verb::get, path, 11);
  request.set(beast::http::field::host, address);
  request.set(beast::http::field::connection, "close");
  beast::http::response_parser<beast::http::string_body> parser;
  parser.body_limit(kBodyBytesMax);
  beast::flat_buffer buffer;
  beast::error_code result;
  stream.async_connect(endpoint, [&](beast::error_code connected) {
    if (result = connected; connected) return;
    beast::http::async_write(stream, request, [&](beast::error_code written, std::size_t) {
      if (result = written; written) return;
      beast::http::async_read(stream, buffer, parser,
                              [&](beast::error_code read, std::size_t) { result = read; });
    });
  });
  io.run();
  if (result == beast::error::timeout)
    return fail(Errc::kTimedOut, "no HTTP answer from " + address);
  if (result) return fail(Errc::kUnreachableServer, address + ": " + result.message());
  return Answer{static_cast<int>(parser.get().result_int()), std::move(parser.get().body())};
}

}  // namespace hy::http
