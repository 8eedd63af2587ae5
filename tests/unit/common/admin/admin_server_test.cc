#include "common/admin/admin_server.h"

#include <gtest/gtest.h>

#include <atomic>

#include "common/http/http_server.h"
#include "common/net/asio.h"
#include "common/obs/metrics.h"

namespace hy::admin {
namespace {

using net::Tcp;

/// Sends raw bytes and reads to the end of the connection.
std::string talk(std::uint16_t port, const std::string& bytes) {
  asio::io_context context(1);
  Tcp::socket socket(context);
  socket.connect({asio::ip::address_v4::loopback(), port});
  net::ErrorCode ec;
  asio::write(socket, asio::buffer(bytes), ec);
  std::string out;
  asio::read(socket, asio::dynamic_buffer(out), ec);
  return out;
}

std::string get(std::uint16_t port, const std::string& path) {
  return talk(port, "GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n");
}

struct AdminServerTest : testing::Test {
  obs::Registry registry;
  std::atomic<bool> ready{false};
  std::unique_ptr<AdminServer> server;

  void SetUp() override {
    registry.counter("hy_x_total", "x").add(4);
    auto made = AdminServer::start(
        {.address = "127.0.0.1:0",
         .instance = "entry-a",
         .version = "0.1.0",
         .config_hash = "c0",
         .topology_hash = "t0",
         .metrics = &registry,
         .missing =
             [this] {
               return ready ? std::vector<std::string>{}
                            : std::vector<std::string>{"logic a", "router b"};
             },
         .config_json = [] { return std::string(R"({"k":1})"); },
         .inflight_json = [] { return std::string(R"({"sends":2})"); },
         .placements_json = [] { return std::string(R"({"total":0,"rows":[]})"); }});
    ASSERT_TRUE(made.has_value());
    server = *std::move(made);
  }
};

TEST_F(AdminServerTest, ReadyNamesTheMissingPeer) {
  const auto waiting = get(server->port(), "/readyz");
  EXPECT_TRUE(waiting.starts_with("HTTP/1.1 503")) << waiting;
  EXPECT_TRUE(waiting.ends_with(R"({"ready":false,"missing":["logic a","router b"]})"));
  ready = true;
  const auto fine = get(server->port(), "/readyz");
  EXPECT_TRUE(fine.starts_with("HTTP/1.1 200")) << fine;
  EXPECT_TRUE(fine.ends_with(R"({"ready":true})"));
}

TEST_F(AdminServerTest, ServesItsPaths) {
  const auto port = server->port();
  EXPECT_TRUE(get(port, "/healthz").starts_with("HTTP/1.1 200"));
  EXPECT_TRUE(get(port, "/metrics?x=1").contains("hy_x_total 4\n"));
  EXPECT_TRUE(get(port, "/config").ends_with(R"({"k":1})"));
  EXPECT_TRUE(get(port, "/inflight").ends_with(R"({"sends":2})"));
  EXPECT_TRUE(get(port, "/placements").ends_with(R"({"total":0,"rows":[]})"));
  EXPECT_TRUE(
      get(port, "/version")
          .ends_with(R"({"instance":"entry-a","version":"0.1.0","config":"c0","topology":"t0"})"));
  EXPECT_TRUE(get(port, "/nothing").starts_with("HTTP/1.1 404"));
}

TEST_F(AdminServerTest, RefusesWhatIsNoQuestion) {
  const auto port = server->port();
  EXPECT_TRUE(talk(port, "POST /config HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
                  .starts_with("HTTP/1.1 405"));
  EXPECT_TRUE(talk(port, "\x16\x03\x01 not http\r\n\r\n").starts_with("HTTP/1.1 400"));
  EXPECT_TRUE(talk(port, "GET / HTTP/1.1\r\nX: " + std::string(9'000, 'x') + "\r\n\r\n")
                  .starts_with("HTTP/1.1 431"));
  EXPECT_TRUE(talk(port, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 70000\r\n\r\n")
                  .starts_with("HTTP/1.1 413"));
}

TEST_F(AdminServerTest, AUsedPortIsRefused) {
  const auto again = AdminServer::start({.address = "127.0.0.1:" + std::to_string(server->port())});
  ASSERT_FALSE(again.has_value());
  EXPECT_EQ(again.error().code, Errc::kPortInUse);
  EXPECT_EQ(AdminServer::start({.address = "nowhere"}).error().code, Errc::kConfigWrongType);
}

TEST(HttpServer, BoundsItsConnectionsAndTheirTime) {
  http::Limits limits;
  limits.connections_max = 2;
  limits.request_within = Millis(300);
  auto server = *http::HttpServer::start(
      "127.0.0.1:0", [](const http::Request&) { return http::Response{200, "text/plain", "x"}; },
      limits);
  asio::io_context context(1);
  const Tcp::endpoint endpoint(asio::ip::address_v4::loopback(), server->port());
  std::vector<Tcp::socket> sockets;
  for (int i = 0; i < 3; ++i) {
    sockets.emplace_back(context);
    sockets.back().connect(endpoint);
  }
  // The third is closed at once, the first two when their time is over; all three reads end.
  char byte = 0;
  net::ErrorCode ec;
  sockets[2].read_some(asio::buffer(&byte, 1), ec);
  EXPECT_TRUE(ec);
  EXPECT_EQ(server->refused(), 1u);
  const auto before = std::chrono::steady_clock::now();
  sockets[0].read_some(asio::buffer(&byte, 1), ec);
  EXPECT_TRUE(ec);
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(5));
  sockets[1].read_some(asio::buffer(&byte, 1), ec);
  EXPECT_TRUE(
      talk(server->port(), "HEAD / HTTP/1.1\r\nHost: x\r\n\r\n").contains("Content-Length: 1\r\n"));
}

TEST(HttpServer, AHandlerThatThrowsAnswers500) {
  auto server = *http::HttpServer::start("127.0.0.1:0", [](const http::Request&) -> http::Response {
    throw std::runtime_error("secret text");
  });
  const auto answer = get(server->port(), "/");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 500")) << answer;
  EXPECT_FALSE(answer.contains("secret text"));
}

}  // namespace
}  // namespace hy::admin
