#include "common/obs/log.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <thread>

#include "common/obs/trace.h"

namespace hy::log {
namespace {

using namespace std::chrono_literals;

// What must not be logged does not compile.
static_assert(!std::is_constructible_v<Value, Secret>);
static_assert(!std::is_constructible_v<Value, const Secret&>);
static_assert(!std::is_constructible_v<Value, ByteView>);
static_assert(!std::is_constructible_v<Value, void*>);
static_assert(!std::is_constructible_v<Value, PayloadHash>);
static_assert(std::is_constructible_v<Value, Uid>);
static_assert(std::is_constructible_v<Value, Millis>);

const Options kEntryA{.daemon = "entry", .name = "a", .level = Level::kInfo};

TEST(Log, WritesOneJsonObjectPerEvent) {
  EXPECT_EQ(json_line(kEntryA, 1'700'000'000'123, Level::kInfo, "login_refused",
                      {{"uid", Uid{5}}, {"code", Errc::kTokenExpired}, {"ok", false}, {"n", -3}}),
            R"({"ts":"2023-11-14T22:13:20.123Z","level":"info","daemon":"entry","name":"a",)"
            R"("event":"login_refused","uid":5,"code":"HY-2003","ok":false,"n":-3})");
}

TEST(Log, NothingBreaksOutOfTheLine) {
  const auto line = json_line(kEntryA, 0, Level::kWarn, "e",
                              {{"text", "a\"b\\c\nd\x01"}, {"raw", std::string("\xff\xfe", 2)}});
  EXPECT_TRUE(line.contains(R"("text":"a\"b\\c\nd\u0001")")) << line;
  EXPECT_TRUE(line.contains(R"("raw":"fffe")")) << line;
  EXPECT_FALSE(line.contains('\n'));
}

TEST(Log, KnowsOurTypes) {
  const auto line = json_line(kEntryA, 0, Level::kInfo, "e",
                              {{"pair", ConversationId::pair(Uid{9}, Uid{2})},
                               {"group", ConversationId::group(Gid{7})},
                               {"wait_ms", 1'500us},
                               {"slot", Slot::kPhone},
                               {"inf", 1e308 * 10}});
  EXPECT_TRUE(line.contains(R"("pair":"2:9","group":"g7","wait_ms":1.5,"slot":"phone","inf":null)"))
      << line;
}

TEST(Log, ALineIsBounded) {
  const auto line = json_line(kEntryA, 0, Level::kInfo, "e",
                              {{"a", std::string(100'000, 'x')}, {"b", std::string(9'000, 'y')}});
  EXPECT_LT(line.size(), 9'000u);
  EXPECT_TRUE(line.ends_with(R"("cut":true})"));
}

/// stderr into a file for the life of the object.
struct Stderr {
  Stderr() {
    std::string name = "/tmp/hy-log-XXXXXX";
    const int fd = ::mkstemp(name.data());
    path = name;
    saved = ::dup(STDERR_FILENO);
    ::dup2(fd, STDERR_FILENO);
    ::close(fd);
  }
  ~Stderr() {
    ::dup2(saved, STDERR_FILENO);
    ::close(saved);
    ::unlink(path.c_str());
  }
  std::string text() const {
    std::stringstream out;
    out << std::ifstream(path).rdbuf();
    return out.str();
  }
  std::string path;
  int saved;
};

std::size_t lines(const std::string& text) {
  return static_cast<std::size_t>(std::ranges::count(text, '\n'));
}

TEST(Log, TheQueueIsWrittenBeforeShutdownReturns) {
  Stderr capture;
  init({.daemon = "das", .name = "b", .form = Options::Form::kJson});
  for (int i = 0; i < 500; ++i) info("appended", {{"i", i}});
  debug("hidden");
  shutdown();
  const auto text = capture.text();
  EXPECT_EQ(lines(text), 500u);
  EXPECT_TRUE(text.contains(R"("daemon":"das","name":"b","event":"appended","i":499)"));
  EXPECT_EQ(dropped_lines(), 0u);
}

TEST(Log, TheLevelIsLive) {
  Stderr capture;
  init({.daemon = "das", .name = "b", .form = Options::Form::kText, .async = false});
  set_level(Level::kError);
  warn("quiet");
  set_level(Level::kDebug);
  debug("loud", {{"detail", "two words"}});
  shutdown();
  set_level(Level::kInfo);
  const auto text = capture.text();
  EXPECT_EQ(lines(text), 1u);
  EXPECT_TRUE(text.contains("debug das-b loud detail=\"two words\"")) << text;
}

TEST(Log, AStormBecomesOneLineAPeriodWithACount) {
  Stderr capture;
  init({.daemon = "x", .name = "a", .form = Options::Form::kJson, .async = false});
  Throttle throttle(1s);
  const MonoTime t0{100s};
  for (int i = 0; i < 1'000; ++i) throttle.warn(t0 + i * 1ms, "overloaded");
  EXPECT_EQ(throttle.suppressed(), 999u);
  throttle.warn(t0 + 1s, "overloaded");
  shutdown();
  const auto text = capture.text();
  EXPECT_EQ(lines(text), 2u);
  EXPECT_TRUE(text.contains(R"("suppressed":999)"));
}

TEST(Log, LevelsFollowTheErrorTable) {
  for (const auto& row : error_table())
    EXPECT_EQ(static_cast<int>(level_of(row.code)), static_cast<int>(row.level));
  EXPECT_EQ(level_from_name("warn"), Level::kWarn);
  EXPECT_EQ(level_from_name("nonsense"), Level::kInfo);
}

TEST(Trace, RemainingTimeIsRoundedDownAndNeverNegative) {
  RequestContext context{.deadline = MonoTime(10s)};
  EXPECT_EQ(context.remaining_ms(MonoTime(9s + 1us)), 999u);
  EXPECT_EQ(context.remaining_ms(MonoTime(11s)), 0u);
  EXPECT_TRUE(context.expired(MonoTime(10s)));
  EXPECT_NE(make_trace_id(1, 1), make_trace_id(1, 2));
  EXPECT_NE(make_trace_id(1, 1).value(), 0u);
}

}  // namespace
}  // namespace hy::log
