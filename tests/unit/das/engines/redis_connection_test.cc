#include "das/engines/mysql/redis_connection.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <functional>
#include <thread>

namespace hy::das::mysql {
namespace {

using namespace std::chrono_literals;

/// A server that is no Redis: says what the test gives it to the one client that comes.
class PlayedRedis {
 public:
  explicit PlayedRedis(std::function<void(int)> talk)
      : path_(std::filesystem::temp_directory_path() /
              ("hy-played-redis-" + std::to_string(::getpid()))) {
    ::unlink(path_.c_str());
    listener_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, sizeof address.sun_path - 1);
    EXPECT_EQ(::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(listener_, 4), 0);
    thread_ = std::thread([this, talk = std::move(talk)] {
      const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) return;
      talk(fd);
      ::close(fd);
    });
  }
  ~PlayedRedis() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
    ::unlink(path_.c_str());
  }
  PlayedRedis(const PlayedRedis&) = delete;
  PlayedRedis& operator=(const PlayedRedis&) = delete;
  [[nodiscard]] RedisOptions options() const {
    return {.address = "unix:" + path_, .password = {}, .timeout = 200ms};
  }

 private:
  std::string path_;
  int listener_ = -1;
  std::thread thread_;
};

void say(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
    if (n <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(n));
  }
}
/// Waits until the client has gone, or `ms` have passed.
bool client_gone(int fd, int ms) {
  pollfd p{fd, POLLRDHUP, 0};
  return ::poll(&p, 1, ms) > 0;
}

TEST(RedisConnection, AnswersEachCommand) {
  PlayedRedis server([](int fd) {
    say(fd, "$5\r\nvalue\r\n:7\r\n$-1\r\n-ERR no\r\n");
    client_gone(fd, 5'000);
  });
  const auto connection = RedisConnection::open(server.options());
  ASSERT_NE(connection, nullptr);
  const auto replies = connection->run({{"GET", "a"}, {"INCR", "b"}, {"GET", "c"}, {"GET", "d"}});
  ASSERT_TRUE(replies);
  EXPECT_EQ(*replies,
            (std::vector<RedisConnection::Reply>{"value", "7", std::nullopt, std::nullopt}));
}

// Twelve bytes made hiredis allocate 16 GiB and walk over it for ten seconds.
TEST(RedisConnection, AnArrayThatClaimsToBeHugeIsALostConnection) {
  PlayedRedis server([](int fd) {
    say(fd, "*2147483647\r\n");
    client_gone(fd, 5'000);
  });
  const auto connection = RedisConnection::open(server.options());
  ASSERT_NE(connection, nullptr);
  const auto start = std::chrono::steady_clock::now();
  EXPECT_FALSE(connection->run({{"GET", "a"}}));
  EXPECT_LT(std::chrono::steady_clock::now() - start, 4s) << "the server hangs up after 5 s";
}

TEST(RedisConnection, AReplyWithoutAnEndIsALostConnection) {
  PlayedRedis server([](int fd) {
    say(fd, "$536870912\r\n");
    const std::string piece(8'192, 'x');
    for (int i = 0; i < 1'000 && !client_gone(fd, 0); ++i) say(fd, piece);
  });
  const auto connection = RedisConnection::open(server.options());
  ASSERT_NE(connection, nullptr);
  EXPECT_FALSE(connection->run({{"GET", "a"}}));
}

TEST(RedisConnection, AServerThatTricklesCostsOneTimeOut) {
  PlayedRedis server([](int fd) {
    say(fd, "$100\r\n");
    for (int i = 0; i < 100 && !client_gone(fd, 100); ++i) say(fd, "x");
  });
  const auto connection = RedisConnection::open(server.options());
  ASSERT_NE(connection, nullptr);
  const auto start = std::chrono::steady_clock::now();
  EXPECT_FALSE(connection->run({{"GET", "a"}}));
  EXPECT_LT(std::chrono::steady_clock::now() - start, 6s) << "each byte made the wait begin anew";
}

TEST(RedisBatch, IsWrittenAsTheProtocolWantsIt) {
  RedisBatch batch;
  EXPECT_EQ(batch.count(), 0U);
  batch.add({"SET", "k", std::string_view("a\r\n\0b", 5), "EX", "604800"});
  const std::vector<std::string_view> words = {"PING", ""};
  batch.add(words);
  EXPECT_EQ(batch.count(), 2U);
  EXPECT_EQ(batch.bytes(),
            std::string("*5\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\na\r\n\0b\r\n$2\r\nEX\r\n"
                        "$6\r\n604800\r\n*2\r\n$4\r\nPING\r\n$0\r\n\r\n",
                        71));
}

}  // namespace
}  // namespace hy::das::mysql
