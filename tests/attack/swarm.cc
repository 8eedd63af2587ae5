#include "tests/attack/swarm.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>

namespace hy::attack {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::uint32_t kFirstAddress = 0x7F10'0001;  // 127.16.0.1

sockaddr_in address_of(std::uint32_t ip, int port) {
  sockaddr_in out{};
  out.sin_family = AF_INET;
  out.sin_port = htons(static_cast<std::uint16_t>(port));
  out.sin_addr.s_addr = htonl(ip);
  return out;
}

}  // namespace

struct Swarm::One {
  int fd = -1;
  bool is_up = false;
  Bytes says;
  std::size_t said = 0;
  MonoTime speak_at{};
  MonoTime open_at{};
};

Swarm::Swarm(Options options) : options_(std::move(options)), ones_(options_.connections) {
  epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
  thread_ = std::thread([this] { run(); });
}

Swarm::~Swarm() {
  ends_ = true;
  thread_.join();
  for (One& one : ones_) {
    if (one.fd >= 0) ::close(one.fd);
  }
  ::close(epoll_);
}

bool Swarm::wait_standing(std::size_t n, Millis within) const {
  const auto end = Clock::now() + within;
  while (standing_ < n && Clock::now() < end) std::this_thread::yield();
  return standing_ >= n;
}

void Swarm::open(One& one, std::size_t index) {
  one.fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (one.fd < 0) return;
  // The kernel picks a port when the connection is made, so that many addresses share them.
  const int on = 1;
  ::setsockopt(one.fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  const linger hard{1, 0};
  ::setsockopt(one.fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  const sockaddr_in from =
      address_of(kFirstAddress + static_cast<std::uint32_t>(index / options_.per_address), 0);
  (void)::bind(one.fd, reinterpret_cast<const sockaddr*>(&from), sizeof from);
  const std::size_t colon = options_.address.rfind(':');
  const sockaddr_in to = address_of(INADDR_LOOPBACK, std::stoi(options_.address.substr(colon + 1)));
  if (::connect(one.fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0 &&
      errno != EINPROGRESS) {
    ::close(one.fd);
    one.fd = -1;
    return;
  }
  one.is_up = false;
  one.says = options_.says ? options_.says() : Bytes();
  one.said = 0;
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.u64 = index;
  ::epoll_ctl(epoll_, EPOLL_CTL_ADD, one.fd, &event);
}

void Swarm::drop(One& one, MonoTime now) {
  if (one.is_up) --standing_;
  ::close(one.fd);
  one = One{};
  one.open_at = now + options_.pause;
}

void Swarm::speak(One& one, MonoTime now) {
  while (one.said < one.says.size() && one.speak_at <= now) {
    const std::size_t size = options_.one_byte_every.count() > 0 ? 1 : one.says.size() - one.said;
    const ssize_t n = ::send(one.fd, one.says.data() + one.said, size, MSG_NOSIGNAL);
    if (n <= 0) return;
    one.said += static_cast<std::size_t>(n);
    if (options_.one_byte_every.count() > 0) one.speak_at = now + options_.one_byte_every;
  }
  if (options_.hangs_up && one.said == one.says.size()) drop(one, now);
}

/// False: the server has ended the connection.
bool Swarm::listen(One& one) {
  std::array<char, 4'096> buffer{};
  for (;;) {
    const ssize_t n = ::recv(one.fd, buffer.data(), buffer.size(), 0);
    if (n > 0) {
      heard_ += static_cast<std::uint64_t>(n);
      continue;
    }
    return n < 0 && errno == EAGAIN;
  }
}

void Swarm::run() {
  std::array<epoll_event, 256> events{};
  while (!ends_) {
    const MonoTime now = Clock::now();
    for (std::size_t i = 0; i < ones_.size(); ++i) {
      One& one = ones_[i];
      if (one.fd < 0 && one.open_at <= now) open(one, i);
      if (one.fd >= 0 && one.is_up && one.said < one.says.size()) speak(one, now);
    }
    const int n = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 5);
    for (int e = 0; e < n; ++e) {
      One& one = ones_[events[static_cast<std::size_t>(e)].data.u64];
      const std::uint32_t what = events[static_cast<std::size_t>(e)].events;
      if (one.fd < 0) continue;
      if ((what & EPOLLOUT) != 0 && !one.is_up && (what & (EPOLLERR | EPOLLHUP)) == 0) {
        one.is_up = true;
        ++made_;
        ++standing_;
      }
      if (!listen(one) || (what & (EPOLLERR | EPOLLHUP)) != 0) {
        ++ended_;
        drop(one, now);
        continue;
      }
      if (one.is_up) speak(one, now);
    }
  }
}

std::size_t raise_descriptors() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}

}  // namespace hy::attack
