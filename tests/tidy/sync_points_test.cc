#include <gtest/gtest.h>

#include <map>
#include <regex>
#include <set>

#include "common/hooks/sync_points.h"
#include "tests/tidy/source_tree.h"

/// The list of named places (common/hooks/sync_points.h) and the places themselves do not part.
namespace hy::tidy {
namespace {

constexpr std::size_t kPlacesWanted = 44;

/// name → where sync_point("name") is called, in the product.
std::map<std::string, std::vector<std::string>> calls() {
  static const std::regex kCall(R"re(\bsync_point\("([^"]*)"\))re");
  std::map<std::string, std::vector<std::string>> out;
  for (const SourceFile& file : source_files({".cc", ".h", ".hpp"})) {
    if (starts_with_any(file.path, {"tests/", "common/base/", "common/hooks/"})) continue;
    for (std::size_t i = 0; i < file.lines.size(); ++i) {
      std::smatch match;
      if (std::regex_search(file.lines[i], match, kCall))
        out[match[1]].push_back(file.path + ":" + std::to_string(i + 1));
    }
  }
  return out;
}

TEST(SyncPoints, EveryNameOfTheListStandsAtExactlyOnePlace) {
  const auto places = calls();
  for (const hooks::SyncPoint& point : hooks::kSyncPoints) {
    const auto at = places.find(std::string(point.name));
    if (at == places.end()) {
      ADD_FAILURE() << point.name << " is in the list and nowhere in the sources";
    } else {
      EXPECT_EQ(at->second.size(), 1U)
          << point.name << " stands at " << at->second.front() << " and " << at->second.back();
    }
  }
}

TEST(SyncPoints, EveryPlaceIsInTheListUnderItsTier) {
  std::set<std::string_view> names;
  for (const hooks::SyncPoint& point : hooks::kSyncPoints) {
    EXPECT_TRUE(names.insert(point.name).second) << point.name << " is listed twice";
    EXPECT_LE(point.name.size(), hooks::kPointNameMax);
  }
  EXPECT_GE(names.size(), kPlacesWanted);
  for (const auto& [name, where] : calls()) {
    EXPECT_TRUE(names.contains(name)) << name << " at " << where.front() << " is not in the list";
    const std::string folder = where.front().substr(0, where.front().find('/'));
    EXPECT_EQ(hooks::tier_of(name), folder == "client" ? "sdk" : folder) << where.front();
  }
}

}  // namespace
}  // namespace hy::tidy
