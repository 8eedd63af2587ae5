#include "common/base/error.h"

#include <gtest/gtest.h>

#include <cctype>
#include <set>
#include <string>

#include "common/base/result.h"

namespace hy {
namespace {

TEST(ErrorTable, EveryRowCanBeActedOn) {
  std::set<std::string_view> names;
  unsigned last = 0;
  for (const auto& row : error_table()) {
    const auto code = error_code_text(row.code);
    EXPECT_TRUE(names.insert(row.name).second) << code << ": name twice";
    EXPECT_FALSE(row.text.empty()) << code;
    EXPECT_FALSE(row.what_to_do.empty()) << code;
    EXPECT_FALSE(row.text.ends_with('.')) << code << ": details are appended to the text";
    EXPECT_GE(row.grpc_code, 0) << code;
    EXPECT_LE(row.grpc_code, 16) << code;
    for (const char c : row.name)
      EXPECT_TRUE(std::islower(static_cast<unsigned char>(c)) ||
                  std::isdigit(static_cast<unsigned char>(c)) || c == '_')
          << code << " " << row.name;
    const auto number = static_cast<unsigned>(row.code);
    if (last != 0) {
      EXPECT_GT(number, last) << "ascending";
    }
    last = number;
  }
}

TEST(ErrorTable, RulesAgreeWithEachOther) {
  for (const auto& row : error_table()) {
    const auto number = static_cast<unsigned>(row.code);
    const auto code = error_code_text(row.code);
    if (number / 1'000 == 8) {
      EXPECT_EQ(row.outcome, Outcome::kNotDone) << code << ": nothing was started";
    }
    if (row.outcome == Outcome::kUnknown) {
      EXPECT_NE(row.retry, RetryRule::kNever) << code << ": an unknown outcome is asked again";
    }
    if (number != 0) {
      EXPECT_NE(row.grpc_code, 0) << code << ": gRPC code 0 is success";
    }
    EXPECT_FALSE(retry_rule_name(row.retry).empty());
    EXPECT_FALSE(scope_name(row.scope).empty());
  }
}

TEST(ErrorTable, ACodeFromANewerPeerGetsTheRuleOfItsRange) {
  const auto& row = error_info(static_cast<Errc>(7'999));
  EXPECT_EQ(row.retry, RetryRule::kLater);
  EXPECT_EQ(error_info(static_cast<Errc>(3'998)).retry, RetryRule::kNever);
  EXPECT_FALSE(error_info(static_cast<Errc>(65'535)).text.empty());
}

TEST(ErrorTable, TextsShowCodeAndDetail) {
  EXPECT_EQ(error_code_text(Errc::kRateLimited), "HY-7001");
  const auto text = error_text(Errc::kRateLimited, "5/s per user");
  EXPECT_TRUE(text.starts_with("HY-7001 ")) << text;
  EXPECT_TRUE(text.ends_with(": 5/s per user")) << text;
}

Result<int> half(int n) {
  if (n % 2 != 0) return fail(Errc::kConflict, "odd", std::chrono::milliseconds(5));
  return n / 2;
}
Result<int> quarter(int n) {
  HY_TRY(const int h, half(n));
  HY_TRY(const int q, half(h));
  return q;
}

TEST(Result, TryReturnsTheFirstError) {
  EXPECT_EQ(*quarter(8), 2);
  const auto bad = quarter(6);
  ASSERT_FALSE(bad.has_value());
  EXPECT_EQ(bad.error().code, Errc::kConflict);
  EXPECT_EQ(bad.error().detail, "odd");
  EXPECT_EQ(bad.error().retry_after, std::chrono::milliseconds(5));
}

}  // namespace
}  // namespace hy
