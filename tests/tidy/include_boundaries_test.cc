#include <gtest/gtest.h>

#include <map>

#include "tests/tidy/source_tree.h"

/// Who may include whom (docs/style.md §3). Every edge that is not listed is an error: the layers
/// are what lets a library be replaced in one folder, and a core run in a simulator.
namespace hy::tidy {
namespace {

struct Rule {
  std::string_view folder;                  ///< longest match decides
  std::vector<std::string_view> own;        ///< prefixes of our includes, besides the folder itself
  std::vector<std::string_view> libraries;  ///< prefixes of third-party includes
};

const std::vector<std::string_view> kDaemonRoot = {"common/", "hy/"};

const std::vector<Rule>& rules() {
  static const std::vector<Rule> kRules = {
      {"common/base", {}, {}},
      {"common/hooks", {"common/base"}, {}},
      {"common/flat", {"common/base"}, {"absl/container", "absl/hash"}},
      {"common/flow", {"common/base", "common/flat", "common/obs/trace.h"}, {}},
      {"common/rpc/core", {"common/base", "common/flat", "common/flow", "common/obs/trace.h"}, {}},
      {"common/config", {"common/base"}, {"toml++/", "CLI/", "fmt/"}},
      {"common/obs", {"common/base"}, {"spdlog/", "fmt/", "prometheus/"}},
      {"common/crypto", {"common/base"}, {"openssl/", "sodium.h", "argon2.h"}},
      {"common/sqlite", {"common/base"}, {"sqlite3.h", "fmt/"}},
      {"common/wire",
       {"common/base", "common/crypto", "hy/client/v1", "hy/common/v1"},
       {"zstd.h", "google/protobuf"}},
      {"common/net",
       {"common/base", "common/obs", "common/flow"},
       {"boost/asio", "boost/system", "fmt/"}},
      {"common/http", {"common/base", "common/obs", "common/net"}, {"boost/beast", "fmt/"}},
      {"common/admin",
       {"common/base", "common/obs", "common/net", "common/http", "common/config"},
       {"fmt/"}},
      {"common/rpc",
       {"common/base", "common/flow", "common/obs", "common/rpc/core", "hy/"},
       {"absl/synchronization", "grpcpp/", "grpc/", "google/protobuf", "fmt/"}},
      {"entry/session",
       {"common/base", "common/flat", "common/flow", "common/obs", "common/wire", "common/crypto",
        "entry/"},
       {}},
      {"entry/link", {"common/base", "common/flat", "common/flow", "common/obs", "entry/"}, {}},
      {"entry/ports", {"common/base", "common/flow", "common/obs", "entry/"}, {}},
      {"entry/net",
       {"common/base", "common/flat", "common/flow", "common/obs", "common/net", "common/wire",
        "common/crypto", "entry/"},
       {}},
      {"entry/rpc",
       {"common/base", "common/flat", "common/flow", "common/obs", "common/rpc", "entry/", "hy/"},
       {"fmt/"}},
      {"logic/command",
       {"common/base", "common/flat", "common/flow", "common/obs", "common/wire", "common/crypto",
        "logic/", "hy/client/v1", "hy/common/v1"},
       {"google/protobuf"}},
      {"logic/domain",
       {"common/base", "common/flat", "common/flow", "common/obs", "common/crypto",
        "common/wire/token.h", "common/wire/grant.h", "logic/"},
       {}},
      {"logic/session", {"common/base", "common/flat", "common/flow", "common/obs", "logic/"}, {}},
      {"logic/delivery",
       {"common/base", "common/flat", "common/flow", "common/obs", "common/wire", "logic/",
        "hy/client/v1"},
       {}},
      {"logic/sync",
       {"common/base", "common/flat", "common/flow", "common/obs", "logic/", "hy/client/v1"},
       {}},
      {"logic/ports", {"common/base", "common/flat", "common/flow", "common/obs", "logic/"}, {}},
      {"logic/rpc",
       {"common/base", "common/flat", "common/flow", "common/obs", "common/rpc", "common/wire",
        "common/crypto", "logic/", "hy/"},
       {"fmt/"}},
      {"router/placement",
       {"common/base", "common/flat", "common/flow", "common/obs", "router/"},
       {}},
      {"router/link", {"common/base", "common/flat", "common/flow", "common/obs", "router/"}, {}},
      {"router/lease", {"common/base", "common/flat", "common/flow", "common/obs", "router/"}, {}},
      {"router/deliver",
       {"common/base", "common/flat", "common/flow", "common/obs", "router/"},
       {}},
      {"router/ports", {"common/base", "common/flow", "common/obs", "router/"}, {}},
      {"router/rpc",
       {"common/base", "common/flat", "common/flow", "common/obs", "common/rpc", "router/", "hy/"},
       {"fmt/"}},
      {"das/storage", {"common/base", "common/flat", "common/flow", "common/obs", "das/"}, {}},
      {"das/append",
       {"common/base", "common/flat", "common/flow", "common/obs", "das/storage", "das/append"},
       {}},
      {"das/cache", {"common/base", "common/flat", "common/flow", "common/obs", "das/storage"}, {}},
      {"das/lane",
       {"common/base", "common/flat", "common/flow", "common/obs", "das/storage", "das/append",
        "das/cache"},
       {"fmt/"}},
      {"das/engines/mysql",
       {"common/base", "common/flat", "common/flow", "common/obs", "das/storage", "das/cache",
        "das/append"},
       {"cppconn/", "hiredis/", "fmt/"}},
      {"das/engines/embedded",
       {"common/base", "common/flat", "common/flow", "common/obs", "common/sqlite", "das/storage",
        "das/cache", "das/append"},
       {"fmt/"}},
      {"das/engines", {"common/base", "common/flow", "common/obs", "das/"}, {"fmt/"}},
      {"das/rpc",
       {"common/base", "common/flat", "common/flow", "common/obs", "common/rpc", "das/", "hy/"},
       {"fmt/"}},
      {"client/core",
       {"common/base", "common/flat", "common/flow", "common/obs", "common/wire", "common/crypto",
        "client/core", "client/sdk/hongyan.hpp", "hy/client/v1"},
       {}},
      {"client/judge", {"common/base", "common/flat"}, {"fmt/"}},
      {"client/judge/file", {"common/base", "client/judge"}, {"fmt/", "nlohmann/", "CLI/"}},
      {"client/sdk/store", {"common/base", "common/sqlite", "client/core", "client/sdk"}, {}},
      {"client/sdk",
       {"common/base", "common/flat", "common/flow", "common/obs", "common/net", "common/wire",
        "common/crypto", "client/", "hy/client/v1"},
       {}},
      {"client/load", {"common/", "client/", "hy/client/v1"}, {"fmt/"}},
      {"client/bench",
       {"common/base", "common/flat", "common/http", "common/net", "common/crypto", "client/load",
        "client/judge"},
       {"fmt/", "nlohmann/", "zlib.h"}},
      {"client/cli", {"common/", "client/", "hy/"}, {"CLI/", "fmt/"}},
      {"entry", {"common/", "entry/"}, {"fmt/"}},
      {"logic", {"common/", "logic/"}, {"fmt/", "google/protobuf"}},
      {"router", {"common/", "router/"}, {"fmt/"}},
      {"das", {"common/", "das/"}, {"fmt/"}},
  };
  return kRules;
}

const Rule* rule_of(std::string_view path) {
  const Rule* best = nullptr;
  for (const Rule& rule : rules()) {
    const bool below = path.starts_with(rule.folder) && path.size() > rule.folder.size() &&
                       path[rule.folder.size()] == '/';
    if (below && (best == nullptr || rule.folder.size() > best->folder.size())) best = &rule;
  }
  return best;
}

/// Headers of the C++ standard library have no dot and no slash; the few C and POSIX headers are
/// named.
bool is_standard(std::string_view include) {
  if (include.find('.') == std::string_view::npos && include.find('/') == std::string_view::npos)
    return true;
  return starts_with_any(include,
                         {"sys/",    "netinet/", "arpa/",    "unistd.h",   "fcntl.h", "signal.h",
                          "poll.h",  "time.h",   "errno.h",  "pwd.h",      "grp.h",   "termios.h",
                          "wchar.h", "locale.h", "stdlib.h", "langinfo.h", "linux/",  "spawn.h",
                          "sched.h", "dirent.h", "netdb.h",  "pthread.h"});
}

/// "" when the edge is fine, else why it is not.
std::string judge(const std::string& path, std::string_view include, bool quoted) {
  const Rule* rule = rule_of(path);
  if (rule == nullptr) return {};
  if (quoted) {
    const bool own = include.starts_with(std::string(rule->folder) + "/") ||
                     starts_with_any(include, rule->own) ||
                     starts_with_any(include, rule->libraries);
    return own ? std::string{}
               : "may not include " + std::string(include) +
                     " (docs/style.md, who may include whom)";
  }
  if (is_standard(include) || starts_with_any(include, rule->libraries)) return {};
  return "may not include <" + std::string(include) + ">: each library lives in one folder";
}

TEST(IncludeBoundaries, EveryEdgeIsListed) {
  std::size_t edges = 0;
  for (const SourceFile& file : source_files({".h", ".hpp", ".cc"})) {
    if (file.path.starts_with("tests/")) continue;
    ASSERT_NE(rule_of(file.path), nullptr) << file.path << ": no rule for this folder";
    for (std::size_t i = 0; i < file.lines.size(); ++i) {
      const std::string& line = file.lines[i];
      if (!line.starts_with("#include ")) continue;
      const bool quoted = line.find('"') != std::string::npos;
      const std::size_t from = line.find_first_of("\"<") + 1;
      const std::size_t to = line.find_first_of("\">", from);
      ++edges;
      EXPECT_EQ(judge(file.path, std::string_view(line).substr(from, to - from), quoted), "")
          << file.path << ":" << i + 1;
    }
  }
  EXPECT_GT(edges, 300u) << "the walk found too few includes to mean anything";
}

TEST(IncludeBoundaries, TheJudgeRefusesWhatItShould) {
  EXPECT_NE(judge("entry/session/conn_fsm.cc", "boost/asio.hpp", false), "");
  EXPECT_NE(judge("logic/command/sync.cc", "das/storage/types.h", true), "");
  EXPECT_NE(judge("router/deliver/x.cc", "grpcpp/grpcpp.h", false), "");
  EXPECT_NE(judge("common/base/ids.h", "common/wire/inner.h", true), "");
  EXPECT_NE(judge("das/lane/lane.cc", "sqlite3.h", false), "");
  EXPECT_EQ(judge("entry/session/conn_fsm.cc", "vector", false), "");
}

}  // namespace
}  // namespace hy::tidy
