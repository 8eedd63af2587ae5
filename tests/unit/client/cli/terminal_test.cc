#include "client/cli/terminal.h"

#include <gtest/gtest.h>

#include "client/cli/text_width.h"

namespace hy::cli {
namespace {

std::string kinds(const std::vector<Key>& keys) {
  std::string out;
  for (const Key& key : keys) {
    if (key.kind == Key::Kind::kText) out += key.text;
    if (key.kind == Key::Kind::kEnter) out += "<enter>";
    if (key.kind == Key::Kind::kTab) out += "<tab>";
    if (key.kind == Key::Kind::kEscape) out += "<esc>";
    if (key.kind == Key::Kind::kLeft) out += "<left>";
    if (key.kind == Key::Kind::kBackspace) out += "<back>";
    if (key.kind == Key::Kind::kControl) out += "<^" + key.text + ">";
  }
  return out;
}

TEST(KeyReader, CutsBytesIntoKeys) {
  KeyReader reader;
  EXPECT_EQ(kinds(reader.feed("k你\t\r\x7f\x1b[D\x03")), "k你<tab><enter><back><left><^c>");
}

TEST(KeyReader, SplitsAtAnyByteMakeNoDifference) {
  const std::string typed = "a你\x1b[D😀\r";
  for (std::size_t cut = 0; cut <= typed.size(); ++cut) {
    KeyReader reader;
    std::string seen = kinds(reader.feed(typed.substr(0, cut)));
    seen += kinds(reader.feed(typed.substr(cut)));
    EXPECT_EQ(seen, "a你<left>😀<enter>") << "cut at " << cut;
  }
}

TEST(KeyReader, ALoneEscapeIsAKeyOnceNothingFollows) {
  KeyReader reader;
  EXPECT_EQ(kinds(reader.feed("\x1b")), "");
  EXPECT_EQ(kinds(reader.flush()), "<esc>");
  EXPECT_EQ(kinds(reader.flush()), "");
}

TEST(LineEditor, EditsWholeCharacters) {
  LineEditor editor;
  KeyReader reader;
  for (const Key& key : reader.feed("你好a\x1b[D\x7f!")) EXPECT_FALSE(editor.key(key));
  EXPECT_EQ(editor.text(), "你!a");
  EXPECT_TRUE(editor.key({Key::Kind::kEnter, ""}));
  EXPECT_EQ(editor.take(), "你!a");
  EXPECT_EQ(editor.text(), "");
  EXPECT_FALSE(editor.key({Key::Kind::kBackspace, ""}));
  EXPECT_FALSE(editor.key({Key::Kind::kLeft, ""}));
}

TEST(LineEditor, ShowsTheCursorWithinTheColumns) {
  use_utf8();
  LineEditor editor;
  for (int i = 0; i < 40; ++i) editor.key({Key::Kind::kText, "好"});
  std::string shown = editor.on_screen(20);
  for (const char* code : {"\x1b[7m", "\x1b[27m"}) {
    const auto at = shown.find(code);
    ASSERT_NE(at, std::string::npos);
    shown.erase(at, std::string_view(code).size());
  }
  EXPECT_EQ(display_width(shown), 20);
}

}  // namespace
}  // namespace hy::cli
