// Replies of a hostile or broken Redis, through the product's own connection and cache: a value, a
// miss or a lost connection; bounded memory; never a head that the server did not name.
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <thread>

#include "common/base/clock.h"
#include "das/engines/mysql/redis_cache.h"
#include "tests/fuzz/heap_meter.h"
#include "tests/fuzz/target.h"

namespace hy::fuzz {
namespace {

using das::mysql::RedisCache;
using das::mysql::RedisConnection;

/// A memory bound for one round of replies, whatever they claim (das/engines/mysql).
constexpr std::size_t kHeapMax = 4 * 1'024 * 1'024;

/// Answers every connection with the same bytes and ends its direction.
class Server {
 public:
  Server() {
    path_ = (std::filesystem::temp_directory_path() /
             ("hongyan-fuzz-redis-" + std::to_string(::getpid())))
                .string();
    ::unlink(path_.c_str());
    listener_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, sizeof address.sun_path - 1);
    law(::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
            ::listen(listener_, 16) == 0,
        "the played Redis listens");
    thread_ = std::thread([this] { serve(); });
  }
  ~Server() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
    ::unlink(path_.c_str());
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  void reply_with(ByteView bytes) {
    const std::lock_guard lock(mutex_);
    reply_.assign(bytes.begin(), bytes.end());
  }
  [[nodiscard]] std::string address() const { return "unix:" + path_; }

 private:
  void serve() {
    for (;;) {
      const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) return;
      std::vector<std::uint8_t> reply;
      {
        const std::lock_guard lock(mutex_);
        reply = reply_;
      }
      std::size_t sent = 0;
      while (sent < reply.size()) {
        const ssize_t n = ::send(fd, reply.data() + sent, reply.size() - sent, MSG_NOSIGNAL);
        if (n <= 0) break;
        sent += static_cast<std::size_t>(n);
      }
      ::shutdown(fd, SHUT_WR);
      std::array<char, 4'096> sink{};
      while (::read(fd, sink.data(), sink.size()) > 0) {
      }
      ::close(fd);
    }
  }

  std::string path_;
  int listener_ = -1;
  std::mutex mutex_;
  std::vector<std::uint8_t> reply_;
  std::thread thread_;
};

class StillClock final : public Clock {
 public:
  [[nodiscard]] MonoTime now() const override { return MonoTime{} + std::chrono::hours(1); }
  [[nodiscard]] std::int64_t wall_ms() const override { return 1'800'000'000'000; }
};

void run(ByteView input) {
  static Server server;
  static const StillClock clock;
  Reader reader(input);
  const std::uint8_t what = reader.u8() % 4;
  const ByteView reply = reader.rest();
  server.reply_with(reply);
  const das::mysql::RedisOptions options{.address = server.address(), .password = {}};
  const std::string text(as_text(reply));
  std::size_t used = 0;
  if (what == 0) {
    const auto connection = RedisConnection::open(options);
    if (connection == nullptr) return;
    const HeapMeter meter;
    const auto replies = connection->run({{"GET", "a"}, {"GET", "b"}});
    used = meter.peak();
    if (replies) law(replies->size() == 2, "one reply for each command");
    law(used <= kHeapMax, "replies have a bound");
    return;
  }
  RedisCache cache(options, clock, 1);
  const HeapMeter meter;
  const std::vector<ConversationId> convs = {ConversationId{1, 2}, ConversationId{1, 3}};
  const std::vector<Uid> uids = {Uid{1}, Uid{2}};
  if (what == 1) {
    cache.changed(uids);
  } else if (what == 2) {
    law(cache.change_counters(uids).size() == uids.size(), "one counter for each user");
  } else {
    cache.committed(std::vector<das::CommittedHead>{{convs[0], Seq{5}, 1'000}});
  }
  used = meter.peak();
  law(used <= kHeapMax, "replies have a bound");
}

std::vector<Seed> seeds() {
  const auto both = [](const std::string& one) { return one + one; };
  std::vector<Seed> out;
  const auto add = [&](const std::string& name, const std::string& reply) {
    for (char what = 0; what < 3; ++what) {
      out.emplace_back(name + "-" + std::to_string(what), Bytes{what} + reply);
    }
  };
  add("head", both("$6\r\n12 345\r\n"));
  add("counters", "+OK\r\n$3\r\n123\r\n$-1\r\n$20\r\n18446744073709551615\r\n");
  add("nil", both("$-1\r\n"));
  add("error", both("-READONLY You can't write against a read only replica.\r\n"));
  add("integer", ":5\r\n:-9223372036854775808\r\n");
  add("array", "*2\r\n$1\r\na\r\n*1\r\n:1\r\n$-1\r\n");
  add("array-huge", "*2147483647\r\n$1\r\na\r\n");
  add("array-2-32", "*4294967297\r\n$1\r\na\r\n");
  add("array-deep", "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n");
  add("bulk-huge", "$536870912\r\nabc");
  add("bulk-negative", "$-2147483648\r\n\r\n");
  out.emplace_back("committed-3", Bytes{'\3'} + ":1\r\n+OK\r\n+OK\r\n");
  out.emplace_back("garbage", Bytes{'\1'} + "HTTP/1.1 400 Bad Request\r\n\r\n");
  out.emplace_back("empty", Bytes{'\1'});
  return out;
}

HY_FUZZ_TARGET(redis_reply, run, seeds, 4'096);

}  // namespace
}  // namespace hy::fuzz
