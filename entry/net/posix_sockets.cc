#include "entry/net/posix_sockets.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>

#include "common/base/check.h"

namespace hy::entry {

Status PosixSockets::open() {
  set_ = epoll_create1(EPOLL_CLOEXEC);
  if (set_ < 0) return fail(Errc::kLimitTooLow, std::string("epoll_create1: ") + strerror(errno));
  return {};
}

PosixSockets::~PosixSockets() {
  if (set_ >= 0) ::close(set_);
}

Status PosixSockets::add(int socket, std::uint64_t tag) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = tag;
  if (epoll_ctl(set_, EPOLL_CTL_ADD, socket, &event) != 0) {
    return fail(Errc::kLimitTooLow, std::string("epoll_ctl: ") + strerror(errno));
  }
  return {};
}

void PosixSockets::want(int socket, std::uint64_t tag, bool read, bool write) {
  epoll_event event{};
  event.events = (read ? std::uint32_t{EPOLLIN} : 0U) | (write ? std::uint32_t{EPOLLOUT} : 0U);
  event.data.u64 = tag;
  HY_CHECK(epoll_ctl(set_, EPOLL_CTL_MOD, socket, &event) == 0);
}

std::span<const Sockets::Event> PosixSockets::ready() {
  std::array<epoll_event, kEventsMax> raw;
  const int count = epoll_wait(set_, raw.data(), static_cast<int>(raw.size()), 0);
  events_.clear();
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = raw[static_cast<std::size_t>(i)];
    events_.push_back({.tag = event.data.u64,
                       .readable = (event.events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0,
                       .writable = (event.events & EPOLLOUT) != 0});
  }
  return events_;
}

Sockets::Moved PosixSockets::receive(int socket, std::span<std::uint8_t> into) {
  const ssize_t got = ::recv(socket, into.data(), into.size(), MSG_DONTWAIT);
  if (got > 0) return {Outcome::kDone, static_cast<std::size_t>(got)};
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return {Outcome::kWouldBlock, 0};
  return {Outcome::kEnded, 0};
}

Sockets::Moved PosixSockets::send(int socket, std::span<const char> bytes) {
  for (;;) {
    const ssize_t sent = ::send(socket, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent >= 0) return {Outcome::kDone, static_cast<std::size_t>(sent)};
    if (errno == EAGAIN || errno == EWOULDBLOCK) return {Outcome::kWouldBlock, 0};
    if (errno != EINTR) return {Outcome::kEnded, 0};
  }
}

void PosixSockets::end_sending(int socket) {
  ::shutdown(socket, SHUT_WR);
}

void PosixSockets::close(int socket) {
  ::close(socket);
}

}  // namespace hy::entry
