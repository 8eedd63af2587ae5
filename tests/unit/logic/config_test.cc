#include "logic/config.h"

#include <gtest/gtest.h>

#include <string>

#include "common/config/toml_loader.h"

namespace hy::logic {
namespace {

/// Of a file whose [logic] has `lines`.
Errc together(const std::string& lines) {
  const auto all = config::with_common(properties());
  const std::string file =
      "[host]\nidc = \"sh\"\n[logic]\ntoken_key = { env = \"TOKEN_KEY\" }\n" + lines;
  const auto loaded = config::load_text(
      {.properties = all, .environment = {"TOKEN_KEY=" + std::string(64, '1')}}, file);
  EXPECT_TRUE(loaded.has_value()) << (loaded ? "" : config::render(loaded.error()));
  const Status checked = loaded ? check_together(*loaded) : Status{};
  return checked ? Errc::kOk : checked.error().code;
}

TEST(LogicConfig, AGrantOutlivesTheSilenceThatAnEntryBears) {
  EXPECT_EQ(together(""), Errc::kOk);
  EXPECT_EQ(together("heartbeat_phone = \"241s\"\n"), Errc::kConfigOutOfBounds);
  EXPECT_EQ(together("heartbeat = \"241s\"\n"), Errc::kConfigOutOfBounds);
  EXPECT_EQ(together("grant_life = \"30s\"\n"), Errc::kConfigOutOfBounds);
  EXPECT_EQ(together("grant_life = \"30s\"\nheartbeat = \"12s\"\nheartbeat_phone = \"12s\"\n"),
            Errc::kOk);
}

}  // namespace
}  // namespace hy::logic
