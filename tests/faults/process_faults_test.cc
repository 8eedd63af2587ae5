#include "tests/faults/process_faults.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "client/cli/process.h"
#include "tests/faults/disk_fault.h"

namespace hy::faults {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;

const std::string kTests = std::string(HY_BUILD_DIR) + "/tests";

class ProcessFaults : public testing::Test {
 protected:
  void SetUp() override {
    ::signal(SIGPIPE, SIG_IGN);  // a victim may end before it is told to go on
    char pattern[] = "/tmp/hy-faults-XXXXXX";
    folder = ::mkdtemp(pattern);
  }
  void TearDown() override { fs::remove_all(folder); }

  /// A victim that answers on a pipe and goes on at each line that it is given.
  struct Victim {
    pid_t pid = -1;
    FILE* in = nullptr;
    FILE* out = nullptr;
    std::string line() const {
      char buffer[256];
      if (std::fgets(buffer, sizeof buffer, out) == nullptr) return "<end>";
      std::string text = buffer;
      text.pop_back();
      return text;
    }
    void go_on() const {
      std::fputc('\n', in);
      std::fflush(in);
    }
    void kill() {
      ::kill(pid, SIGKILL);
      finish();
    }
    void finish() {
      if (pid > 0) ::waitpid(std::exchange(pid, -1), nullptr, 0);
      if (in != nullptr) std::fclose(std::exchange(in, nullptr));
      if (out != nullptr) std::fclose(std::exchange(out, nullptr));
    }
    ~Victim() {
      if (pid > 0) kill();
    }
  };

  static Victim start(std::vector<std::string> words, const std::vector<Environment>& env) {
    words.insert(words.begin(), kTests + "/disk_fault_victim");
    words = with_environment(words, env);
    int to[2];
    int from[2];
    EXPECT_EQ(::pipe2(to, O_CLOEXEC), 0);
    EXPECT_EQ(::pipe2(from, O_CLOEXEC), 0);
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    Victim v;
    v.pid = ::fork();
    if (v.pid == 0) {
      ::dup2(to[0], 0);
      ::dup2(from[1], 1);
      ::execv(argv[0], argv.data());
      ::_exit(127);
    }
    ::close(to[0]);
    ::close(from[1]);
    v.in = ::fdopen(to[1], "w");
    v.out = ::fdopen(from[0], "r");
    return v;
  }

