#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>

#include "client/cli/demo/stage.h"

namespace hy::cli {

/// A real cluster with three people, started once for all tests of a suite and engine. The tests of
/// one suite share it, so each talks in a conversation of its own or counts relative to its start.
class ClusterTest : public testing::TestWithParam<StoreKind> {
 public:
  static void TearDownTestSuite();

 protected:
  void SetUp() override;
  void TearDown() override;

  static Cluster& cluster();
  static Stage& stage();
  /// Makes an account and returns it; `name` gets a suffix that no other test has.
  static Account make_user(const std::string& name);
  /// A client of `account`, not signed in. `store`: "" = in memory.
  static std::unique_ptr<hy::Client> make_client(const Account& account, Slot slot,
                                                 const std::string& store = {});
  static Credentials credentials_of(const Account& account);
  /// Path for a file of this test's own.
  static std::filesystem::path scratch(const std::string& name);
};

/// Why an engine cannot be tested here; empty when it can.
std::string why_not(StoreKind store);

inline std::string engine_name(const testing::TestParamInfo<StoreKind>& info) {
  return std::string(store_kind_name(info.param));
}

constexpr Millis kSoon{20'000};

}  // namespace hy::cli

#define HY_BOTH_ENGINES(Suite)                                                                    \
  INSTANTIATE_TEST_SUITE_P(                                                                       \
      Engines, Suite, testing::Values(hy::cli::StoreKind::kEmbedded, hy::cli::StoreKind::kMysql), \
      hy::cli::engine_name)
