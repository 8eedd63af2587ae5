#include "common/admin/daemon.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <condition_variable>
#include <csignal>
#include <mutex>
#include <sstream>

#include "tests/unit/common/config/support.h"

namespace hy::admin {
namespace {

/// A process of its own: signals and their masks belong to a process, not to a test.
struct Child {
  pid_t pid = -1;
  int said = -1;  // what the child writes

  template <class Body>
  explicit Child(Body body) {
    int ends[2];
    EXPECT_EQ(::pipe(ends), 0);
    pid = ::fork();
    if (pid == 0) {
      ::close(ends[0]);
      ::_exit(body(ends[1]));
    }
    ::close(ends[1]);
    said = ends[0];
  }
  ~Child() {
    if (pid > 0) {
      ::kill(pid, SIGKILL);
      ::waitpid(pid, nullptr, 0);
    }
    ::close(said);
  }
  /// The next letter, or 0 at the end or after 10 s.
  char next() const {
    pollfd fd{said, POLLIN, 0};
    char letter = 0;
    if (::poll(&fd, 1, 10'000) != 1 || ::read(said, &letter, 1) != 1) return 0;
    return letter;
  }
  int exit_code() {
    int status = 0;
    ::waitpid(pid, &status, 0);
    pid = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }
};

struct DaemonTest : testing::Test {
  config::test::Folder folder;
  void SetUp() override {
    folder.write("hongyan.toml", "[host]\nidc = \"sh\"\n");
    folder.write("topology.toml",
                 "version = 1\ncluster = \"t\"\n[idc.sh]\nentry = [\"127.0.0.1:14000\"]\n"
                 "logic = [\"127.0.0.1:14100\"]\nrouter = [\"127.0.0.1:14200\"]\n"
                 "das = [\"127.0.0.1:14300\"]\n");
  }
  config::Start start() const {
    const auto file = (folder.path / "hongyan.toml").string();
    const char* const argv[] = {"hy-entry", "--config", file.c_str(), "--set", "log.level=error"};
    std::ostringstream out;
    std::ostringstream err;
    return *config::start_from_command_line({.properties = config::test::kProperties}, 5, argv, {},
                                            out, err);
  }
  /// Says u(p), then r(eload) with the new motto's first letter, d(rain).
  int run(int to, bool drain_waits) const {
    const auto say = [to](char c) { (void)!::write(to, &c, 1); };
    Daemon daemon(start());
    say('u');
    return daemon.run({.reload =
                           [&](const config::Values& v) {
                             say('r');
                             say(v.text("entry.motto").front());
                           },
                       .drain =
                           [&](std::stop_token now) {
                             say('d');
                             std::mutex mutex;
                             std::condition_variable_any changed;
                             std::unique_lock lock(mutex);
                             if (drain_waits) changed.wait(lock, now, [] { return false; });
                           }});
  }
};

#if !__has_feature(address_sanitizer)
TEST_F(DaemonTest, ItsMemoryIsNobodyElses) {
  Child child([this](int to) {
    Daemon daemon(start());
    const char letter = ::prctl(PR_GET_DUMPABLE) == 0 ? 'p' : 'o';
    (void)!::write(to, &letter, 1);
    rlimit core{};
    ::getrlimit(RLIMIT_CORE, &core);
    const char limit = core.rlim_cur == 0 && core.rlim_max == 0 ? '0' : 'c';
    (void)!::write(to, &limit, 1);
    return 0;
  });
  EXPECT_EQ(child.next(), 'p') << "not dumpable";
  EXPECT_EQ(child.next(), '0') << "no core file";
}
#endif

TEST_F(DaemonTest, TermDrainsAndEndsWellAndHupReloads) {
  Child child([&](int to) { return run(to, false); });
  ASSERT_EQ(child.next(), 'u');
  folder.write("hongyan.toml", "[host]\nidc = \"sh\"\n[entry]\nmotto = \"new\"\n");
  ::kill(child.pid, SIGHUP);
  EXPECT_EQ(child.next(), 'r');
  EXPECT_EQ(child.next(), 'n');
  ::kill(child.pid, SIGPIPE);  // ignored
  ::kill(child.pid, SIGTERM);
  EXPECT_EQ(child.next(), 'd');
  EXPECT_EQ(child.exit_code(), config::kExitOk);
}

TEST_F(DaemonTest, ASecondTermEndsADrainThatWaits) {
  Child child([&](int to) { return run(to, true); });
  ASSERT_EQ(child.next(), 'u');
  ::kill(child.pid, SIGTERM);
  ASSERT_EQ(child.next(), 'd');
  ::kill(child.pid, SIGTERM);
  EXPECT_EQ(child.exit_code(), config::kExitOk);
}

TEST_F(DaemonTest, ABrokenReloadChangesNothing) {
  Child child([&](int to) { return run(to, false); });
  ASSERT_EQ(child.next(), 'u');
  folder.write("hongyan.toml", "[host]\nidc = \"sh\"\n[entry]\nmotto = 5\n");
  ::kill(child.pid, SIGHUP);
  ::kill(child.pid, SIGTERM);
  EXPECT_EQ(child.next(), 'd') << "no reload was handed on";
  EXPECT_EQ(child.exit_code(), config::kExitOk);
}

TEST_F(DaemonTest, ExitCodesTellConfigurationFromTheRest) {
  Child child([&](int) {
    Daemon daemon(start());
    const bool right =
        daemon.failed({Errc::kPortInUse, ""}) == 2 && daemon.failed({Errc::kNotDurable, ""}) == 2 &&
        daemon.failed({Errc::kSchemaTooNew, ""}) == 2 && daemon.failed({Errc::kStoreDown, ""}) == 1;
    return right ? 0 : 9;
  });
  EXPECT_EQ(child.exit_code(), 0);
}

}  // namespace
}  // namespace hy::admin
