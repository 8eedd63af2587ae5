#include "client/cli/stop_signal.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>

namespace hy::cli {

StopSignal::StopSignal(std::function<void(int)> on_stop) {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) ::sigaddset(&set, number);
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  signals_ = UniqueFd(::signalfd(-1, &set, SFD_CLOEXEC));
  wake_ = UniqueFd(::eventfd(0, EFD_CLOEXEC));
  thread_ = std::thread([this, on_stop = std::move(on_stop)] {
    pollfd fds[2] = {{signals_.get(), POLLIN, 0}, {wake_.get(), POLLIN, 0}};
    while (::poll(fds, 2, -1) < 0) {
    }
    signalfd_siginfo info{};
    if ((fds[0].revents & POLLIN) != 0 &&
        ::read(signals_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
      on_stop(static_cast<int>(info.ssi_signo));
    }
  });
}

StopSignal::~StopSignal() {
  const std::uint64_t one = 1;
  if (::write(wake_.get(), &one, sizeof one) < 0) return;
  thread_.join();
}

}  // namespace hy::cli
