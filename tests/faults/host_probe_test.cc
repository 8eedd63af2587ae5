#include "tests/faults/host_probe.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>

#include "client/cli/unique_fd.h"

namespace hy::faults {
namespace {

enum class Answer { kAccepted, kRefused, kSilent };

Answer dial(std::uint16_t port, int within_ms) {
  const cli::UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(port);
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at);
  pollfd p{fd.get(), POLLOUT, 0};
  if (::poll(&p, 1, within_ms) <= 0) return Answer::kSilent;
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  return error == 0 ? Answer::kAccepted : Answer::kRefused;
}

TEST(HostProbe, PrintsWhatItFound) {
  const HostOffers offers = probe_host();
  std::printf("%s\n", offers.text().c_str());
  EXPECT_GT(offers.descriptors, 0);
  EXPECT_TRUE(offers.preload) << "libhy_disk_fault.so is built beside this program";
}

TEST(HostProbe, RulesStayOutOfTheHostsNetwork) {
  EXPECT_EQ(NetRules::make().error().code, Errc::kForbidden);
}

/// In a child: the namespace of this process is not to change.
int rules_in_own_network() {
  if (!enter_own_network()) return 2;
  const cli::UniqueFd server(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof at;
  if (::bind(server.get(), reinterpret_cast<sockaddr*>(&at), size) != 0) return 3;
  ::listen(server.get(), 8);
  ::getsockname(server.get(), reinterpret_cast<sockaddr*>(&at), &size);
  const std::uint16_t port = ntohs(at.sin_port);
  auto rules = NetRules::make();
  if (!rules) return 4;
  if (dial(port, 1'000) != Answer::kAccepted) return 5;
  if (!rules->drop(port, Direction::kToServer) || dial(port, 200) != Answer::kSilent) return 6;
  if (rules->packets().value_or(0) == 0) return 7;
  if (!rules->clear() || dial(port, 1'000) != Answer::kAccepted) return 8;
  if (!rules->drop(port, Direction::kToClient) || dial(port, 200) != Answer::kSilent) return 9;
  if (!rules->clear() || !rules->reject(port) || dial(port, 1'000) != Answer::kRefused) return 10;
  if (!rules->clear() || !rules->lose(port, 50) || !rules->clear()) return 11;
  return dial(port, 1'000) == Answer::kAccepted ? 0 : 12;
}

TEST(HostProbe, NftRulesInANetworkOfOurOwn) {
  const HostOffers offers = probe_host();
  if (!offers.nft_drop) GTEST_SKIP() << "SKIPPED: " << offers.text();
  EXPECT_EXIT(std::exit(rules_in_own_network()), testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace hy::faults
