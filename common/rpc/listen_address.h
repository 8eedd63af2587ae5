#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "common/base/result.h"

namespace hy::rpc {

enum class Reach : std::uint8_t { kUnix, kLoopback, kPrivate, kPublic };
/// How far "IP:PORT" or "unix:/path" reaches. kUnsafeStart for a text that is neither: host names
/// are refused, since "localhost" may be ::1 first.
Result<Reach> reach_of(std::string_view address);

/// Holds the right to a Unix socket path: gRPC unlinks whatever socket is there and would take it
/// from a living server (platform.md §7). Released with the object; the lock file stays.
class SocketLock {
 public:
  /// kPortInUse: another process has it, or the path has 108 bytes or more.
  static Result<SocketLock> take(const std::string& path);
  SocketLock(SocketLock&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)), path_(std::move(other.path_)) {}
  SocketLock& operator=(SocketLock&&) = delete;
  ~SocketLock();
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  SocketLock(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
  int fd_;
  std::string path_;
};

}  // namespace hy::rpc
