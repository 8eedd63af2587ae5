#include <gtest/gtest.h>

#include "tests/tidy/source_tree.h"

/// What a reviewer would otherwise have to remember.
namespace hy::tidy {
namespace {

struct Ban {
  std::string_view text;
  std::string_view instead;
  std::vector<std::string_view> only_in;  ///< empty: everywhere outside tests
  std::vector<std::string_view> except;
};

const std::vector<std::string_view> kCores = {
    "entry/session/",  "entry/link/",      "logic/command/",    "logic/domain/", "logic/session/",
    "logic/delivery/", "logic/sync/",      "router/placement/", "router/link/",  "router/lease/",
    "router/deliver/", "das/storage/",     "das/append/",       "das/cache/",    "client/core/",
    "client/judge/",   "common/rpc/core/", "common/flow/"};

const std::vector<Ban>& bans() {
  static const std::vector<Ban> kBans = {
      {"->commit()",
       "execute(\"COMMIT\"): the connector's commit() returns normally on a dead connection",
       {"das/engines/mysql/"},
       {}},
      {"->rollback()", "execute(\"ROLLBACK\")", {"das/engines/mysql/"}, {}},
      {"setAutoCommit(", "execute(\"START TRANSACTION\")", {}, {}},
      {"OPT_RECONNECT", "discard the connection and open another", {}, {}},
      {"INSERT IGNORE", "a checked INSERT: IGNORE cuts strings and hides errors", {}, {}},
      {"std::regex", "a hand-written scan or a library parser", {}, {}},
      {"std::async", "a named thread with an owner", {}, {}},
      {".detach()", "a joined thread with an owner", {}, {}},
      {"std::random_device", "hy::Random", {}, {"common/crypto/"}},
      {"sleep_for", "wait for the event, with a bound", {}, {}},
      {"usleep(", "wait for the event, with a bound", {}, {}},
      {"atomic<std::shared_ptr",
       "a mutex and a version counter (ThreadSanitizer reports a race inside libstdc++ 12)",
       {},
       {}},
      {"_clock::now", "time as an argument", kCores, {}},
      {"getenv", "configuration as an argument", kCores, {}},
      {"this_thread", "cores have no threads", kCores, {}},
      {"std::mutex", "cores have no threads", kCores, {}},
      {"std::rand", "hy::Random", {}, {}},
  };
  return kBans;
}

bool applies(const Ban& ban, const std::string& path) {
  if (starts_with_any(path, ban.except)) return false;
  return ban.only_in.empty() || starts_with_any(path, ban.only_in);
}

std::string code_of(const std::string& line) {
  const std::size_t comment = line.find("//");
  return comment == std::string::npos ? line : line.substr(0, comment);
}

TEST(SourceRules, NoBannedCalls) {
  for (const SourceFile& file : source_files({".h", ".hpp", ".cc"})) {
    if (file.path.starts_with("tests/")) continue;
    for (std::size_t i = 0; i < file.lines.size(); ++i) {
      const std::string code = code_of(file.lines[i]);
      for (const Ban& ban : bans()) {
        if (!applies(ban, file.path)) continue;
        EXPECT_EQ(code.find(ban.text), std::string::npos)
            << file.path << ":" << i + 1 << ": " << ban.text << " is banned; use " << ban.instead;
      }
    }
  }
}

/// Files that may be longer than the rule, each with its reason.
bool may_be_long(const std::string& path) {
  return path == "common/base/error.cc";  // one table, four lines a row
}

TEST(SourceRules, FilesStayReadable) {
  for (const SourceFile& file : source_files({".h", ".hpp", ".cc"})) {
    const std::size_t limit = file.path.starts_with("tests/") || may_be_long(file.path) ? 800 : 500;
    EXPECT_LE(file.lines.size(), limit) << file.path << ": split it";
  }
}

TEST(SourceRules, HeadersHavePragmaOnce) {
  for (const SourceFile& file : source_files({".h", ".hpp"})) {
    ASSERT_FALSE(file.lines.empty()) << file.path;
    EXPECT_EQ(file.lines.front(), "#pragma once") << file.path;
  }
}

TEST(SourceRules, NothingIsLeftUnfinishedByItsOwnWords) {
  for (const SourceFile& file : source_files({".h", ".hpp", ".cc", ".proto", ".sh", ".md"})) {
    if (file.path.starts_with("tests/tidy/")) continue;
    for (std::size_t i = 0; i < file.lines.size(); ++i) {
      for (const std::string_view word : {"TODO", "FIXME", "XXX:"}) {
        EXPECT_EQ(file.lines[i].find(word), std::string::npos) << file.path << ":" << i + 1;
      }
    }
  }
}

/// Every core source has a unit test that mirrors it, or a reason.
TEST(SourceRules, CoresHaveTests) {
  const auto tests = source_files({"_test.cc"});
  for (const SourceFile& file : source_files({".cc"})) {
    if (!starts_with_any(file.path, kCores)) continue;
    if (file.path.starts_with("client/judge/file/")) continue;  // the I/O beside that core
    const std::string stem =
        file.path.substr(file.path.rfind('/') + 1, file.path.size() - file.path.rfind('/') - 4);
    const bool named = std::ranges::any_of(tests, [&](const SourceFile& t) {
      return std::ranges::any_of(t.lines, [&](const std::string& l) {
        return l.find("/" + stem + ".h\"") != std::string::npos;
      });
    });
    EXPECT_TRUE(named) << file.path << ": no test includes its header";
  }
}

}  // namespace
}  // namespace hy::tidy
