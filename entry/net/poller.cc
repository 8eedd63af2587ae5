#include "entry/net/poller.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "common/base/check.h"

namespace hy::entry {

Result<Poller> Poller::open() {
  const int fd = epoll_create1(EPOLL_CLOEXEC);
  if (fd < 0) return fail(Errc::kLimitTooLow, std::string("epoll_create1: ") + strerror(errno));
  return Poller(fd);
}

Poller::Poller(Poller&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), events_(std::move(other.events_)) {}

Poller::~Poller() {
  if (fd_ >= 0) close(fd_);
}

Status Poller::add(int fd, std::uint64_t tag) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = tag;
  if (epoll_ctl(fd_, EPOLL_CTL_ADD, fd, &event) != 0) {
    return fail(Errc::kLimitTooLow, std::string("epoll_ctl: ") + strerror(errno));
  }
  return {};
}

void Poller::want(int fd, std::uint64_t tag, bool read, bool write) {
  epoll_event event{};
  event.events = (read ? std::uint32_t{EPOLLIN} : 0U) | (write ? std::uint32_t{EPOLLOUT} : 0U);
  event.data.u64 = tag;
  HY_CHECK(epoll_ctl(fd_, EPOLL_CTL_MOD, fd, &event) == 0);
}

std::span<const Poller::Event> Poller::ready() {
  std::array<epoll_event, kEventsMax> raw;
  const int count = epoll_wait(fd_, raw.data(), static_cast<int>(raw.size()), 0);
  events_.clear();
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = raw[static_cast<std::size_t>(i)];
    events_.push_back({.tag = event.data.u64,
                       .readable = (event.events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0,
                       .writable = (event.events & EPOLLOUT) != 0});
  }
  return events_;
}

}  // namespace hy::entry
