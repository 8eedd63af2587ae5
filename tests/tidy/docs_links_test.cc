#include <gtest/gtest.h>

#include <filesystem>

#include "tests/tidy/source_tree.h"

/// Pages that name files stay true: every relative link resolves, every `path` in code quotes
/// exists.
namespace hy::tidy {
namespace {

namespace fs = std::filesystem;

bool exists_from(const std::string& page, const std::string& target) {
  const fs::path root = HY_SOURCE_DIR;
  return fs::exists(root / fs::path(page).parent_path() / target) || fs::exists(root / target);
}

TEST(DocsLinks, RelativeLinksResolve) {
  for (const SourceFile& page : source_files({".md"})) {
    for (std::size_t i = 0; i < page.lines.size(); ++i) {
      const std::string& line = page.lines[i];
      for (std::size_t at = line.find("]("); at != std::string::npos;
           at = line.find("](", at + 2)) {
        std::string target = line.substr(at + 2, line.find(')', at) - at - 2);
        if (target.starts_with("http") || target.starts_with("#") || target.empty()) continue;
        target = target.substr(0, target.find('#'));
        EXPECT_TRUE(exists_from(page.path, target))
            << page.path << ":" << i + 1 << ": broken link " << target;
      }
    }
  }
}

/// A code quote that looks like a source path of ours.
bool looks_like_path(const std::string& quoted) {
  static const std::vector<std::string_view> kTops = {"common/", "entry/",  "logic/", "router/",
                                                      "das/",    "client/", "proto/", "deploy/",
                                                      "tests/",  "docs/"};
  return starts_with_any(quoted, kTops) && quoted.find_first_of(" <>*{}…") == std::string::npos;
}

TEST(DocsLinks, QuotedPathsExist) {
  std::size_t seen = 0;
  for (const SourceFile& page : source_files({".md"})) {
    for (std::size_t i = 0; i < page.lines.size(); ++i) {
      const std::string& line = page.lines[i];
      std::size_t open = line.find('`');
      while (open != std::string::npos) {
        const std::size_t close = line.find('`', open + 1);
        if (close == std::string::npos) break;
        std::string quoted = line.substr(open + 1, close - open - 1);
        quoted = quoted.substr(0, quoted.find(':'));
        if (looks_like_path(quoted)) {
          ++seen;
          EXPECT_TRUE(fs::exists(fs::path(HY_SOURCE_DIR) / quoted))
              << page.path << ":" << i + 1 << ": no such path " << quoted;
        }
        open = line.find('`', close + 1);
      }
    }
  }
  EXPECT_GT(seen, 20u);
}

/// docs/life-of-a-message.md names `file` and `symbol()` pairs: the symbol stands in that file.
TEST(DocsLinks, LifeOfAMessageNamesRealSymbols) {
  const fs::path page = fs::path(HY_SOURCE_DIR) / "docs/life-of-a-message.md";
  ASSERT_TRUE(fs::exists(page));
  std::size_t pairs = 0;
  for (const std::string& line : split_lines(read_text(page))) {
    std::string file;
    std::size_t open = line.find('`');
    while (open != std::string::npos) {
      const std::size_t close = line.find('`', open + 1);
      if (close == std::string::npos) break;
      const std::string quoted = line.substr(open + 1, close - open - 1);
      if (looks_like_path(quoted)) {
        file = quoted;
      } else if (!file.empty() && quoted.ends_with("()")) {
        ++pairs;
        const std::string symbol = quoted.substr(0, quoted.size() - 2);
        const std::string text = read_text(fs::path(HY_SOURCE_DIR) / file);
        EXPECT_NE(
            text.find(
                symbol.substr(symbol.rfind(':') == std::string::npos ? 0 : symbol.rfind(':') + 1) +
                "("),
            std::string::npos)
            << "docs/life-of-a-message.md: " << symbol << "() is not in " << file;
      }
      open = line.find('`', close + 1);
    }
  }
  EXPECT_GE(pairs, 10u);
}

}  // namespace
}  // namespace hy::tidy
