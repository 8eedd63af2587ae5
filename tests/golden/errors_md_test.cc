// docs/reference/errors.md is what the error table renders. HY_GOLDEN_WRITE=1 writes the file.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "common/base/error.h"

namespace hy {
namespace {

std::string_view range_title(unsigned thousand) {
  constexpr std::string_view kTitles[] = {
      "",
      "HY-1xxx: frames, handshake, bodies",
      "HY-2xxx: login, session",
      "HY-3xxx: messages",
      "HY-4xxx: people and groups",
      "HY-5xxx: das and stores",
      "HY-6xxx: placement",
      "HY-7xxx: limits, overload, drain",
      "HY-8xxx: configuration",
      "HY-9xxx: tools",
  };
  return kTitles[thousand];
}

std::string_view level_text(ErrorLevel level) {
  constexpr std::string_view kNames[] = {"debug", "info", "warn", "error"};
  return kNames[static_cast<std::size_t>(level)];
}

std::string cell(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '|') out += '\\';
    out += c;
  }
  return out;
}

std::string rendered() {
  std::string out =
      "# Errors\n\n"
      "Generated from the table in `common/base/error.cc`; do not edit. The number on the wire is "
      "the number on the\nscreen, and is fixed once shipped. Outcome *unknown*: the work may have "
      "been done; the same ids are sent again.\nA code that a build does not know is treated by "
      "the usual rule of its range.\n";
  unsigned range = 0;
  for (const auto& row : error_table()) {
    const auto number = static_cast<unsigned>(row.code);
    if (number == 0) continue;
    if (number / 1'000 != range) {
      range = number / 1'000;
      out +=
          "\n## " + std::string(range_title(range)) + "\n\n" +
          "| Code | Name | Scope | Outcome | Retry | gRPC | Level | What happened | What to do |\n"
          "|---|---|---|---|---|---|---|---|---|\n";
    }
    out += "| " + error_code_text(row.code) + " | `" + std::string(row.name) + "` | " +
           std::string(scope_name(row.scope)) + " | " +
           (row.outcome == Outcome::kUnknown ? "unknown" : "not done") + " | " +
           std::string(retry_rule_name(row.retry)) + " | " + std::to_string(row.grpc_code) + " | " +
           std::string(level_text(row.level)) + " | " + cell(row.text) + " | " +
           cell(row.what_to_do) + " |\n";
  }
  return out;
}

TEST(Golden, ErrorsReferenceIsTheTable) {
  const std::string path = std::string(HY_SOURCE_DIR) + "/docs/reference/errors.md";
  const auto want = rendered();
  if (std::getenv("HY_GOLDEN_WRITE") != nullptr) {
    std::ofstream(path) << want;
    return;
  }
  std::stringstream have;
  have << std::ifstream(path).rdbuf();
  EXPECT_EQ(have.str(), want) << "run with HY_GOLDEN_WRITE=1 and commit docs/reference/errors.md";
}

}  // namespace
}  // namespace hy
