#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/base/result.h"
#include "entry/net/sockets.h"

namespace hy::entry {

/// Sockets of the kernel. Readiness of many at no memory in user space: the kernel's own set
/// (epoll, level triggered), itself one descriptor that an io_context waits on. See docs/decisions
/// for what this saves over one pending operation per idle socket.
class PosixSockets final : public Sockets {
 public:
  PosixSockets() { events_.reserve(kEventsMax); }
  ~PosixSockets() override;
  PosixSockets(const PosixSockets&) = delete;
  PosixSockets& operator=(const PosixSockets&) = delete;

  /// Once, before anything else. Errors: kLimitTooLow.
  Status open();
  /// Becomes readable when ready() has something.
  [[nodiscard]] int descriptor() const { return set_; }

  Status add(int socket, std::uint64_t tag) override;
  void want(int socket, std::uint64_t tag, bool read, bool write) override;
  std::span<const Event> ready() override;
  Moved receive(int socket, std::span<std::uint8_t> into) override;
  Moved send(int socket, std::span<const char> bytes) override;
  void end_sending(int socket) override;
  void close(int socket) override;

 private:
  static constexpr std::size_t kEventsMax = 256;

  int set_ = -1;
  std::vector<Event> events_;
};

}  // namespace hy::entry
