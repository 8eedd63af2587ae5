#include "common/net/listener.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>

#include "common/base/check.h"
#include "common/obs/log.h"

namespace hy::net {
namespace {

constexpr int kUserTimeoutMs = 30'000;
constexpr int kKeepIdleS = 60;
constexpr int kKeepIntervalS = 10;
constexpr int kKeepCount = 3;
/// Of one readiness; then the others of this thread have their turn.
constexpr int kAcceptsAtOnce = 16;

bool is_out_of_resources(int e) {
  return e == EMFILE || e == ENFILE || e == ENOBUFS || e == ENOMEM;
}

int open_reserve() {
  return ::open("/dev/null", O_RDONLY | O_CLOEXEC);
}

}  // namespace

struct Listener::Impl : std::enable_shared_from_this<Listener::Impl> {
  Impl(asio::io_context& context, const ListenerOptions& o, OnAccept a)
      : options(o),
        on_accept(std::move(a)),
        acceptor(context),
        timer(context),
        reserve(open_reserve()) {}
  ~Impl() {
    if (reserve >= 0) ::close(reserve);
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  void wait() {
    acceptor.async_wait(Tcp::acceptor::wait_read, [self = shared_from_this()](ErrorCode ec) {
      if (self->closed) return;
      if (ec) return self->pause();  // the kernel had no memory for the wait: later it may
      self->on_ready();
    });
  }

  // By hand and not with async_accept: a socket that is to live in another context would enter
  // and leave this one, and its address would be asked for once more.
  void on_ready() {
    for (int i = 0; i < kAcceptsAtOnce && !closed; ++i) {
      Tcp::endpoint peer;
      auto size = static_cast<socklen_t>(peer.capacity());
      const int fd =
          ::accept4(acceptor.native_handle(), peer.data(), &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
      if (fd < 0) {
        if (errno == EAGAIN || errno == EWOULDBLOCK) break;
        if (is_out_of_resources(errno)) return pause();
        ++counts.failed;  // ECONNABORTED and the like concern one peer, not the listener
        continue;
      }
      peer.resize(size);
      ++counts.accepted;
      on_accept(Accepted(fd, peer));
    }
    if (!closed) wait();
  }

  /// Re-arming at once would spin, not re-arming would kill the listener.
  void pause() {
    ++counts.out_of_descriptors;
    throttle.warn(SystemClock().now(), "accept_failed",
                  {{"code", Errc::kLimitTooLow},
                   {"pauses", counts.out_of_descriptors.load()},
                   {"pause_ms", options.pause}});
    turn_one_away();
    timer.expires_after(options.pause);
    timer.async_wait([self = shared_from_this()](ErrorCode ec) {
      if (!ec && !self->closed) self->wait();
    });
  }

  /// The reserve descriptor takes one waiting peer off the queue, so that it learns that it is not
  /// served instead of waiting for its own time-out.
  void turn_one_away() {
    if (reserve >= 0) ::close(reserve);
    const int fd =
        ::accept4(acceptor.native_handle(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0) {
      ++counts.turned_away;
      ::close(fd);
    }
    reserve = open_reserve();
  }

  ListenerOptions options;
  OnAccept on_accept;
  Tcp::acceptor acceptor;
  asio::steady_timer timer;
  int reserve;
  std::uint16_t port = 0;
  std::atomic<bool> closed{false};
  ListenerCounts counts;
  log::Throttle throttle{Millis(1'000)};
};

Result<Tcp::endpoint> parse_endpoint(std::string_view address) {
  const auto colon = address.rfind(':');
  if (colon == address.npos)
    return fail(Errc::kConfigWrongType, "no port in \"" + std::string(address) + "\"");
  auto host = address.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  const auto digits = address.substr(colon + 1);
  std::uint16_t port = 0;
  const auto [end, bad] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  ErrorCode ec;
  const auto ip = asio::ip::make_address(std::string(host), ec);
  if (bad != std::errc{} || end != digits.data() + digits.size() || ec)
    return fail(Errc::kConfigWrongType, "not IP:PORT: \"" + std::string(address) + "\"");
  return Tcp::endpoint(ip, port);
}

Accepted::~Accepted() {
  if (fd_ >= 0) ::close(fd_);
}

Result<Tcp::socket> Accepted::into(asio::io_context& context) {
  Tcp::socket socket(context);
  ErrorCode ec;
  socket.assign(peer_.protocol(), fd_, ec);
  if (ec) return fail(Errc::kUnavailable, ec.message());
  fd_ = -1;
  return socket;
}

void tune_socket(int fd) {
  const auto set = [fd](int level, int name, int value) {
    (void)::setsockopt(fd, level, name, &value, sizeof value);
  };
  set(IPPROTO_TCP, TCP_NODELAY, 1);
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, kKeepIdleS);
  set(IPPROTO_TCP, TCP_KEEPINTVL, kKeepIntervalS);
  set(IPPROTO_TCP, TCP_KEEPCNT, kKeepCount);
  set(IPPROTO_TCP, TCP_USER_TIMEOUT, kUserTimeoutMs);
}

Listener::Listener(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
Listener::Listener(Listener&&) noexcept = default;
Listener::~Listener() {
  if (impl_) close();
}

Result<Listener> Listener::open(asio::io_context& context, std::string_view address,
                                const ListenerOptions& options, OnAccept on_accept) {
  HY_TRY(const auto endpoint, parse_endpoint(address));
  auto impl = std::make_shared<Impl>(context, options, std::move(on_accept));
  ErrorCode ec;
  impl->acceptor.open(endpoint.protocol(), ec);
  // SO_REUSEADDR lets a restarted daemon take its port while old connections are in TIME_WAIT; on
  // Linux two listeners on one port still refuse each other. SO_REUSEPORT is never set.
  if (!ec) impl->acceptor.set_option(asio::socket_base::reuse_address(true), ec);
  if (!ec) impl->acceptor.bind(endpoint, ec);
  if (!ec) tune_socket(impl->acceptor.native_handle());
  if (!ec) impl->acceptor.listen(options.backlog, ec);
  if (!ec) impl->acceptor.non_blocking(true, ec);
  if (ec) {
    const bool used = ec.value() == EADDRINUSE;
    return fail(used ? Errc::kPortInUse : Errc::kUnavailable,
                "cannot listen on " + std::string(address) + ": " + ec.message());
  }
  impl->port = impl->acceptor.local_endpoint().port();
  return Listener(std::move(impl));
}

void Listener::start() {
  impl_->wait();
}

void Listener::close() {
  if (impl_->closed.exchange(true)) return;
  // The acceptor belongs to its context's thread. When that no longer runs, the posted task is
  // destroyed with the context and takes the socket with it.
  asio::post(impl_->acceptor.get_executor(), [impl = impl_] {
    ErrorCode ignored;
    impl->acceptor.close(ignored);
    impl->timer.cancel();
  });
}

std::uint16_t Listener::port() const {
  return impl_->port;
}
const ListenerCounts& Listener::counts() const {
  return impl_->counts;
}

}  // namespace hy::net
