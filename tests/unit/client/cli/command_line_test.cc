#include <gtest/gtest.h>

#include <initializer_list>
#include <vector>

#include "client/cli/demo/demo.h"
#include "client/cli/talk.h"
#include "client/cli/verbs.h"
#include "tests/unit/client/cli/temp_folder.h"

namespace hy::cli {
namespace {

/// Runs hy with a private home in which nothing runs.
int hy(std::initializer_list<const char*> arguments) {
  const TempFolder folder;
  ::setenv("XDG_RUNTIME_DIR", folder.path().c_str(), 1);
  ::setenv("HY_HOME", folder.path().c_str(), 1);
  std::vector<const char*> argv{"hy"};
  argv.insert(argv.end(), arguments);
  const int code = run_command_line(static_cast<int>(argv.size()), argv.data());
  ::unsetenv("XDG_RUNTIME_DIR");
  ::unsetenv("HY_HOME");
  return code;
}

TEST(CommandLine, UsageErrorsAreTwo) {
  EXPECT_EQ(hy({}), 2);
  EXPECT_EQ(hy({"sned"}), 2);
  EXPECT_EQ(hy({"send"}), 2);
  EXPECT_EQ(hy({"send", "bob", "hi", "--wait", "tomorrow"}), 2);
  EXPECT_EQ(hy({"recv", "--timeout", "10"}), 2) << "a duration carries a unit";
  EXPECT_EQ(hy({"demo", "--script", "dance"}), 2);
  EXPECT_EQ(hy({"demo", "--script", "corpus"}), 2);
  EXPECT_EQ(hy({"demo", "--store", "oracle"}), 2);
  EXPECT_EQ(hy({"trace", "zz"}), 2);
  EXPECT_EQ(hy({"group"}), 2);
  EXPECT_EQ(hy({"group", "new"}), 2);
  EXPECT_EQ(hy({"group", "add", "7"}), 2) << "nobody to add";
  EXPECT_EQ(hy({"group", "members", "friends"}), 2) << "a group is told by its number";
}

TEST(CommandLine, HelpAndVersionAreZero) {
  EXPECT_EQ(hy({"--help"}), 0);
  EXPECT_EQ(hy({"send", "--help"}), 0);
  EXPECT_EQ(hy({"user", "import", "--help"}), 0);
  EXPECT_EQ(hy({"version"}), 0);
}

TEST(CommandLine, NoClusterIsNotFound) {
  EXPECT_EQ(hy({"send", "bob", "hi"}), 3);
  EXPECT_EQ(hy({"recv", "--profile", "nowhere"}), 3);
  EXPECT_EQ(hy({"ps"}), 3);
  EXPECT_EQ(hy({"down"}), 3);
}

TEST(CommandLine, ErrorsWorkOffline) {
  EXPECT_EQ(hy({"errors"}), 0);
  EXPECT_EQ(hy({"errors", "HY-7001"}), 0);
  EXPECT_EQ(hy({"errors", "rate_limited", "-o", "json"}), 0);
  EXPECT_EQ(hy({"errors", "HY-0001"}), 3);
}

TEST(CommandLine, AnExistingKeyIsNotOverwritten) {
  const TempFolder folder;
  const std::string file = (folder.path() / "noise.key").string();
  EXPECT_EQ(hy({"key", "new", "noise", file.c_str()}), 0);
  EXPECT_EQ(hy({"key", "new", "noise", file.c_str()}), 2);
}

TEST(GroupText, IsAPrefixAndANumberAndNothingElse) {
  EXPECT_EQ(*parse_group("group:7"), Gid{7});
  EXPECT_EQ(*parse_group("bob"), std::nullopt);
  EXPECT_EQ(*parse_group("7"), std::nullopt) << "that is a uid";
  for (const char* text :
       {"group:", "group:0", "group:-1", "group:7x", "group:9223372036854775808"})
    EXPECT_FALSE(parse_group(text)) << text;
}

TEST(GroupReachTest, CountsTheOthersWhoHaveEverythingUpToTheMessage) {
  Group group;
  group.members = {{Uid{1}, true, Seq{1}}, {Uid{2}, false, Seq{1}}, {Uid{3}, false, Seq{1}}};
  std::vector<MemberReceipt> receipts{{Uid{2}, Seq{5}, Seq{4}}, {Uid{9}, Seq{9}, Seq{9}}};
  GroupReach reach = count_reach(group, Uid{1}, receipts, Seq{5}, false);
  EXPECT_EQ(reach.reached, 1u) << "who is no member does not count";
  EXPECT_EQ(reach.others, 2u);
  EXPECT_FALSE(reach.is_all());
  EXPECT_EQ(count_reach(group, Uid{1}, receipts, Seq{5}, true).reached, 0u);
  receipts.push_back({Uid{3}, Seq{6}, Seq{0}});
  EXPECT_TRUE(count_reach(group, Uid{1}, receipts, Seq{5}, false).is_all());
}

TEST(SendExit, FollowsTheStepThatWasReached) {
  EXPECT_EQ(exit_for_step(Step::kStored, Step::kStored), Exit::kOk);
  EXPECT_EQ(exit_for_step(Step::kRead, Step::kStored), Exit::kOk);
  EXPECT_EQ(exit_for_step(Step::kStored, Step::kDelivered), Exit::kUnreachable);
  EXPECT_EQ(exit_for_step(Step::kRelayed, Step::kStored), Exit::kPartly);
  EXPECT_EQ(exit_for_step(Step::kRefused, Step::kStored), Exit::kRefused);
  EXPECT_EQ(exit_for_step(Step::kQueued, Step::kStored), Exit::kUnreachable);
  EXPECT_EQ(exit_for_step(Step::kUnsure, Step::kRead), Exit::kUnreachable);
}

}  // namespace
}  // namespace hy::cli
