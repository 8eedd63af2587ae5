#include "common/net/listener.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <unistd.h>

#include <future>
#include <thread>
#include <vector>

#include "common/net/io_threads.h"

namespace hy::net {
namespace {

using namespace std::chrono_literals;

int option(Tcp::socket& socket, int level, int name) {
  int value = 0;
  socklen_t size = sizeof value;
  EXPECT_EQ(::getsockopt(socket.native_handle(), level, name, &value, &size), 0);
  return value;
}

/// A listener on a context that the test drives by hand.
struct Bench {
  asio::io_context context{1};
  std::vector<Tcp::socket> accepted;
  Result<Listener> listener = Listener::open(
      context, "127.0.0.1:0", {.backlog = 16, .pause = Millis(20)},
      [this](Accepted one) { accepted.push_back(std::move(one.into(context)).value()); });

  Tcp::socket connect() {
    Tcp::socket s(context);
    s.connect({asio::ip::address_v4::loopback(), listener->port()});
    return s;
  }
  template <class Done>
  bool run_until(Done done) {
    const auto end = std::chrono::steady_clock::now() + 5s;
    while (!done() && std::chrono::steady_clock::now() < end) context.run_one_for(50ms);
    return done();
  }
};

TEST(Listener, AcceptsWithTheOptionsOfALongConnection) {
  Bench bench;
  ASSERT_TRUE(bench.listener.has_value());
  bench.listener->start();
  auto peer = bench.connect();
  ASSERT_TRUE(bench.run_until([&] { return bench.accepted.size() == 1; }));
  auto& s = bench.accepted[0];
  EXPECT_EQ(option(s, IPPROTO_TCP, TCP_NODELAY), 1);
  EXPECT_EQ(option(s, SOL_SOCKET, SO_KEEPALIVE), 1);
  EXPECT_EQ(option(s, IPPROTO_TCP, TCP_KEEPIDLE), 60);
  EXPECT_EQ(option(s, IPPROTO_TCP, TCP_KEEPINTVL), 10);
  EXPECT_EQ(option(s, IPPROTO_TCP, TCP_KEEPCNT), 3);
  EXPECT_EQ(option(s, IPPROTO_TCP, TCP_USER_TIMEOUT), 30'000);
}

TEST(Listener, TakesAllWhoWaitAndKnowsWhoTheyAre) {
  Bench bench;
  ASSERT_TRUE(bench.listener.has_value());
  std::vector<Tcp::socket> peers;
  for (int i = 0; i < 40; ++i) {
    peers.push_back(bench.connect());
    if (i == 0) bench.listener->start();
    if (i % 15 == 14) bench.context.poll();  // the backlog is 16
  }
  ASSERT_TRUE(bench.run_until([&] { return bench.accepted.size() == peers.size(); }));
  EXPECT_EQ(bench.listener->counts().accepted, peers.size());
  for (std::size_t i = 0; i < peers.size(); ++i) {
    EXPECT_EQ(bench.accepted[i].remote_endpoint(), peers[i].local_endpoint());
    EXPECT_NE(::fcntl(bench.accepted[i].native_handle(), F_GETFL) & O_NONBLOCK, 0);
  }
}

TEST(Accepted, KnowsItsPeerAndClosesWhenNobodyTakesIt) {
  asio::io_context context(1);
  Tcp::endpoint seen;
  auto listener = Listener::open(context, "127.0.0.1:0", {},
                                 [&seen](const Accepted& accepted) { seen = accepted.peer(); });
  ASSERT_TRUE(listener.has_value());
  listener->start();
  Tcp::socket peer(context);
  peer.connect({asio::ip::address_v4::loopback(), listener->port()});
  while (seen == Tcp::endpoint{}) ASSERT_EQ(context.run_one_for(5s), 1u);
  EXPECT_EQ(seen, peer.local_endpoint());
  char byte = 0;
  ErrorCode ec;
  peer.read_some(asio::buffer(&byte, 1), ec);
  EXPECT_EQ(ec, asio::error::eof);
}

TEST(Listener, RefusesAPortOnWhichSomebodyListens) {
  Bench first;
  ASSERT_TRUE(first.listener.has_value());
  asio::io_context other(1);
  const auto second = Listener::open(other, "127.0.0.1:" + std::to_string(first.listener->port()),
                                     {}, [](Accepted) {});
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code, Errc::kPortInUse);
}

TEST(Listener, RefusesWhatIsNoAddress) {
  for (const auto* bad : {"localhost:1", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:70000", ":80", ""})
    EXPECT_EQ(parse_endpoint(bad).error().code, Errc::kConfigWrongType) << bad;
  EXPECT_EQ(parse_endpoint("[::1]:80")->port(), 80);
}

/// Takes all descriptors of this process but `left`, and gives them back.
struct Hog {
  explicit Hog(int left) {
    ::getrlimit(RLIMIT_NOFILE, &before);
    const int probe = ::open("/dev/null", O_RDONLY);
    auto limit = before;
    limit.rlim_cur = static_cast<rlim_t>(probe + 64);
    ::setrlimit(RLIMIT_NOFILE, &limit);
    fds.push_back(probe);
    for (;;) {
      const int fd = ::open("/dev/null", O_RDONLY);
      if (fd < 0) break;
      fds.push_back(fd);
    }
    for (int i = 0; i < left; ++i) give_back();
  }
  ~Hog() {
    while (!fds.empty()) give_back();
    ::setrlimit(RLIMIT_NOFILE, &before);
  }
  void give_back() {
    ::close(fds.back());
    fds.pop_back();
  }
  rlimit before{};
  std::vector<int> fds;
};

TEST(Listener, OutOfDescriptorsTurnsPeersAwayAndServesAgainLater) {
#if __has_feature(address_sanitizer)
  GTEST_SKIP() << "the sanitizer's vptr check opens a pipe: it cannot run without descriptors";
#endif
  Bench bench;
  ASSERT_TRUE(bench.listener.has_value());
  bench.listener->start();
  bench.context.poll();
  {
    Hog hog(1);                   // one descriptor left: for the peer's own socket
    auto peer = bench.connect();  // in the backlog; nothing left to accept it with
    ASSERT_TRUE(bench.run_until([&] { return bench.listener->counts().out_of_descriptors > 0; }));
    EXPECT_EQ(bench.listener->counts().turned_away, 1u);
    EXPECT_TRUE(bench.accepted.empty());
    char byte = 0;
    ErrorCode ec;
    peer.read_some(asio::buffer(&byte, 1), ec);
    EXPECT_TRUE(ec) << "the peer learns at once that it is not served";
  }
  auto peer = bench.connect();
  EXPECT_TRUE(bench.run_until([&] { return bench.accepted.size() == 1; })) << "the listener lives";
}

TEST(Listener, ClosedFreesItsPort) {
  Bench bench;
  ASSERT_TRUE(bench.listener.has_value());
  bench.listener->start();
  const auto port = bench.listener->port();
  bench.listener->close();
  bench.context.poll();
  asio::io_context other(1);
  const auto again =
      Listener::open(other, "127.0.0.1:" + std::to_string(port), {}, [](Accepted) {});
  EXPECT_TRUE(again.has_value());
}

TEST(IoThreads, RunsEachContextOnItsOwnThread) {
  IoThreads threads(3);
  threads.start();
  std::vector<std::thread::id> ids;
  for (std::size_t i = 0; i < threads.size(); ++i) {
    std::promise<std::thread::id> id;
    asio::post(threads.context(i), [&] { id.set_value(std::this_thread::get_id()); });
    ids.push_back(id.get_future().get());
  }
  EXPECT_NE(ids[0], ids[1]);
  EXPECT_NE(ids[1], ids[2]);
  EXPECT_NE(ids[0], std::this_thread::get_id());
  threads.stop();
  threads.stop();
}

}  // namespace
}  // namespace hy::net
