#include "common/admin/daemon.h"

#include <pthread.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <ctime>
#include <iostream>
#include <thread>

#include "common/obs/log.h"

namespace hy::admin {
namespace {

constexpr time_t kGiveUpSeconds = 2;

sigset_t our_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int s : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, s);
  return set;
}

/// The next of our signals; 0 after `seconds` (negative = no limit).
int wait_signal(time_t seconds) {
  const auto set = our_signals();
  for (;;) {
    const timespec limit{seconds, 0};
    const int got = seconds < 0 ? sigwaitinfo(&set, nullptr) : sigtimedwait(&set, nullptr, &limit);
    if (got > 0) return got;
    if (errno != EINTR) return 0;
  }
}

std::string joined(const std::vector<std::string>& items) {
  std::string out;
  for (const auto& item : items) out += (out.empty() ? "" : ", ") + item;
  return out.empty() ? "none" : out;
}

log::Options::Form form_of(std::string_view name) {
  if (name == "json") return log::Options::Form::kJson;
  return name == "text" ? log::Options::Form::kText : log::Options::Form::kAuto;
}

/// Keys and tokens are in this memory: no core file, and no other process of the same user may read
/// it (security.md X1). A sanitizer's leak check has to, at the end.
void keep_memory_private() {
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
#if !__has_feature(address_sanitizer)
  ::prctl(PR_SET_DUMPABLE, 0);
#endif
}

}  // namespace

Daemon::Daemon(config::Start start) : start_(std::move(start)), current_(start_.values) {
  const auto set = our_signals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  keep_memory_private();
  std::signal(SIGPIPE, SIG_IGN);  // hiredis and gRPC write to closed sockets
  descriptors_ = net::raise_descriptor_limit();
  log::init({.daemon = std::string(config::role_name(start_.role)),
             .name = start_.name,
             .level = log::level_from_name(start_.values.text("log.level")),
             .form = form_of(start_.values.text("log.form"))});
}

Daemon::~Daemon() {
  log::shutdown();
}

void Daemon::say_started(const std::vector<std::string>& listeners,
                         const std::vector<std::string>& peers) const {
  log::info("started_version", {{"version", start_.version}, {"pid", ::getpid()}});
  log::info("started_config", {{"config", start_.values.hash()},
                               {"topology", start_.topology.hash},
                               {"topology_version", start_.topology.version},
                               {"file", start_.file.string()}});
  log::info("started_limits", {{"descriptors", descriptors_.now},
                               {"descriptors_hard", descriptors_.hard},
                               {"connections_that_fit", descriptors_.connections_that_fit()}});
  log::info("started_listeners", {{"listeners", joined(listeners)}});
  log::info("started_peers", {{"peers", joined(peers)}});
}

int Daemon::failed(const Error& error) const {
  log::error("start_failed", {{"code", error.code},
                              {"text", error_info(error.code).text},
                              {"detail", error.detail},
                              {"what_to_do", error_info(error.code).what_to_do}});
  const auto number = static_cast<unsigned>(error.code);
  const bool mends = number / 1'000 == 8 || number / 100 == 51 || number / 100 == 52;
  return mends ? config::kExitUsage : config::kExitFailed;
}

void Daemon::reload(const DaemonHandlers& handlers) {
  auto fresh = config::reload(start_, current_);
  if (!fresh) {
    log::error("reload_failed", {{"code", fresh.error().front().code},
                                 {"mistakes", fresh.error().size()},
                                 {"text", config::render(fresh.error())}});
    return;
  }
  current_ = std::move(fresh->values);
  log::set_level(log::level_from_name(current_.text("log.level")));
  if (handlers.reload) handlers.reload(current_);
  log::info("reloaded", {{"applied", fresh->applied.size()},
                         {"applied_keys", joined(fresh->applied)},
                         {"unchanged", fresh->unchanged},
                         {"needs_restart", fresh->needs_restart.size()},
                         {"needs_restart_keys", joined(fresh->needs_restart)}});
}

int Daemon::run(const DaemonHandlers& handlers) {
  int got = wait_signal(-1);
  while (got == SIGHUP) {
    reload(handlers);
    got = wait_signal(-1);
  }
  log::info("stopping", {{"signal", got}});
  std::atomic<bool> drained{false};
  std::stop_source now;
  std::thread second([&] {
    while (!drained) {
      const int again = wait_signal(1);
      if (again != SIGTERM && again != SIGINT) continue;
      log::warn("stopping_now", {{"code", Errc::kDraining}});
      now.request_stop();
      // Whatever still holds the drain had its chance; a third signal does not wait.
      wait_signal(kGiveUpSeconds);
      if (!drained) {
        log::error("drain_failed", {{"code", Errc::kTimedOut}});
        log::shutdown();
        ::_exit(config::kExitFailed);
      }
    }
  });
  if (handlers.drain) handlers.drain(now.get_token());
  drained = true;
  // Wakes the helper thread at once: the signal goes to that thread alone.
  pthread_kill(second.native_handle(), SIGHUP);
  second.join();
  log::info("stopped", {{"drained", !now.stop_requested()}});
  return config::kExitOk;
}

}  // namespace hy::admin
