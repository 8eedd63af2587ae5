#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/base/result.h"

namespace hy::entry {

/// Readiness of many sockets at no memory in user space: the kernel's own set (epoll, level
/// triggered), itself one descriptor that an io_context waits on. See docs/decisions for what this
/// saves over one pending operation per idle socket. One thread.
class Poller {
 public:
  struct Event {
    std::uint64_t tag = 0;
    bool readable = false;  ///< also: the peer hung up
    bool writable = false;
  };

  static Result<Poller> open();
  Poller(Poller&& other) noexcept;
  Poller& operator=(Poller&&) = delete;
  ~Poller();

  /// A descriptor leaves the set by being closed.
  Status add(int fd, std::uint64_t tag);
  void want(int fd, std::uint64_t tag, bool read, bool write);
  /// What is ready now; never waits.
  std::span<const Event> ready();
  /// Becomes readable when ready() has something.
  [[nodiscard]] int descriptor() const { return fd_; }
  /// ready() had more than fits into one answer.
  [[nodiscard]] bool was_full() const { return events_.size() == kEventsMax; }

 private:
  static constexpr std::size_t kEventsMax = 256;
  explicit Poller(int fd) : fd_(fd) { events_.reserve(kEventsMax); }

  int fd_ = -1;
  std::vector<Event> events_;
};

}  // namespace hy::entry
