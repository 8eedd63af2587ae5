// Proves that the compiler at hand builds coroutines right: the four shapes that g++ 12.2 gets
// wrong (GCC PR 106188, PR 99576). Each runs in its own child process, because the wrong ones
// corrupt memory. The canary, not a version number, decides about any other compiler.
#include <sys/wait.h>
#include <unistd.h>

#include <coroutine>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <utility>

namespace {

struct Job {
  struct promise_type {
    Job get_return_object() {
      return Job{std::coroutine_handle<promise_type>::from_promise(*this)};
    }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_always final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() { std::terminate(); }
  };
  std::coroutine_handle<promise_type> handle;
};

struct Later {
  bool value = true;
  [[nodiscard]] bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> h) noexcept { waiting = h; }
  [[nodiscard]] bool await_resume() const noexcept { return value; }
  static inline std::coroutine_handle<> waiting;
};

int live = 0;
struct Counted {
  Counted() { ++live; }
  Counted(const Counted&) { ++live; }
  Counted(Counted&&) noexcept { ++live; }
  ~Counted() { --live; }
};

void resume_all() {
  while (Later::waiting) std::exchange(Later::waiting, nullptr).resume();
}

int reached = 0;

// Shape 1: co_await in a condition, no local in the outermost block.
Job condition() {
  if (co_await Later{}) {
    while (co_await Later{reached < 3}) ++reached;
  }
}

// Shape 2: a capturing lambda temporary in a co_await expression.
template <class F>
Later call(F f) {
  f();
  return {};
}
Job lambda(std::string text) {
  Counted counted;
  (void)co_await call([text, counted] { reached += static_cast<int>(text.size()); });
}

// Shape 3: an aggregate temporary.
struct Options {
  std::string name;
  Counted counted;
};
Later take(Options options) {
  reached += static_cast<int>(options.name.size());
  return {};
}
Job aggregate() {
  (void)co_await take(Options{std::string(100, 'x'), {}});
}

// Shape 4: a braced list as an argument.
Later pair_of(std::pair<std::string, Counted> both) {
  reached += static_cast<int>(both.first.size());
  return {};
}
Job braced() {
  (void)co_await pair_of({std::string(100, 'y'), Counted{}});
}

template <class Run>
bool survives(const char* name, int wanted, Run run) {
  const pid_t child = fork();
  if (child == 0) {
    Job job = run();
    resume_all();
    const bool done = job.handle.done();
    job.handle.destroy();
    std::_Exit(done && live == 0 && reached == wanted ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  const bool ok = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  std::printf("%s %s\n", ok ? "ok  " : "FAIL", name);
  return ok;
}

}  // namespace

int main() {
  bool ok = survives("co_await in a condition", 3, [] { return condition(); });
  ok &= survives("capturing lambda temporary", 100, [] { return lambda(std::string(100, 'z')); });
  ok &= survives("aggregate temporary", 100, [] { return aggregate(); });
  ok &= survives("braced list argument", 100, [] { return braced(); });
  return ok ? 0 : 1;
}
