#include "client/cli/profile.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/cli/private_folder.h"
#include "tests/unit/client/cli/temp_folder.h"

namespace hy::cli {
namespace {

class ProfileTest : public testing::Test {
 protected:
  void SetUp() override {
    ::setenv("XDG_RUNTIME_DIR", folder.path().c_str(), 1);
    ::setenv("HY_HOME", (folder.path() / "home").c_str(), 1);
    ::unsetenv("HY_PROFILE");
    ::unsetenv("HY_USER");
    layout.folder = folder.path() / "demo";
    layout.server_key_hex = std::string(64, 'a');
    layout.daemons = {{"entry", "a", "127.0.0.1:14000", "127.0.0.1:14001"},
                      {"logic", "a", "unix:/d/l.sock", "127.0.0.1:14101"}};
  }
  void TearDown() override {
    ::unsetenv("XDG_RUNTIME_DIR");
    ::unsetenv("HY_HOME");
  }
  TempFolder folder;
  ClusterLayout layout;
};

TEST_F(ProfileTest, AnAnnouncedClusterIsFoundWhileItsProcessLives) {
  ASSERT_TRUE(announce(layout, "demo-1"));
  const auto target = find_target("");
  ASSERT_TRUE(target) << target.error().detail;
  EXPECT_EQ(target->name, "demo-1");
  EXPECT_EQ(target->entries, std::vector<std::string>{"127.0.0.1:14000"});
  EXPECT_EQ(target->server_key.size(), 32u);
  const auto access = operator_access(*target);
  ASSERT_TRUE(access);
  EXPECT_EQ(access->logics, std::vector<std::string>{"unix:/d/l.sock"});
}

TEST_F(ProfileTest, TheAnnouncementOfADeadProcessIsRemoved) {
  const auto file = announce(layout, "demo-1");
  ASSERT_TRUE(file);
  constexpr pid_t kNobody = 4'194'304;  // above the kernel's largest
  ASSERT_TRUE(write_private(*file, announcement_text(layout, "demo-1", kNobody)));
  EXPECT_TRUE(running_clusters()->empty());
  EXPECT_FALSE(std::filesystem::exists(*file));
  const auto target = find_target("");
  ASSERT_FALSE(target);
  EXPECT_EQ(target.error().code, Errc::kUnknownProfile);
}

TEST_F(ProfileTest, AReusedProcessIdIsNotOurCluster) {
  std::string text = announcement_text(layout, "demo-1", ::getpid());
  const auto at = text.find("start\t");
  text.replace(at, text.find('\n', at) - at, "start\t1");
  const auto parsed = parse_announcement(text);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->pid, -1);
}

TEST_F(ProfileTest, AnUnknownNameSaysNearOnesAndContactsNothing) {
  ASSERT_TRUE(announce(layout, "prod"));
  const auto target = find_target("prdo");
  ASSERT_FALSE(target);
  EXPECT_EQ(target.error().code, Errc::kUnknownProfile);
  EXPECT_NE(target.error().detail.find("near: prod"), std::string::npos) << target.error().detail;
  EXPECT_NE(target.error().detail.find("Nothing was contacted"), std::string::npos);
}

TEST_F(ProfileTest, SeveralClustersMustBeNamed) {
  ASSERT_TRUE(announce(layout, "one"));
  ASSERT_TRUE(announce(layout, "two"));
  EXPECT_FALSE(find_target(""));
  EXPECT_TRUE(find_target("two"));
}

TEST_F(ProfileTest, ASavedProfileIsFoundAgain) {
  ASSERT_TRUE(save_profile("prod", {"203.0.113.10:14000"}, std::string(64, 'b')));
  const auto target = find_target("prod");
  ASSERT_TRUE(target);
  EXPECT_EQ(target->entries, std::vector<std::string>{"203.0.113.10:14000"});
  EXPECT_FALSE(target->running);
  EXPECT_FALSE(operator_access(*target));
  EXPECT_FALSE(save_profile("prod", {"x"}, "short"));
  EXPECT_FALSE(save_profile("../prod", {"x"}, std::string(64, 'b')));
}

TEST_F(ProfileTest, AKeptPersonComesBackWithTokenAndPrivateFiles) {
  Target target{"t", {}, {}, folder.path() / "people", {}};
  Person alice;
  alice.name = "alice";
  alice.uid = Uid{7};
  alice.slot = Slot::kDesktop;
  alice.token = Bytes(144, '\x01');
  ASSERT_TRUE(keep_person(target, alice));
  const auto known = find_person(target, "", Slot::kDesktop);
  ASSERT_TRUE(known);
  EXPECT_EQ(known->name, "alice");
  EXPECT_EQ(known->uid, Uid{7});
  EXPECT_EQ(known->token, alice.token);
  struct stat info{};
  ::stat((target.people / "alice" / "token-desktop").c_str(), &info);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  // Only a desktop token is kept: another verb uses it, on its own slot.
  const auto other = find_person(target, "alice", Slot::kOther);
  ASSERT_TRUE(other);
  EXPECT_EQ(other->slot, Slot::kDesktop);
  ASSERT_TRUE(forget_person(target, "alice"));
  EXPECT_FALSE(find_person(target, "alice", Slot::kDesktop));
}

TEST_F(ProfileTest, NamesThatLeadElsewhereAreRefused) {
  Target target{"t", {}, {}, folder.path() / "people", {}};
  for (const char* name : {"../x", "a/b", ".", ".."}) {
    EXPECT_FALSE(find_person(target, name, Slot::kPhone)) << name;
    EXPECT_FALSE(forget_person(target, name)) << name;
  }
}

TEST_F(ProfileTest, TheJanitorRemovesWhenItsOwnerIsGone) {
  const auto doomed = folder.path() / "doomed";
  std::filesystem::create_directories(doomed / "deep");
  {
    const auto janitor = Janitor::start({doomed}, {});
    ASSERT_TRUE(janitor);
    EXPECT_TRUE(std::filesystem::exists(doomed));
  }
  EXPECT_FALSE(std::filesystem::exists(doomed));
}

TEST_F(ProfileTest, AFolderOfSomebodyElseIsNotPrivate) {
  std::filesystem::create_symlink("/tmp", folder.path() / "link");
  EXPECT_FALSE(make_private(folder.path() / "link"));
}

}  // namespace
}  // namespace hy::cli
