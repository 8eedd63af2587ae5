#include "common/base/test_hooks.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/support/with_mutant.h"

namespace hy {
namespace {

#if defined(HY_TEST_HOOKS)

std::string last_point;

TEST(TestHooks, OneMutantIsOnAtATime) {
  {
    const WithMutant on(Mutant::kGapNotChecked);
    EXPECT_TRUE(mutant(Mutant::kGapNotChecked));
    EXPECT_FALSE(mutant(Mutant::kNoDeduplication));
  }
  const WithMutant off(Mutant::kNone);
  EXPECT_FALSE(mutant(Mutant::kGapNotChecked));
}

TEST(TestHooks, APointTellsItsName) {
  sync_point("nobody.listens");
  set_sync_point_handler([](std::string_view name) { last_point = name; });
  sync_point("here.it_is");
  set_sync_point_handler(nullptr);
  sync_point("nobody.listens");
  EXPECT_EQ(last_point, "here.it_is");
}

#else

static_assert(!mutant(Mutant::kGapNotChecked), "nothing of the hooks ships");

TEST(TestHooks, AreConstantWhereTheyAreNotBuilt) {
  sync_point("nothing.happens");
  EXPECT_FALSE(mutant(Mutant::kAckBeforeCommit));
}

#endif

}  // namespace
}  // namespace hy
