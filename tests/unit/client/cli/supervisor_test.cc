#include "client/cli/supervisor.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <fstream>

#include "tests/unit/client/cli/temp_folder.h"

namespace hy::cli {
namespace {

constexpr Millis kSoon{30'000};

class SupervisorTest : public testing::Test {
 protected:
  /// A shell script as a daemon; it is ready once `ready` exists.
  ServiceSpec script(const std::string& name, const std::string& text) {
    const auto ready = folder.path() / (name + ".ready");
    ServiceSpec spec;
    spec.name = name;
    spec.command.argv = {"/bin/sh", "-c", text};
    spec.command.log = folder.path() / (name + ".log");
    spec.is_ready = [ready](std::string& why) {
      why = "no " + ready.filename().string();
      return std::filesystem::exists(ready);
    };
    return spec;
  }
  std::string touch(const std::string& name) {
    return "touch " + (folder.path() / (name + ".ready")).string() + "; ";
  }
  static pid_t pid_of(const Supervisor& s, const std::string& name) {
    for (const ServiceState& state : s.list()) {
      if (state.name == name) return state.pid;
    }
    return -1;
  }
  static bool is_alive(pid_t pid) { return pid > 0 && ::kill(pid, 0) == 0; }

  TempFolder folder;
  Supervisor::Options fast{.restart_after = Millis(20), .stop_within = Millis(300)};
};

TEST_F(SupervisorTest, StartsAndWaitsUntilReadyAndStops) {
  pid_t pid = -1;
  {
    Supervisor s(fast);
    ASSERT_TRUE(s.start(script("a", "echo up; " + touch("a") + "exec sleep 60")));
    ASSERT_TRUE(s.wait_ready({}, kSoon));
    pid = pid_of(s, "a");
    EXPECT_TRUE(is_alive(pid));
    EXPECT_EQ(tail_of(folder.path() / "a.log", 3), "up");
  }
  EXPECT_FALSE(is_alive(pid));
}

TEST_F(SupervisorTest, RestartsWhatWasKilled) {
  Supervisor s(fast);
  ASSERT_TRUE(s.start(script("a", touch("a") + "exec sleep 60")));
  ASSERT_TRUE(s.wait_ready({"a"}, kSoon));
  const pid_t first = pid_of(s, "a");
  ASSERT_TRUE(s.signal("a", SIGKILL));
  const MonoTime deadline = std::chrono::steady_clock::now() + kSoon;
  while (s.starts("a") < 2 && std::chrono::steady_clock::now() < deadline) {
    (void)s.wait_ready({"a"}, Millis(20));
  }
  EXPECT_EQ(s.starts("a"), 2);
  ASSERT_TRUE(s.wait_ready({"a"}, kSoon));
  EXPECT_NE(pid_of(s, "a"), first);
  EXPECT_EQ(s.list().front().last_exit, "killed by signal 9");
}

TEST_F(SupervisorTest, AConfigurationErrorIsNotRestartedAndItsLogIsShown) {
  Supervisor s(fast);
  ASSERT_TRUE(s.start(script("a", "echo 'error HY-8012: unknown key' >&2; exit 2")));
  const Status ready = s.wait_ready({"a"}, kSoon);
  ASSERT_FALSE(ready);
  EXPECT_EQ(ready.error().code, Errc::kChildFailed);
  EXPECT_NE(ready.error().detail.find("exit code 2"), std::string::npos) << ready.error().detail;
  EXPECT_NE(ready.error().detail.find("HY-8012"), std::string::npos);
  EXPECT_EQ(s.starts("a"), 1);
}

TEST_F(SupervisorTest, NeverReadyEndsInATimeOutThatSaysWhatIsMissing) {
  Supervisor s(fast);
  ASSERT_TRUE(s.start(script("a", "exec sleep 60")));
  const Status ready = s.wait_ready({"a"}, Millis(100));
  ASSERT_FALSE(ready);
  EXPECT_EQ(ready.error().code, Errc::kTimedOut);
  EXPECT_NE(ready.error().detail.find("no a.ready"), std::string::npos);
}

TEST_F(SupervisorTest, HeldDownStaysDownUntilReleased) {
  Supervisor s(fast);
  ASSERT_TRUE(s.start(script("a", touch("a") + "exec sleep 60")));
  ASSERT_TRUE(s.wait_ready({"a"}, kSoon));
  ASSERT_TRUE(s.hold("a"));
  EXPECT_EQ(pid_of(s, "a"), -1);
  EXPECT_TRUE(s.list().front().is_held);
  EXPECT_FALSE(s.signal("a", SIGTERM));
  ASSERT_TRUE(s.release("a"));
  ASSERT_TRUE(s.wait_ready({"a"}, kSoon));
  EXPECT_EQ(s.starts("a"), 2);
}

TEST_F(SupervisorTest, WhatIgnoresItsStopSignalIsKilledInTime) {
  Supervisor s(fast);
  ASSERT_TRUE(s.start(script("a", "trap '' TERM; " + touch("a") + "while :; do sleep 60; done")));
  ASSERT_TRUE(s.wait_ready({"a"}, kSoon));
  const MonoTime start = std::chrono::steady_clock::now();
  s.stop();
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(4'800))
      << "not the usual 5 s";
  EXPECT_EQ(pid_of(s, "a"), -1);
}

TEST_F(SupervisorTest, AMissingProgramIsSaidByName) {
  Supervisor s(fast);
  ServiceSpec spec;
  spec.name = "a";
  spec.command.argv = {"/nowhere/hy-entry"};
  const Status started = s.start(std::move(spec));
  ASSERT_FALSE(started);
  EXPECT_NE(started.error().detail.find("/nowhere/hy-entry: No such file"), std::string::npos);
}

TEST_F(SupervisorTest, ChildrenDoNotSeeTheCallersHyVariables) {
  ::setenv("HY_ENTRY_LISTEN", "1.2.3.4:5", 1);
  const auto done = run({{"/usr/bin/env"}, {}}, kSoon);
  ::unsetenv("HY_ENTRY_LISTEN");
  ASSERT_TRUE(done);
  EXPECT_EQ(done->output.find("HY_"), std::string::npos);
  EXPECT_NE(done->output.find("PATH="), std::string::npos);
}

TEST_F(SupervisorTest, RunReturnsOutputAndCodeAndIsBounded) {
  const auto done = run({{"/bin/sh", "-c", "echo out; echo err >&2; exit 3"}, {}}, kSoon);
  ASSERT_TRUE(done);
  EXPECT_EQ(done->code, 3);
  EXPECT_EQ(done->output, "out\nerr\n");
  const auto slow = run({{"/bin/sleep", "60"}, {}}, Millis(50));
  ASSERT_FALSE(slow);
  EXPECT_EQ(slow.error().code, Errc::kTimedOut);
}

TEST_F(SupervisorTest, ChildrenDieWithTheSupervisorsProcess) {
  const auto pid_file = folder.path() / "pid";
  const pid_t outer = ::fork();
  if (outer == 0) {
    Supervisor s(fast);
    (void)s.start(
        script("a", "echo $$ > " + pid_file.string() + "; " + touch("a") + "exec sleep 60"));
    (void)s.wait_ready({"a"}, kSoon);
    ::raise(SIGKILL);
  }
  int status = 0;
  ::waitpid(outer, &status, 0);
  pid_t inner = -1;
  std::ifstream(pid_file) >> inner;
  ASSERT_GT(inner, 0);
  const MonoTime deadline = std::chrono::steady_clock::now() + kSoon;
  while (is_alive(inner) && std::chrono::steady_clock::now() < deadline) {
    std::ifstream stat("/proc/" + std::to_string(inner) + "/stat");
    std::string text;
    std::getline(stat, text);
    if (text.find(") Z") != std::string::npos) break;  // dead, waiting for init to collect it
  }
  std::ifstream stat("/proc/" + std::to_string(inner) + "/stat");
  std::string text;
  std::getline(stat, text);
  EXPECT_TRUE(text.empty() || text.find(") Z") != std::string::npos) << text;
}

TEST_F(SupervisorTest, TailReadsTheLastLines) {
  const auto file = folder.path() / "log";
  std::ofstream(file) << "one\ntwo\nthree\n";
  EXPECT_EQ(tail_of(file, 2), "two\nthree");
  EXPECT_EQ(tail_of(file, 9), "one\ntwo\nthree");
  EXPECT_EQ(tail_of(folder.path() / "none", 2), "");
}

}  // namespace
}  // namespace hy::cli
