#include "client/cli/free_ports.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>
#include <string>

namespace hy::cli {
namespace {

constexpr int kPortEnd = 32'000;
constexpr int kStep = 10;     // daemons of one tier
constexpr int kBand = 1'000;  // the next ten of every tier

bool is_free(int port) {
  const UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int yes = 1;  // a connection in TIME_WAIT does not hold the port
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  return ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
         ::listen(fd.get(), 1) == 0;
}

UniqueFd reserve(int port) {
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string name = "hongyan-port-" + std::to_string(port);
  std::memcpy(address.sun_path + 1, name.data(), name.size());
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0) return {};
  return fd;
}

}  // namespace

Result<int> FreePorts::pair(int preferred) {
  for (int band = preferred; band < kPortEnd; band += kBand) {
    for (int port = band; port < band + kBand / 10 && port < kPortEnd; port += kStep) {
      UniqueFd reservation = reserve(port);
      if (!reservation || !is_free(port) || !is_free(port + 1)) continue;
      reservations_.push_back(std::move(reservation));
      return port;
    }
  }
  return fail(Errc::kPortInUse, "no free port from " + std::to_string(preferred) + " to 31999");
}

}  // namespace hy::cli
