#include "das/storage/schema.h"

#include <gtest/gtest.h>

#include <array>

#include "das/engines/embedded/migrations.h"

namespace hy::das {
namespace {

constexpr std::array<Migration, 2> kKnown{Migration{1, "0001_a", "aa", "x"},
                                          Migration{2, "0002_b", "bb", "y"}};

Errc judged(const std::vector<AppliedMigration>& applied) {
  const auto status = judge_schema(kKnown, applied);
  return status ? Errc::kOk : status.error().code;
}

TEST(Schema, IsJudgedByVersionAndChecksum) {
  EXPECT_EQ(judged({}), Errc::kSchemaTooOld);
  EXPECT_EQ(judged({{1, "aa", 0}}), Errc::kSchemaTooOld);
  EXPECT_EQ(judged({{2, "bb", 0}, {1, "aa", 0}}), Errc::kOk);
  EXPECT_EQ(judged({{1, "aa", 0}, {2, "bb", 0}, {3, "cc", 0}}), Errc::kSchemaTooNew);
  EXPECT_EQ(judged({{1, "zz", 0}, {2, "bb", 0}}), Errc::kSchemaBroken);
  EXPECT_EQ(judged({{2, "bb", 0}}), Errc::kSchemaBroken) << "a hole";
  EXPECT_EQ(judged({{1, "zz", 0}, {2, "bb", 0}, {3, "cc", 0}}), Errc::kSchemaBroken);
}

TEST(Schema, StatusNamesWhatIsPending) {
  const std::vector<AppliedMigration> applied{{1, "aa", 0}};
  const auto status = schema_status(kKnown, applied);
  EXPECT_EQ(status.current, 1U);
  EXPECT_EQ(status.expected, 2U);
  EXPECT_EQ(status.pending, std::vector<std::string>{"0002_b"});
}

TEST(Schema, StatementsAreSplitAtLineEndsWithoutComments) {
  const auto statements = split_statements(
      "-- all; of it\nCREATE TABLE a (\n  -- why;\n  x INT\n);\n\nCREATE b; \nlast");
  ASSERT_EQ(statements.size(), 3U);
  EXPECT_EQ(statements[0], "CREATE TABLE a (\n  x INT\n)");
  EXPECT_EQ(statements[1], "CREATE b");
  EXPECT_EQ(statements[2], "last");
}

TEST(Schema, TheBuiltInStepsAreNumberedAndChecksummed) {
  std::uint32_t version = 0;
  for (const Migration& step : embedded::kMigrations) {
    EXPECT_EQ(step.version, ++version);
    EXPECT_EQ(step.sha256.size(), 64U);
    EXPECT_GT(split_statements(step.sql).size(), 0U);
  }
  EXPECT_GE(version, 1U);
}

}  // namespace
}  // namespace hy::das
