// deploy/hongyan.toml and docs/reference/config.md are what the declared properties render.
// HY_GOLDEN_WRITE=1 writes both.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "common/config/command_line.h"
#include "common/config/render.h"
#include "common/config/toml_loader.h"
#include "das/config.h"
#include "entry/config.h"
#include "logic/config.h"
#include "router/config.h"

namespace hy {
namespace {

std::vector<config::Property> all_properties() {
  std::vector<config::Property> out = config::with_common({});
  const auto add = [&out](std::span<const config::Property> more) {
    out.insert(out.end(), more.begin(), more.end());
  };
  add(entry::daemon_spec().properties);
  add(logic::properties());
  add(router::daemon_spec().properties);
  add(das::daemon_spec().properties);
  return out;
}

std::string path_of(const char* name) {
  return std::string(HY_SOURCE_DIR) + "/" + name;
}

std::string content(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void expect_golden(const char* name, const std::string& rendered) {
  if (std::getenv("HY_GOLDEN_WRITE") != nullptr) std::ofstream(path_of(name)) << rendered;
  EXPECT_EQ(content(path_of(name)), rendered)
      << name << " is out of date: HY_GOLDEN_WRITE=1 build/dev/tests/golden";
}

TEST(ConfigFiles, DefaultFileIsCurrent) {
  expect_golden("deploy/hongyan.toml", config::render_default_file(all_properties()));
}

TEST(ConfigFiles, ReferenceIsCurrent) {
  expect_golden("docs/reference/config.md", config::render_reference(all_properties()));
}

TEST(ConfigFiles, EveryKeyIsDeclaredOnceAndExplained) {
  std::vector<std::string_view> keys;
  for (const config::Property& p : all_properties()) {
    EXPECT_FALSE(p.sentence.empty()) << p.key;
    EXPECT_TRUE(p.sentence.ends_with(".")) << p.key;
    keys.push_back(p.key);
  }
  std::ranges::sort(keys);
  EXPECT_EQ(std::ranges::adjacent_find(keys), keys.end());
}

TEST(ConfigFiles, TheShippedTopologyIsValid) {
  const auto topology = config::load_topology(path_of("deploy/topology.toml"));
  ASSERT_TRUE(topology) << config::render(topology.error());
  EXPECT_EQ(topology->address("sh", config::Role::kEntry, "a").value_or(""), "127.0.0.1:14000");
}

}  // namespace
}  // namespace hy
