#include "client/cli/text_width.h"

#include <gtest/gtest.h>

namespace hy::cli {
namespace {

class TextWidth : public testing::Test {
 protected:
  void SetUp() override { use_utf8(); }
};

TEST_F(TextWidth, WideCharactersTakeTwoColumnsAndCombiningOnesNone) {
  EXPECT_EQ(display_width("hello"), 5);
  EXPECT_EQ(display_width("你好"), 4);
  EXPECT_EQ(display_width("✓✓"), 2);
  EXPECT_EQ(display_width("e\u0301"), 1);
  EXPECT_EQ(display_width("😀"), 2);
}

TEST_F(TextWidth, FitIsExactlyAsWideAsAsked) {
  for (const std::string text : {"", "hello", "你好世界", "a你b好c", "😀😀😀", "e\u0301e\u0301"}) {
    for (int columns = 0; columns < 12; ++columns) {
      EXPECT_EQ(display_width(fit(text, columns)), columns) << text << " in " << columns;
    }
  }
  EXPECT_EQ(fit("你好世界", 5), "你好…");
  EXPECT_EQ(clip("hello", 9), "hello");
}

TEST_F(TextWidth, ABodyCannotCommandTheTerminal) {
  EXPECT_EQ(printable("a\x1b[31mb"), "a\u241b[31mb");
  EXPECT_EQ(printable("line\nbreak\r\x07"), "line\u240abreak\u240d\u2407");
  EXPECT_EQ(printable("\xff\xfe"), "\uFFFD\uFFFD");
  EXPECT_EQ(printable("\u202Eabc"), "\uFFFDabc");
  EXPECT_EQ(printable("\u009b31m"), "\uFFFD31m");
  EXPECT_EQ(printable("שלום"), "שלום");
}

TEST_F(TextWidth, ATruncatedCharacterAtTheEndIsOneBrokenByteEach) {
  EXPECT_EQ(printable("ok\xe4\xbd"), "ok\uFFFD\uFFFD");
  EXPECT_EQ(display_width("ok\xe4\xbd"), 4);
}

}  // namespace
}  // namespace hy::cli
