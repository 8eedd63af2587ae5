#include "common/rpc/listen_address.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "common/base/bytes.h"

namespace hy::rpc {
namespace {

constexpr std::string_view kUnixPrefix = "unix:";

Reach reach_of_v4(std::uint32_t ip) {
  if ((ip >> 24) == 127) return Reach::kLoopback;
  const bool is_private = (ip >> 24) == 10 || (ip >> 20) == 0xAC1 ||  // 10/8, 172.16/12
                          (ip >> 16) == 0xC0A8 ||                     // 192.168/16
                          (ip >> 22) == 0x191;                        // 100.64/10
  return is_private ? Reach::kPrivate : Reach::kPublic;
}

Reach reach_of_v6(const std::array<std::uint8_t, 16>& ip) {
  constexpr std::array<std::uint8_t, 16> kLocal = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  if (ip == kLocal) return Reach::kLoopback;
  const bool is_private = (ip[0] & 0xFE) == 0xFC || (ip[0] == 0xFE && (ip[1] & 0xC0) == 0x80);
  return is_private ? Reach::kPrivate : Reach::kPublic;
}

}  // namespace

Result<Reach> reach_of(std::string_view address) {
  if (address.starts_with(kUnixPrefix) && address.size() > kUnixPrefix.size()) return Reach::kUnix;
  const std::string text(address);
  const auto refuse = [&] {
    return fail(Errc::kUnsafeStart, "\"" + text + "\" is neither IP:PORT nor unix:/path");
  };
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos) return refuse();
  std::uint32_t port = 0;
  const char* const end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data() + colon + 1, end, port);
  if (parsed.ec != std::errc{} || parsed.ptr != end || port > 65'535) return refuse();
  std::string host = text.substr(0, colon);
  std::array<std::uint8_t, 16> ip{};
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
    if (::inet_pton(AF_INET6, host.c_str(), ip.data()) != 1) return refuse();
    return reach_of_v6(ip);
  }
  if (::inet_pton(AF_INET, host.c_str(), ip.data()) != 1) return refuse();
  return reach_of_v4(get_be<std::uint32_t>(ip.data()));
}

Result<SocketLock> SocketLock::take(const std::string& path) {
  if (path.size() >= sizeof(sockaddr_un::sun_path)) {
    return fail(Errc::kPortInUse, "a socket path has at most 107 bytes: " + path);
  }
  const std::string lock_path = path + ".lock";
  const int fd = ::open(lock_path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return fail(Errc::kPortInUse, lock_path + ": " + std::strerror(errno));
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    ::close(fd);
    return fail(Errc::kPortInUse, path + " belongs to another process");
  }
  return SocketLock(fd, path);
}

SocketLock::~SocketLock() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace hy::rpc
