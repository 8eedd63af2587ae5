#include "client/cli/output.h"

#include <gtest/gtest.h>

#include "client/cli/text_width.h"

namespace hy::cli {
namespace {

TEST(Output, TableAlignsWideCharactersAndJsonKeepsTypes) {
  use_utf8();
  Table table({"uid", "name", "is_ready"});
  table.add({1, "你好", true});
  table.add({12, "bob", false});
  EXPECT_EQ(table.text(Format::kTable),
            "UID  NAME  IS READY\n"
            "1    你好  true\n"
            "12   bob   false\n");
  EXPECT_EQ(table.text(Format::kJsonl),
            "{\"uid\":1,\"name\":\"你好\",\"is_ready\":true}\n"
            "{\"uid\":12,\"name\":\"bob\",\"is_ready\":false}\n");
  EXPECT_EQ(table.text(Format::kJson),
            "[{\"uid\":1,\"name\":\"你好\",\"is_ready\":true},\n"
            " {\"uid\":12,\"name\":\"bob\",\"is_ready\":false}]\n");
  EXPECT_EQ(Table({"x"}).text(Format::kJson), "[]\n");
}

TEST(Output, JsonStringsAreValidWhateverTheBytes) {
  EXPECT_EQ(json_string("a\"b\\c"), R"("a\"b\\c")");
  EXPECT_EQ(json_string(std::string("\0\n\x1b", 3)), R"("\u0000\u000a\u001b")");
  EXPECT_EQ(json_string("\xff"
                        "a\xe4\xbd"),
            "\"\uFFFDa\uFFFD\uFFFD\"");
  EXPECT_EQ(json_string("😀"), "\"😀\"");
}

TEST(Output, ATableNeverPassesOnControlCharacters) {
  Table table({"text"});
  table.add({"a\x1b[2Jb"});
  EXPECT_EQ(table.text(Format::kTable), "TEXT\na\u241b[2Jb\n");
}

TEST(Output, DurationsReadWell) {
  EXPECT_EQ(duration_text(std::chrono::milliseconds(870)), "870 ms");
  EXPECT_EQ(duration_text(std::chrono::milliseconds(1'234)), "1.2 s");
  EXPECT_EQ(size_text(148'400'000), "148 MB");
}

TEST(ExitCode, EveryCodeOfTheTableHasAnExitCode) {
  for (const ErrorInfo& e : error_table()) {
    const Exit exit = exit_for(e.code);
    EXPECT_EQ(exit == Exit::kOk, e.code == Errc::kOk) << error_code_text(e.code);
  }
  EXPECT_EQ(exit_for(Errc::kBlocked), Exit::kRefused);
  EXPECT_EQ(exit_for(Errc::kPasswordWrong), Exit::kRefused);
  EXPECT_EQ(exit_for(Errc::kTimedOut), Exit::kUnreachable);
  EXPECT_EQ(exit_for(Errc::kUnavailable), Exit::kUnreachable);
  EXPECT_EQ(exit_for(Errc::kConfigUnknownKey), Exit::kUsage);
  EXPECT_EQ(exit_for(Errc::kMissingPackage), Exit::kUsage);
  EXPECT_EQ(exit_for(Errc::kUnknownProfile), Exit::kNotFound);
  EXPECT_EQ(exit_for(Errc::kInternal), Exit::kFailed);
}

}  // namespace
}  // namespace hy::cli
