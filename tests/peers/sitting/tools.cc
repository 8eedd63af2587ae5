#include "tests/peers/sitting/tools.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <fstream>

#include "client/cli/private_folder.h"

namespace hy::peers {

pid_t pid_of(const cli::Supervisor& supervisor, const std::string& name) {
  for (const cli::ServiceState& service : supervisor.list()) {
    if (service.name == name) return service.pid;
  }
  return -1;
}

void write_file(const std::filesystem::path& path, const std::string& text) {
  std::ofstream(path, std::ios::trunc) << text;
}

std::string read_password(const std::filesystem::path& path) {
  std::string password = must(cli::read_file(path));
  while (password.ends_with('\n')) password.pop_back();
  return password;
}

bool accepts(int port) {
  const cli::UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

}  // namespace hy::peers
