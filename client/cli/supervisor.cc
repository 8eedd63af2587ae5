#include "client/cli/supervisor.h"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/wait.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

namespace hy::cli {
namespace {

using Clock = std::chrono::steady_clock;
constexpr Millis kReadyPoll{15};  // between two questions to a daemon that is not ready yet
constexpr int kConfigExit = 2;    // daemons: usage or configuration

enum class Wish : std::uint8_t { kRun, kHold, kStop };

struct Service {
  ServiceSpec spec;
  Child child;
  Wish wish = Wish::kRun;
  bool is_running = false;
  bool has_given_up = false;
  int starts = 0;
  std::string last_exit;
  std::optional<MonoTime> start_at;  // set: (re)start then
  std::optional<MonoTime> kill_at;   // set: SIGKILL then
  std::optional<Error> start_error;
};

}  // namespace

struct Supervisor::Impl {
  explicit Impl(Options o) : options(o), wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    thread = std::thread([this] { loop(); });
  }

  void wake_up() const {
    const std::uint64_t one = 1;
    if (::write(wake.get(), &one, sizeof one) < 0) return;  // full: it is awake anyway
  }
  Service* find(const std::string& name) {
    for (auto& s : services) {
      if (s->spec.name == name) return s.get();
    }
    return nullptr;
  }

  void loop() {
    std::unique_lock lock(mutex);
    while (!is_ending) {
      turn();
      changed.notify_all();
      std::vector<pollfd> fds{{wake.get(), POLLIN, 0}};
      for (const auto& s : services) {
        if (s->is_running) fds.push_back({s->child.pidfd(), POLLIN, 0});
      }
      const int timeout = next_timeout();
      lock.unlock();
      ::poll(fds.data(), fds.size(), timeout);
      std::uint64_t drained = 0;
      if (::read(wake.get(), &drained, sizeof drained) < 0) drained = 0;
      lock.lock();
    }
  }

  void turn() {
    const MonoTime now = Clock::now();
    for (auto& s : services) {
      if (s->is_running) collect(*s, now);
      if (s->is_running && s->kill_at && *s->kill_at <= now) {
        s->child.signal(SIGKILL);
        s->kill_at.reset();
      }
      if (!s->is_running && s->wish == Wish::kRun && s->start_at && *s->start_at <= now) begin(*s);
    }
  }

  void begin(Service& s) const {
    s.start_at.reset();
    s.kill_at.reset();
    auto child = spawn(s.spec.command);
    if (!child) {
      s.start_error = child.error();
      s.has_given_up = true;
      return;
    }
    s.child = *std::move(child);
    s.is_running = true;
    ++s.starts;
  }

  void collect(Service& s, MonoTime now) const {
    const auto status = s.child.try_wait();
    if (!status) return;
    s.is_running = false;
    s.kill_at.reset();
    s.last_exit = exit_text(*status);
    if (s.wish != Wish::kRun) return;
    if (WIFEXITED(*status) && WEXITSTATUS(*status) == kConfigExit) {
      s.has_given_up = true;
      return;
    }
    s.start_at = now + options.restart_after;
  }

  int next_timeout() const {
    std::optional<MonoTime> first;
    for (const auto& s : services) {
      for (const auto& t : {s->is_running ? std::nullopt : s->start_at, s->kill_at}) {
        if (t && (!first || *t < *first)) first = t;
      }
    }
    if (!first) return -1;
    const auto left = std::chrono::ceil<Millis>(*first - Clock::now()).count();
    return static_cast<int>(std::max<std::int64_t>(0, left));
  }

  Options options;
  UniqueFd wake;
  mutable std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::unique_ptr<Service>> services;
  bool is_ending = false;
  std::thread thread;
};

Supervisor::Supervisor(Options options) : impl_(std::make_unique<Impl>(options)) {}

Supervisor::~Supervisor() {
  stop();
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->is_ending = true;
  }
  impl_->wake_up();
  impl_->thread.join();
}

Status Supervisor::start(ServiceSpec spec) {
  std::unique_lock lock(impl_->mutex);
  if (impl_->find(spec.name) != nullptr) {
    return fail(Errc::kChildFailed, spec.name + " is already supervised");
  }
  auto service = std::make_unique<Service>();
  service->spec = std::move(spec);
  service->start_at = Clock::now();
  Service* const s = service.get();
  impl_->services.push_back(std::move(service));
  impl_->wake_up();
  impl_->changed.wait(lock, [s] { return s->starts > 0 || s->start_error; });
  if (s->start_error) return std::unexpected(*s->start_error);
  return {};
}

