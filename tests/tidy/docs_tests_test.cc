#include <gtest/gtest.h>

#include <regex>
#include <set>
#include <string>

#include "tests/tidy/source_tree.h"

/// Pages claim that a test shows something: the test has to exist under that very name.
namespace hy::tidy {
namespace {

std::set<std::string> test_names() {
  static const std::regex kTest(R"(^(TEST|TEST_F|TEST_P)\((\w+),\s*(\w+)\))");
  std::set<std::string> names;
  for (const SourceFile& file : source_files({".cc"})) {
    if (!file.path.starts_with("tests/")) continue;
    for (std::size_t i = 0; i < file.lines.size(); ++i) {
      // A long head goes on in the next line.
      const bool is_head = file.lines[i].starts_with("TEST");
      if (!is_head) continue;
      std::string head = file.lines[i];
      if (head.find(')') == std::string::npos && i + 1 < file.lines.size()) {
        head += file.lines[i + 1];
      }
      std::smatch match;
      if (std::regex_search(head, match, kTest)) {
        names.insert(match[2].str() + "." + match[3].str());
      }
    }
  }
  return names;
}

TEST(DocsTests, EveryTestThatAPageNamesExists) {
  static const std::regex kQuoted(R"(`([A-Z]\w+\.[A-Z]\w+)`)");
  const std::set<std::string> known = test_names();
  ASSERT_GT(known.size(), 500u);
  std::size_t seen = 0;
  for (const SourceFile& page : source_files({".md"})) {
    for (std::size_t i = 0; i < page.lines.size(); ++i) {
      const std::string& line = page.lines[i];
      for (std::sregex_iterator it(line.begin(), line.end(), kQuoted), end; it != end; ++it) {
        ++seen;
        EXPECT_TRUE(known.contains((*it)[1].str()))
            << page.path << ":" << i + 1 << ": no test " << (*it)[1].str();
      }
    }
  }
  EXPECT_GT(seen, 30u);
}

}  // namespace
}  // namespace hy::tidy