  std::string content(const std::string& name) const {
    std::ifstream in(folder / name);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  DiskFault disk(bool power_loss = false) const {
    auto made = DiskFault::make(folder / "control", folder / "disk",
                                kTests + "/libhy_disk_fault.so", power_loss);
    EXPECT_TRUE(made.has_value()) << made.error().detail;
    fs::create_directories(folder / "disk");
    return std::move(*made);
  }
  std::string on_disk(const std::string& name) const { return (folder / "disk" / name).string(); }

  fs::path folder;
};

TEST_F(ProcessFaults, EnvironmentsAreJoined) {
  EXPECT_THAT(with_environment({"prog", "x"},
                               {{{"LD_PRELOAD", "a.so"}, {"B", "1"}}, {{"LD_PRELOAD", "b.so"}}}),
              ElementsAre("/usr/bin/env", "B=1", "LD_PRELOAD=a.so:b.so", "prog", "x"));
}

TEST_F(ProcessFaults, APauseStopsAndEndsByItself) {
  const Victim v = start({"wait", ",", "clock", ",", "wait"}, {});
  Pauses pauses;
  const auto begin = std::chrono::steady_clock::now();  // before the pause begins, not after it
  ASSERT_TRUE(pauses.pause(v.pid, Millis(300)).has_value());
  v.go_on();
  EXPECT_NE(v.line(), "<end>");
  EXPECT_GE(std::chrono::steady_clock::now() - begin, Millis(250));
  ASSERT_TRUE(pauses.pause(v.pid, Millis(60'000)).has_value());
  pauses.resume(v.pid);
  v.go_on();
  EXPECT_EQ(v.line(), "<end>");
  EXPECT_EQ(pauses.pause(-1, Millis(1)).error().code, Errc::kChildFailed);
}

TEST_F(ProcessFaults, DescriptorsAreTakenAndGivenBack) {
  const Victim v =
      start({"clock", ",", "wait", ",", "open", "20", ",", "wait", ",", "open", "20"}, {});
  EXPECT_NE(v.line(), "<end>");
  auto squeeze = DescriptorSqueeze::begin(v.pid, 5);
  ASSERT_TRUE(squeeze.has_value());
  v.go_on();
  EXPECT_EQ(v.line(), "5");
  squeeze->restore();
  v.go_on();
  EXPECT_EQ(v.line(), "20");
  EXPECT_EQ(DescriptorSqueeze::begin(-1, 5).error().code, Errc::kChildFailed);
}

TEST_F(ProcessFaults, WallClockJumpsAndMonotonicTimeDoesNot) {
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
  GTEST_SKIP() << "SKIPPED: libfaketime and AddressSanitizer exclude each other";
#endif
#endif
  auto clock = WallClock::make(folder / "time");
  if (!clock) GTEST_SKIP() << "SKIPPED: " << clock.error().detail;
  const Victim v = start({"clock", ",", "wait", ",", "clock", ",", "wait", ",", "clock"},
                         {clock->environment()});
  long long wall[3];
  long long mono[3];
  for (int i = 0; i < 3; ++i) {
    std::istringstream(v.line()) >> wall[i] >> mono[i];
    ASSERT_TRUE(clock->set_offset(i == 0 ? 3'600 : -86'400.5).has_value());
    v.go_on();
  }
  EXPECT_NEAR(static_cast<double>(wall[1] - wall[0]), 3.6e6, 5e3);
  EXPECT_NEAR(static_cast<double>(wall[2] - wall[1]), -86'400.5e3 - 3.6e6, 5e3);
  EXPECT_LT(mono[2] - mono[0], 5'000);
  EXPECT_GE(mono[2], mono[0]);
}

TEST_F(ProcessFaults, DiskFullAndHealed) {
  DiskFault fault = disk();
  const Victim v =
      start({"write", on_disk("a"), "one",  ",", "wait",  ",",
             "write", on_disk("a"), "two",  ",", "write", (folder / "elsewhere").string(),
             "x",     ",",          "wait", ",", "write", on_disk("a"),
             "three", ",",          "wait", ",", "write", on_disk("a"),
             "four",  "five"},
            {fault.environment()});
  EXPECT_EQ(v.line(), "ok");
  fault.set({.write_errno = ENOSPC});
  v.go_on();
  EXPECT_EQ(v.line(), "No space left on device");
  EXPECT_EQ(v.line(), "ok") << "another folder has room";
  fault.set({.write_errno = EIO, .only_with = "-wal"});
  v.go_on();
  EXPECT_EQ(v.line(), "ok") << "another file is meant";
  fault.set({.room = 6});
  v.go_on();
  EXPECT_EQ(v.line(), "ok");
  EXPECT_EQ(v.line(), "No space left on device");
  EXPECT_EQ(v.line(), "<end>");
  EXPECT_EQ(content("disk/a"), "onethreefour");
  EXPECT_EQ(fault.counters().writes_failed, 2U);
}

TEST_F(ProcessFaults, TheLogsDiskIsFull) {
  DiskFault fault = disk();
  fault.set({.write_errno = ENOSPC});
  auto done =
      cli::run({with_environment(
                    {"/bin/sh", "-c", kTests + "/disk_fault_victim log hello 2>" + on_disk("log")},
                    {fault.environment()}),
                {}},
               Millis(5'000));
  ASSERT_TRUE(done.has_value());
  EXPECT_EQ(done->output, "No space left on device\n");
}

TEST_F(ProcessFaults, SyncsFailAndAreSlow) {
  DiskFault fault = disk();
  fault.set({.sync_errno = EIO});
  const Victim v = start({"write", on_disk("a"), "x", ",", "sync", on_disk("a"), ",", "wait", ",",
                          "sync", on_disk("a")},
                         {fault.environment()});
  EXPECT_EQ(v.line(), "ok");
  EXPECT_EQ(v.line(), "Input/output error");
  fault.set({.sync_delay = Millis(200)});
  const auto begin = std::chrono::steady_clock::now();
  v.go_on();
  EXPECT_EQ(v.line(), "ok");
  EXPECT_GE(std::chrono::steady_clock::now() - begin, Millis(200));
  EXPECT_EQ(fault.counters().syncs_failed, 1U);
  EXPECT_EQ(fault.counters().syncs_delayed, 1U);
}

TEST_F(ProcessFaults, PowerLossTakesBackWhatWasNotSynced) {
  DiskFault fault = disk(true);
  Victim v =
      start({"write", on_disk("a"), "durable.",   ",",          "sync",     on_disk("a"), ",",
             "write", on_disk("a"), "lost",       ",",          "pwrite",   on_disk("a"), "0",
             "DUR",   ",",          "pwrite",     on_disk("a"), "20",       "far",        ",",
             "write", on_disk("b"), "never",      ",",          "write",    on_disk("c"), "whole",
             ",",     "sync",       on_disk("c"), ",",          "truncate", on_disk("c"), "1",
             ",",     "clock",      ",",          "wait"},
            {fault.environment()});
  for (int i = 0; i < 9; ++i) ASSERT_EQ(v.line(), "ok");
  v.line();
  EXPECT_EQ(content("disk/a").substr(0, 12), "DURable.lost") << "the living see their writes";
  v.kill();
  const auto taken = fault.cut_power();
  ASSERT_TRUE(taken.has_value());
  EXPECT_EQ(*taken, 5U);
  EXPECT_EQ(content("disk/a"), "durable.");
  EXPECT_EQ(content("disk/b"), "");
  EXPECT_EQ(content("disk/c"), "whole");
  EXPECT_EQ(fault.counters().undo_lost, 0U);
  EXPECT_EQ(fault.cut_power().value_or(9), 0U) << "nothing is taken back twice";
}

}  // namespace
}  // namespace hy::faults
