#include "client/bench/link.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

namespace hy::bench {

Link::~Link() {
  ::close(fd_);
}

bool Link::write(const Json& message) {
  const std::string text = message.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  for (std::size_t at = 0; at < text.size();) {
    const ssize_t n = ::send(fd_, text.data() + at, text.size() - at, MSG_NOSIGNAL);
    if (n < 0 && errno == EAGAIN) {
      pollfd p{fd_, POLLOUT, 0};
      ::poll(&p, 1, -1);
      continue;
    }
    if (n < 0 && errno != EINTR) return false;
    if (n > 0) at += static_cast<std::size_t>(n);
  }
  return true;
}

bool Link::read(const std::function<void(const Json&)>& on_message) {
  std::vector<char> buffer(256 * 1'024);
  for (;;) {
    const ssize_t n = ::recv(fd_, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno == EAGAIN;
    if (n == 0) return false;
    std::size_t searched = rest_.size();
    rest_.append(buffer.data(), static_cast<std::size_t>(n));
    for (std::size_t end; (end = rest_.find('\n', searched)) != std::string::npos; searched = 0) {
      const Json message = Json::parse(
          rest_.begin(), rest_.begin() + static_cast<std::ptrdiff_t>(end), nullptr, false);
      rest_.erase(0, end + 1);
      if (message.is_discarded()) return false;
      on_message(message);
    }
  }
}

}  // namespace hy::bench
