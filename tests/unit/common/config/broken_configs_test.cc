// A hundred broken files: each gives its code, line, column and the way to mend it.
#include <gtest/gtest.h>

#include "common/config/toml_loader.h"
#include "tests/unit/common/config/support.h"

namespace hy::config {
namespace {

using enum Errc;
struct Broken {
  std::string_view text;  ///< after "[host]\nidc = \"sh\"\n", so its first line is line 3
  Errc code;
  std::uint32_t line;
  std::uint32_t column;
  std::string_view fix;  ///< part of what stands beside the caret
};

// clang-format off
constexpr Broken kBroken[] = {
    // Unknown keys and tables, each with its near name.
    {"[entry]\nmax_conections = 5", kConfigUnknownKey, 4, 1, "did you mean \"max_connections\"?"},
    {"[entry]\nmaxconnections = 5", kConfigUnknownKey, 4, 1, "did you mean \"max_connections\"?"},
    {"[entry]\nmax_connectoins = 5", kConfigUnknownKey, 4, 1, "did you mean \"max_connections\"?"},
    {"[entry]\n  first_fram = \"1s\"", kConfigUnknownKey, 4, 3, "did you mean \"first_frame\"?"},
    {"[entry]\nfirst-frame = \"1s\"", kConfigUnknownKey, 4, 1, "did you mean \"first_frame\"?"},
    {"[entry]\nFirst_Frame = \"1s\"", kConfigUnknownKey, 4, 1, "did you mean \"first_frame\"?"},
    {"[entry]\nlistn = []", kConfigUnknownKey, 4, 1, "did you mean \"listen\"?"},
    {"[entry]\nlisten_on = []", kConfigUnknownKey, 4, 1, "did you mean \"listen\"?"},
    {"[entry]\nmoto = \"\"", kConfigUnknownKey, 4, 1, "did you mean \"motto\"?"},
    {"[entry]\nengin = \"fast\"", kConfigUnknownKey, 4, 1, "did you mean \"engine\"?"},
    {"[entry]\nfrobnicate = 1", kConfigUnknownKey, 4, 1, "remove it"},
    {"[entry]\nframes = 5", kConfigUnknownKey, 4, 1, "did you mean \"entry."},
    {"[entry]\npush_windw = { frames = 1 }", kConfigUnknownKey, 4, 1, "did you mean \"push_window\"?"},
    {"[entry]\npush_window = { frame = 1 }", kConfigUnknownKey, 4, 17, "did you mean \"frames\"?"},
    {"[entry]\npush_window = { frames = 1, byte = \"1MiB\" }", kConfigUnknownKey, 4, 29, "did you mean \"bytes\"?"},
    {"[entry.push_window]\nframse = 1", kConfigUnknownKey, 4, 1, "did you mean \"frames\"?"},
    {"entyr.on = true", kConfigUnknownKey, 3, 1, "remove it"},
    {"[enrty]\non = true", kConfigUnknownKey, 3, 2, "did you mean \"entry\"?"},
    {"[logics]\nx = 1", kConfigUnknownKey, 3, 2, "did you mean \"logic\"?"},
    {"[metrics]\nx = 1", kConfigUnknownKey, 3, 2, "remove it"},
    {"[log]\nlevl = \"info\"", kConfigUnknownKey, 4, 1, "did you mean \"level\"?"},
    {"[tls]\ncertifcate = \"x\"", kConfigUnknownKey, 4, 1, "did you mean \"certificate\"?"},
    {"tolopogy = \"x\"", kConfigUnknownKey, 3, 1, "did you mean \"topology\"?"},
    {"dta = \"x\"", kConfigUnknownKey, 3, 1, "did you mean \"data\"?"},
    // Missing units.
    {"[entry]\nfirst_frame = 5", kConfigMissingUnit, 4, 15, "\"5s\""},
    {"[entry]\nfirst_frame = 5.5", kConfigMissingUnit, 4, 15, "\"5s\""},
    {"[entry]\nfirst_frame = \"5\"", kConfigMissingUnit, 4, 15, "\"5s\""},
    {"[entry]\npush_window.bytes = 1048576", kConfigMissingUnit, 4, 21, "\"1MiB\""},
    {"[entry]\npush_window.bytes = \"1048576\"", kConfigMissingUnit, 4, 21, "\"1MiB\""},
    {"[entry]\nrate.frames = 30", kConfigMissingUnit, 4, 15, "20/s burst 50"},
    {"[entry]\nrate.frames = \"30\"", kConfigMissingUnit, 4, 15, "20/s burst 50"},
    {"[entry]\nrate.frames = \"30/day\"", kConfigMissingUnit, 4, 15, "per s, min or h"},
    {"[entry]\nrate = { frames = 30 }", kConfigMissingUnit, 4, 19, "20/s burst 50"},
    // Wrong forms.
    {"[entry]\nfirst_frame = \"5 s\"", kConfigWrongType, 4, 15, "\"5s\""},
    {"[entry]\nfirst_frame = \"5sec\"", kConfigWrongType, 4, 15, "\"5s\""},
    {"[entry]\nfirst_frame = \"five\"", kConfigWrongType, 4, 15, "\"5s\""},
    {"[entry]\nfirst_frame = \"\"", kConfigWrongType, 4, 15, "\"5s\""},
    {"[entry]\nfirst_frame = \"-5s\"", kConfigWrongType, 4, 15, "\"5s\""},
    {"[entry]\nfirst_frame = true", kConfigWrongType, 4, 15, "\"5s\""},
    {"[entry]\nfirst_frame = [\"5s\"]", kConfigWrongType, 4, 15, "\"5s\""},
    {"[entry]\nfirst_frame = 07:32:00", kConfigWrongType, 4, 15, "\"5s\""},
    {"[entry]\nmax_connections = \"many\"", kConfigWrongType, 4, 19, "\"200k\""},
    {"[entry]\nmax_connections = \"200K\"", kConfigWrongType, 4, 19, "\"200k\""},
    {"[entry]\nmax_connections = \"1.5k\"", kConfigWrongType, 4, 19, "\"200k\""},
    {"[entry]\nmax_connections = 1.5", kConfigWrongType, 4, 19, "\"200k\""},
    {"[entry]\nmax_connections = false", kConfigWrongType, 4, 19, "\"200k\""},
    {"[entry]\nmax_connections = {}", kConfigWrongType, 4, 19, "\"200k\""},
    {"[entry]\non = \"true\"", kConfigWrongType, 4, 6, "true or false"},
    {"[entry]\non = 1", kConfigWrongType, 4, 6, "true or false"},
    {"[entry]\npush_window.bytes = \"1MB\"", kConfigWrongType, 4, 21, "\"1MiB\""},
    {"[entry]\npush_window.bytes = \"1mib\"", kConfigWrongType, 4, 21, "\"1MiB\""},
    {"[entry]\npush_window = 5", kConfigWrongType, 4, 15, "write { bytes = … }"},
    {"[entry]\npush_window = \"256 frames\"", kConfigWrongType, 4, 15, "write { bytes = … }"},
    {"[entry]\nrate.frames = \"fast\"", kConfigWrongType, 4, 15, "20/s burst 50"},
    {"[entry]\nrate.frames = \"30/s bursts 60\"", kConfigWrongType, 4, 15, "20/s burst 50"},
    {"[entry]\nrate.frames = \"30/s burst\"", kConfigWrongType, 4, 15, "20/s burst 50"},
    {"[entry]\nrate.frames = \"30/s burst x\"", kConfigWrongType, 4, 15, "20/s burst 50"},
    {"[entry]\nrate.frames = \"-1/s\"", kConfigWrongType, 4, 15, "20/s burst 50"},
    {"[entry]\nmotto = 5", kConfigWrongType, 4, 9, "a text in quotes"},
    {"[entry]\nmotto = true", kConfigWrongType, 4, 9, "a text in quotes"},
    {"[entry]\ndeny = \"a\"", kConfigWrongType, 4, 8, "a list of texts"},
    {"[entry]\ndeny = [1]", kConfigWrongType, 4, 8, "a list of texts"},
    {"[entry]\nengine = 1", kConfigWrongType, 4, 10, "a text in quotes"},
    {"[entry]\nnoise_key = \"00112233\"", kConfigWrongType, 4, 13, "{ file = "},
    {"[entry]\nnoise_key = {}", kConfigWrongType, 4, 13, "{ file = "},
    {"[entry]\nnoise_key = { path = \"x\" }", kConfigWrongType, 4, 13, "{ file = "},
    {"[entry]\nnoise_key = { file = 5 }", kConfigWrongType, 4, 13, "{ file = "},
    {"[entry]\nnoise_key = { file = \"a\", env = \"B\" }", kConfigWrongType, 4, 13, "{ file = "},
    {"[entry]\nnear = \"localhost\"", kConfigWrongType, 4, 8, "host:14000"},
    {"[entry]\nnear = \"localhost:http\"", kConfigWrongType, 4, 8, "host:14000"},
    {"[entry]\nnear = \"localhost:65536\"", kConfigWrongType, 4, 8, "host:14000"},
    {"[entry]\nnear = \":14000\"", kConfigWrongType, 4, 8, "host:14000"},
    {"[entry]\nnear = \"::1:14000\"", kConfigWrongType, 4, 8, "host:14000"},
    {"[entry]\nnear = \"unix:relative\"", kConfigWrongType, 4, 8, "unix:/absolute/path"},
    {"[entry]\nnear = \"tcp://a:1\"", kConfigWrongType, 4, 8, "host:14000"},
    {"[entry]\nlisten = \"127.0.0.1:1\"", kConfigWrongType, 4, 10, "a list of addresses"},
    {"[entry]\nlisten = [\"127.0.0.1\"]", kConfigWrongType, 4, 10, "host:14000"},
    {"entry = 5", kConfigUnknownKey, 3, 1, "remove it"},
    // Out of bounds: the range is shown.
    {"[entry]\nmax_connections = 0", kConfigOutOfBounds, 4, 19, "allowed: 1 to 1M"},
    {"[entry]\nmax_connections = -1", kConfigOutOfBounds, 4, 19, "allowed: 1 to 1M"},
    {"[entry]\nmax_connections = 1000001", kConfigOutOfBounds, 4, 19, "allowed: 1 to 1M"},
    {"[entry]\nmax_connections = \"2M\"", kConfigOutOfBounds, 4, 19, "allowed: 1 to 1M"},
    {"[entry]\nmax_connections = \"99999999999999999999\"", kConfigOutOfBounds, 4, 19, "63 bits"},
    {"[entry]\nmax_connections = \"9223372036854775807G\"", kConfigOutOfBounds, 4, 19, "63 bits"},
    {"[entry]\nfirst_frame = \"99ms\"", kConfigOutOfBounds, 4, 15, "allowed: 100ms to 1m"},
    {"[entry]\nfirst_frame = \"61s\"", kConfigOutOfBounds, 4, 15, "allowed: 100ms to 1m"},
    {"[entry]\nfirst_frame = \"1d\"", kConfigOutOfBounds, 4, 15, "allowed: 100ms to 1m"},
    {"[entry]\npush_window.bytes = \"1B\"", kConfigOutOfBounds, 4, 21, "allowed: 64KiB to 16MiB"},
    {"[entry]\npush_window.bytes = \"1TiB\"", kConfigOutOfBounds, 4, 21, "allowed: 64KiB to 16MiB"},
    {"[entry]\npush_window = { frames = 2000 }", kConfigOutOfBounds, 4, 26, "allowed: 1 to 1024"},
    {"[entry]\nrate.frames = \"2000/s\"", kConfigOutOfBounds, 4, 15, "allowed: 1 to 1000 per second"},
    {"[entry]\nrate.frames = \"0/s\"", kConfigOutOfBounds, 4, 15, "at least 1"},
    {"[entry]\nmotto = \"seventeen letters\"", kConfigOutOfBounds, 4, 9, "at most 16 bytes"},
    {"[entry]\ndeny = [\"a\", \"b\", \"c\", \"d\"]", kConfigOutOfBounds, 4, 8, "at most 3 entries"},
    {"[entry]\nengine = \"fsat\"", kConfigOutOfBounds, 4, 10, "\"fast\", \"safe\""},
    {"[log]\nlevel = \"verbose\"", kConfigOutOfBounds, 4, 9, "\"debug\", \"info\""},
    {"[entry]\nlisten = []", kConfigOutOfBounds, 4, 10, "1 to 3 entries"},
    {"topology = \"\"", kConfigOutOfBounds, 3, 12, "at least 1 bytes"},
    // Secrets.
    {"[entry]\nnoise_key = { file = \"no-such-file\" }", kConfigUnreadable, 4, 13, "no-such-file"},
    {"[entry]\nnoise_key = { env = \"NOT_THERE\" }", kConfigMissing, 4, 13, "NOT_THERE is not set"},
    {"[entry]\nnoise_key = { credential = \"x\" }", kConfigMissing, 4, 13, "systemd"},
    // Duplicates and syntax.
    {"[entry]\non = true\non = false", kConfigDuplicateKey, 5, 1, "remove one"},
    {"[entry]\n  motto = \"a\"\n  motto = \"b\"", kConfigDuplicateKey, 5, 3, "remove one"},
    {"[entry]\non = true\n[entry]\nmotto = \"a\"", kConfigDuplicateKey, 5, 2, "remove one"},
    {"[entry]\non true", kConfigSyntax, 4, 4, "mend"},
    {"[entry]\non =", kConfigSyntax, 4, 5, "mend"},
    {"[entry]\nmotto = \"open", kConfigSyntax, 4, 14, "mend"},
    {"[entry]\nmotto = 'it''s'", kConfigSyntax, 4, 13, "mend"},
    {"[entry\non = true", kConfigSyntax, 3, 7, "mend"},
    {"= 5", kConfigSyntax, 3, 1, "mend"},
    {"[entry]\nmax_connections = 5_", kConfigSyntax, 4, 20, "mend"},
    {"[entry]\nfirst_frame = 5s", kConfigSyntax, 4, 16, "mend"},
};
// clang-format on
static_assert(std::size(kBroken) >= 100);

TEST(BrokenConfigs, EachGivesCodePlaceAndFix) {
  for (const auto& broken : kBroken) {
    const auto text = "[host]\nidc = \"sh\"\n" + std::string(broken.text) + "\n";
    const auto properties = with_common(test::kProperties);
    const auto loaded = load_text({.properties = properties, .file = "hongyan.toml"}, text);
    ASSERT_FALSE(loaded.has_value()) << text;
    ASSERT_EQ(loaded.error().size(), 1u) << text << render(loaded.error());
    const auto& m = loaded.error().front();
    EXPECT_EQ(m.code, broken.code) << render(m);
    EXPECT_EQ(m.line, broken.line) << render(m);
    EXPECT_EQ(m.column, broken.column) << render(m);
    EXPECT_TRUE(m.fix.contains(broken.fix)) << render(m);
    EXPECT_FALSE(m.message.empty());
    EXPECT_FALSE(m.line_text.empty()) << render(m);
  }
}

TEST(BrokenConfigs, AllMistakesOfAFileComeInOneRun) {
  // One line that each breaks alone, all in one file; syntax among them.
  constexpr std::string_view kText =
      "[host]\nidc = \"sh\"\n[entry]\nmax_conections = 1\nfirst_frame = 5\non =\nmotto = 5\n"
      "engine = \"x\"\npush_window = { frames = 0, byte = 1 }\nnear = \"x\"\nnear = \"y\"\n"
      "[enrty]\n";
  const auto properties = with_common(test::kProperties);
  const auto loaded = load_text({.properties = properties, .file = "h.toml"}, kText);
  ASSERT_FALSE(loaded.has_value());
  std::vector<std::uint32_t> lines;
  for (const auto& m : loaded.error()) lines.push_back(m.line);
  EXPECT_EQ(lines, (std::vector<std::uint32_t>{4, 5, 6, 7, 8, 9, 9, 10, 11, 12}))
      << render(loaded.error());
}

TEST(BrokenConfigs, TheBlockIsWhatAPersonReads) {
  const auto properties = with_common(test::kProperties);
  const auto loaded = load_text({.properties = properties, .file = "hongyan.toml"},
                                "[host]\nidc = \"sh\"\n[entry]\nmax_conections = \"200k\"\n");
  ASSERT_FALSE(loaded.has_value());
  EXPECT_EQ(render(loaded.error()),
            "error HY-8012: unknown key \"max_conections\"\n"
            "  --> hongyan.toml:4:1\n"
            " 4 | max_conections = \"200k\"\n"
            "   | ^^^^^^^^^^^^^^ did you mean \"max_connections\"?\n"
            "   = help: entry.max_connections: Connections at most.\n");
}

}  // namespace
}  // namespace hy::config