Status Supervisor::wait_ready(const std::vector<std::string>& names, Millis within) {
  const MonoTime deadline = Clock::now() + within;
  std::vector<Service*> waiting;
  std::unique_lock lock(impl_->mutex);
  for (auto& s : impl_->services) {
    if (names.empty() || std::ranges::find(names, s->spec.name) != names.end()) {
      waiting.push_back(s.get());
    }
  }
  std::string why;
  while (!waiting.empty()) {
    Service& s = *waiting.front();
    const auto log_end = [&s] { return "\n" + tail_of(s.spec.command.log, 8); };
    if (s.has_given_up) {
      return fail(Errc::kChildFailed,
                  s.spec.name + " ended at once (" + s.last_exit + ")" + log_end());
    }
    if (s.is_running) {
      lock.unlock();
      const bool is_ready = !s.spec.is_ready || s.spec.is_ready(why);
      lock.lock();
      if (is_ready && s.is_running) {
        waiting.erase(waiting.begin());
        continue;
      }
    } else {
      why = s.last_exit.empty() ? "not started" : s.last_exit;
    }
    if (Clock::now() >= deadline) {
      return fail(Errc::kTimedOut, s.spec.name + " is not ready: " + why + log_end());
    }
    impl_->changed.wait_for(lock, kReadyPoll);
  }
  return {};
}

bool Supervisor::signal(const std::string& name, int number) {
  const std::lock_guard lock(impl_->mutex);
  Service* const s = impl_->find(name);
  if (s == nullptr || !s->is_running) return false;
  s->child.signal(number);
  return true;
}

Status Supervisor::hold(const std::string& name, int number) {
  std::unique_lock lock(impl_->mutex);
  Service* const s = impl_->find(name);
  if (s == nullptr) return fail(Errc::kUsage, "no daemon is called " + name);
  s->wish = Wish::kHold;
  if (s->is_running) {
    s->child.signal(number != 0 ? number : s->spec.stop_signal);
    s->kill_at = Clock::now() + impl_->options.stop_within;
    impl_->wake_up();
    impl_->changed.wait(lock, [s] { return !s->is_running; });
  }
  return {};
}

Status Supervisor::release(const std::string& name) {
  const std::lock_guard lock(impl_->mutex);
  Service* const s = impl_->find(name);
  if (s == nullptr) return fail(Errc::kUsage, "no daemon is called " + name);
  s->wish = Wish::kRun;
  s->start_at = Clock::now();
  impl_->wake_up();
  return {};
}

void Supervisor::set_restart_after(Millis delay) {
  const std::lock_guard lock(impl_->mutex);
  impl_->options.restart_after = delay;
}

std::vector<ServiceState> Supervisor::list() const {
  std::vector<ServiceState> out;
  const std::lock_guard lock(impl_->mutex);
  for (const auto& s : impl_->services) {
    const pid_t pid = s->is_running ? s->child.pid() : -1;
    out.push_back({s->spec.name, pid, s->wish == Wish::kHold, s->has_given_up, s->starts,
                   s->last_exit, s->spec.command.log, pid > 0 ? resident_bytes(pid) : 0});
  }
  return out;
}

int Supervisor::starts(const std::string& name) const {
  const std::lock_guard lock(impl_->mutex);
  const Service* const s = impl_->find(name);
  return s == nullptr ? 0 : s->starts;
}

void Supervisor::stop(bool hard) {
  std::unique_lock lock(impl_->mutex);
  for (auto& s : impl_->services) s->wish = Wish::kStop;
  if (hard) {
    for (auto& s : impl_->services) {
      if (s->is_running) s->child.signal(SIGKILL);
    }
  }
  for (auto it = impl_->services.rbegin(); it != impl_->services.rend(); ++it) {
    Service& s = **it;
    if (!s.is_running) continue;
    if (!hard) {
      s.child.signal(s.spec.stop_signal);
      s.child.signal(SIGCONT);
      s.kill_at = Clock::now() + impl_->options.stop_within;
    }
    impl_->wake_up();
    impl_->changed.wait(lock, [&s] { return !s.is_running; });
  }
}

}  // namespace hy::cli
