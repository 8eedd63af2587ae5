#include <gtest/gtest.h>

#include <algorithm>

#include <sstream>

#include "common/config/command_line.h"
#include "common/config/did_you_mean.h"
#include "common/config/render.h"
#include "common/config/toml_loader.h"
#include "common/config/topology.h"
#include "common/config/value_text.h"
#include "tests/unit/common/config/support.h"

namespace hy::config {
namespace {

using namespace std::chrono_literals;
using test::Folder;
using test::kProperties;

const std::vector<Property> kAll = with_common(kProperties);
constexpr std::string_view kMinimal = "[host]\nidc = \"sh\"\n";
constexpr std::string_view kTopology =
    "version = 3\ncluster = \"demo\"\n[idc.sh]\nentry = [\"127.0.0.1:14000\", "
    "\"127.0.0.1:14010\"]\nlogic = [\"127.0.0.1:14100\"]\nrouter = [\"unix:/tmp/r\"]\n"
    "das = [\"127.0.0.1:14300\"]\n";

Values good(const LoadRequest& request, std::string_view text) {
  auto loaded = load_text(request, text);
  EXPECT_TRUE(loaded.has_value()) << (loaded ? "" : render(loaded.error()));
  return loaded ? *std::move(loaded) : Values{};
}

TEST(Config, ReadsEveryKind) {
  Folder folder;
  folder.write("key", "0a0b0c0d\n");
  const auto v = good({.properties = kAll, .file = folder.path / "hongyan.toml"},
                      "[host]\nidc = \"sh\"\n[entry]\non = false\nmax_connections = \"200k\"\n"
                      "first_frame = \"250ms\"\npush_window = { frames = 7, bytes = \"2MiB\" }\n"
                      "rate.frames = \"20/min burst 50\"\nmotto = \"hi\"\ndeny = [\"a,b\", \"c\"]\n"
                      "engine = \"safe\"\nnoise_key = { file = \"key\" }\nnear = \"[::1]:5\"\n"
                      "listen = [\"0.0.0.0:1\", \"unix:/x\"]\n[logic]\nanything = 1\n");
  EXPECT_FALSE(v.flag("entry.on"));
  EXPECT_EQ(v.integer("entry.max_connections"), 200'000);
  EXPECT_EQ(v.duration("entry.first_frame"), 250ms);
  EXPECT_EQ(v.bytes("entry.push_window.bytes"), 2u << 20);
  EXPECT_EQ(v.integer("entry.push_window.frames"), 7);
  EXPECT_EQ(v.rate("entry.rate.frames"), (Rate{20, 60'000ms, 50}));
  EXPECT_EQ(v.text("entry.motto"), "hi");
  EXPECT_EQ(v.list("entry.deny"), (std::vector<std::string>{"a,b", "c"}));
  EXPECT_EQ(v.text("entry.engine"), "safe");
  EXPECT_EQ(v.secret("entry.noise_key").reveal(), "\x0a\x0b\x0c\x0d");
  EXPECT_EQ(v.list("entry.listen").size(), 2u);
  EXPECT_EQ(v.text("entry.cache"), (folder.path / "c").string()) << "beside the file";
  EXPECT_EQ(v.all().find("entry.motto")->second.origin, "hongyan.toml:9");
  EXPECT_EQ(v.all().find("entry.cache")->second.source, Source::kDefault);
}

TEST(Config, FlagBeatsEnvironmentBeatsFileBeatsDefault) {
  const std::string text = std::string(kMinimal) + "[entry]\nmotto = \"file\"\n";
  const auto motto = [&](std::vector<std::string> env, std::vector<std::string> set,
                         std::string_view in) {
    const auto v = good({kAll, "h.toml", std::move(env), std::move(set)}, in);
    return v.text("entry.motto") + " " + v.all().find("entry.motto")->second.origin;
  };
  EXPECT_EQ(motto({}, {}, kMinimal), " default");
  EXPECT_EQ(motto({}, {}, text), "file h.toml:4");
  EXPECT_EQ(motto({"HY_ENTRY_MOTTO=env"}, {}, text), "env HY_ENTRY_MOTTO");
  EXPECT_EQ(motto({"HY_ENTRY_MOTTO=env"}, {"entry.motto=flag"}, text), "flag --set");
  EXPECT_EQ(motto({}, {"entry.motto=a", "entry.motto=b=c"}, text), "b=c --set");
}

TEST(Config, UnknownVariablesAndFlagsAreMistakes) {
  const auto loaded = load_text({kAll,
                                 "h.toml",
                                 {"HY_ENTRY_MOTO=x", "HY_LOGIC_ANYTHING=1", "HY_NOISE_VECTORS=/v",
                                  "PATH=/bin", "HY_WHATEVER=1", "HY_MY_SECRET=s"},
                                 {"entry.moto=x", "entry.motto", "das.lanes=4"}},
                                "[host]\nidc=\"sh\"\n[das]\np = { env = \"HY_MY_SECRET\" }\n");
  ASSERT_FALSE(loaded.has_value());
  ASSERT_EQ(loaded.error().size(), 5u) << render(loaded.error());
  EXPECT_TRUE(loaded.error()[0].fix.contains("HY_ENTRY_MOTTO"));
  EXPECT_EQ(loaded.error()[1].source, "HY_WHATEVER");
  EXPECT_TRUE(loaded.error()[2].fix.contains("entry.motto"));
  EXPECT_EQ(loaded.error()[3].code, Errc::kConfigSyntax);
  EXPECT_EQ(loaded.error()[4].code, Errc::kConfigUnknownKey);
}

// execve takes such entries; reading one ended the process with an exception.
TEST(Config, AnEnvironmentEntryWithoutAnEqualsSignHasNoValue) {
  const auto loaded =
      load_text({.properties = kProperties, .environment = {"HY_ENTRY_MAX_CONNECTIONS"}}, "");
  ASSERT_FALSE(loaded);
  EXPECT_TRUE(std::ranges::any_of(loaded.error(), [](const Mistake& m) {
    return m.source == "HY_ENTRY_MAX_CONNECTIONS";
  })) << render(loaded.error());
}

TEST(Config, ASecretThatOthersCanReadIsRefusedAndNeverShown) {
  Folder folder;
  const std::string text = std::string(kMinimal) + "[entry]\nnoise_key = { file = \"key\" }\n";
  const LoadRequest request{.properties = kAll, .file = folder.path / "h.toml"};
  for (const unsigned mode : {0644u, 0640u, 0604u, 0660u}) {
    folder.write("key", "0a0b0c0d", mode);
    const auto loaded = load_text(request, text);
    ASSERT_FALSE(loaded.has_value()) << mode;
    EXPECT_EQ(loaded.error()[0].code, Errc::kSecretReadable);
    EXPECT_TRUE(loaded.error()[0].fix.contains("chmod 600"));
  }
  folder.write("key", "0a0b0c0d", 0400);
  const auto v = good(request, text);
  EXPECT_FALSE(render_values(v).contains("0a0b0c0d"));
  EXPECT_TRUE(render_values(v).contains("entry.noise_key = ***"));
  EXPECT_FALSE(v.to_json().contains("0a0b"));
  for (const auto* bad : {"0a0b0c", "0a0b0c0x", "", "0a0b0c0d0e"}) {
    std::filesystem::remove(folder.path / "key");
    folder.write("key", bad);
    const auto loaded = load_text(request, text);
    ASSERT_FALSE(loaded.has_value()) << bad;
    if (std::string_view(bad).size() > 2) {
      EXPECT_FALSE(render(loaded.error()).contains(bad)) << "the content is never shown";
    }
  }
  EXPECT_FALSE(load_text({kAll, "h", {}, {"entry.noise_key=0a0b0c0d"}}, kMinimal).has_value())
      << "argv is no place for a secret";
  EXPECT_EQ(good({kAll, "h", {"K=0a0b0c0d"}, {"entry.noise_key=env:K"}}, kMinimal)
                .secret("entry.noise_key")
                .size(),
            4u);
}

TEST(Config, MissingRequiredKeyIsNamed) {
  const auto loaded = load_text({.properties = kAll, .file = "h.toml"}, "[host]\n");
  ASSERT_FALSE(loaded.has_value());
  ASSERT_EQ(loaded.error().size(), 1u);
  EXPECT_EQ(loaded.error()[0].code, Errc::kConfigMissing);
  EXPECT_TRUE(loaded.error()[0].message.contains("host.idc"));
  const auto none = load({.properties = kAll, .file = "/nowhere/h.toml"});
  EXPECT_EQ(none.error()[0].code, Errc::kConfigUnreadable);
  const auto folder = load({.properties = kAll, .file = "/tmp"});
  EXPECT_EQ(folder.error()[0].code, Errc::kConfigUnreadable);
}

TEST(Config, TheRenderedDefaultFileLoadsAsTheDefaults) {
  auto text = render_default_file(kAll);
  text.replace(text.find("idc = \"\""), 8, "idc = \"x\"");
  const auto defaults = good({kAll, "h.toml", {}, {"host.idc=x"}}, "");
  const auto again = good({.properties = kAll, .file = "h.toml"}, text);
  EXPECT_EQ(again.hash(), defaults.hash());
  for (const auto& p : kAll) EXPECT_TRUE(text.contains(p.sentence)) << p.key;
  const auto reference = render_reference(kAll);
  for (const auto& p : kAll) EXPECT_TRUE(reference.contains("`" + std::string(p.key) + "`"));
}

TEST(Config, HashSeesValuesNotOrigins) {
  const auto a = good({kAll, "h.toml", {}, {"host.idc=x"}}, "");
  const auto b = good({kAll, "h.toml", {"HY_HOST_IDC=x"}, {}}, "");
  const auto c = good({kAll, "h.toml", {}, {"host.idc=y"}}, "");
  EXPECT_EQ(a.hash(), b.hash());
  EXPECT_NE(a.hash(), c.hash());
  EXPECT_EQ(a.hash().size(), 16u);
}

TEST(ValueText, WritesWhatItReads) {
  for (const auto* text : {"250ms", "5s", "10m", "23h", "90d"})
    EXPECT_EQ(duration_text(*parse_duration(text)), text);
  for (const auto* text : {"512B", "64KiB", "1MiB", "2GiB"})
    EXPECT_EQ(size_text(*parse_size(text)), text);
  for (const auto* text : {"20/s burst 50", "5/min burst 10", "1/h burst 1"})
    EXPECT_EQ(rate_text(*parse_rate(text)), text);
  EXPECT_EQ(duration_text(24h), "1d") << "the largest unit that fits";
  EXPECT_EQ(parse_rate("20/s")->burst, 20u);
}

TEST(DidYouMean, FindsNearNamesOnly) {
  constexpr std::string_view kKnown[] = {"listen", "max_connections", "motto"};
  EXPECT_EQ(did_you_mean("lisetn", kKnown), "listen");
  EXPECT_EQ(did_you_mean("max-connection", kKnown), "max_connections");
  EXPECT_EQ(did_you_mean("database", kKnown), "");
  EXPECT_EQ(did_you_mean("", kKnown), "");
}

TEST(Topology, ReadsInstancesByName) {
  const auto t = parse_topology(kTopology, "topology.toml");
  ASSERT_TRUE(t.has_value()) << render(t.error());
  EXPECT_EQ(*t->address("sh", Role::kEntry, "b"), "127.0.0.1:14010");
  EXPECT_EQ(*t->address("sh", Role::kRouter, "a"), "unix:/tmp/r");
  EXPECT_TRUE(t->address("sh", Role::kEntry, "c").error().detail.contains("a to b"));
  EXPECT_TRUE(t->address("bj", Role::kEntry, "a").error().detail.contains("sh"));
  EXPECT_EQ(instance_name(0), "a");
  for (const std::uint32_t i : {0u, 1u, 25u, 26u, 51u, 701u})
    EXPECT_EQ(instance_index(instance_name(i)), i);
  EXPECT_EQ(instance_name(26), "aa");
  EXPECT_FALSE(instance_index("A").has_value());
  EXPECT_FALSE(instance_index("").has_value());
}

TEST(Topology, HashSeesTheMeaning) {
  const auto a = parse_topology(kTopology, "t");
  const auto b = parse_topology("# comment\n" + std::string(kTopology), "other");
  std::string changed(kTopology);
  changed.replace(changed.find("14100"), 5, "14101");
  EXPECT_EQ(a->hash, b->hash);
  EXPECT_NE(a->hash, parse_topology(changed, "t")->hash);
}

TEST(Topology, IsStrict) {
  const std::pair<std::string, Errc> cases[] = {
      {"versoin = 1\n", Errc::kConfigUnknownKey},
      {"version = \"1\"\n", Errc::kConfigWrongType},
      {"version = 0\n", Errc::kConfigOutOfBounds},
      {"version = 1\n", Errc::kConfigMissing},
      {"version = 1\nidc = 5\n", Errc::kConfigWrongType},
      {"[idc.sh]\nentry = []\nlogic=[\"a:1\"]\nrouter=[\"a:2\"]\ndas=[\"a:3\"]\n",
       Errc::kConfigWrongType},
      {"[idc.sh]\nentry = [\"a:0\"]\nlogic=[\"a:1\"]\nrouter=[\"a:2\"]\ndas=[\"a:3\"]\n",
       Errc::kConfigOutOfBounds},
      {"[idc.sh]\nentry = [\"a:1\"]\nlogic=[\"a:1\"]\nrouter=[\"a:2\"]\ndas=[\"a:3\"]\n",
       Errc::kConfigDuplicateKey},
      {"[idc.sh]\nentry = [\"a:9\"]\nlogic=[\"a:1\"]\nrouter=[\"a:2\"]\n", Errc::kConfigMissing},
      {"[idc.sh]\nentry = [\"a:9\"]\nlogic=[\"a:1\"]\nrouter=[\"a:2\"]\ndas=[\"a\"]\n",
       Errc::kConfigWrongType},
      {"[idc.sh]\nentries = [\"a:9\"]\nentry=[\"a:8\"]\nlogic=[\"a:1\"]\nrouter=[\"a:2\"]\n"
       "das=[\"a:3\"]\n",
       Errc::kConfigUnknownKey},
      {"[idc.sh]\nentry=[\"a:8\"]\nlogic=[\"a:1\"]\nrouter=[\"a:2\"]\ndas=[\"a:3\"]\n"
       "shards = { \"0-511\" = \"m:1\", \"511-1023\" = \"m:2\" }\n",
       Errc::kConfigOutOfBounds},
  };
  for (const auto& [text, code] : cases) {
    const auto t = parse_topology(text, "t.toml");
    ASSERT_FALSE(t.has_value()) << text;
    EXPECT_EQ(t.error()[0].code, code) << render(t.error());
    EXPECT_FALSE(t.error()[0].fix.empty()) << text;
  }
}

TEST(Topology, ShardsCoverAllOnce) {
  const auto t = parse_topology(
      std::string(kTopology) + "shards = { \"512-1023\" = \"m:2\", \"0-511\" = \"m:1\" }\n", "t");
  ASSERT_TRUE(t.has_value()) << render(t.error());
  const auto& shards = t->idcs.at("sh").shards;
  ASSERT_EQ(shards.size(), 2u);
  EXPECT_EQ(shards[0].server, "m:1");
}

struct CommandLineTest : testing::Test {
  Folder folder;
  std::ostringstream out, err;
  static constexpr ExtraFlag kExtra[] = {
      {.name = "--schema", .choices = "status|apply", .sentence = "The store's schema"}};
  const DaemonSpec spec{.role = Role::kEntry,
                        .sentence = "Holds client connections.",
                        .properties = kProperties,
                        .extra_flags = kExtra,
                        .version = "9.9.9"};

  void SetUp() override {
    folder.write("hongyan.toml", std::string(kMinimal));
    folder.write("topology.toml", std::string(kTopology));
  }
  std::expected<Start, int> run(std::vector<std::string> args) {
    out.str("");
    err.str("");
    args.insert(args.begin(), "hy-entry");
    std::vector<const char*> argv;
    for (const auto& a : args) argv.push_back(a.c_str());
    return start_from_command_line(spec, static_cast<int>(argv.size()), argv.data(), {}, out, err);
  }
  std::string file() const { return (folder.path / "hongyan.toml").string(); }
};

TEST_F(CommandLineTest, FindsItsPlaceInTheTopology) {
  const auto start = run({"--config", file(), "--name", "b", "--schema", "apply", "--set",
                          "entry.motto=x", "--set", "entry.on=false"});
  ASSERT_TRUE(start.has_value()) << err.str();
  EXPECT_EQ(start->instance(), "entry-b");
  EXPECT_EQ(start->index, 1u);
  EXPECT_EQ(start->address, "127.0.0.1:14010");
  EXPECT_EQ(start->admin_address, "127.0.0.1:14011");
  EXPECT_EQ(start->peers(Role::kLogic), std::vector<std::string>{"127.0.0.1:14100"});
  EXPECT_EQ(start->extra.find("--schema")->second, "apply");
  EXPECT_EQ(start->values.text("entry.motto"), "x");
  EXPECT_FALSE(start->values.flag("entry.on"));
}

TEST_F(CommandLineTest, EndsWithTheRightCode) {
  EXPECT_EQ(run({"--version"}).error(), kExitOk);
  EXPECT_EQ(out.str(), "hy-entry 9.9.9\n");
  EXPECT_EQ(run({"--help"}).error(), kExitOk);
  EXPECT_TRUE(out.str().contains("--print-config"));
  EXPECT_EQ(run({"--frobnicate"}).error(), kExitUsage);
  EXPECT_TRUE(err.str().contains("HY-9001"));
  EXPECT_EQ(run({"--schema", "drop"}).error(), kExitUsage);
  EXPECT_EQ(run({"--config", "/nowhere"}).error(), kExitUsage);
  EXPECT_TRUE(err.str().contains("HY-8001"));
  EXPECT_EQ(run({"--config", file(), "--name", "z"}).error(), kExitUsage);
  EXPECT_TRUE(err.str().contains("a to b")) << err.str();
  EXPECT_EQ(run({"--config", file(), "--check-config"}).error(), kExitOk);
  EXPECT_TRUE(out.str().contains("entry-a: configuration fine")) << out.str();
  EXPECT_EQ(run({"--config", file(), "--check-config", "--set", "entry.x=1"}).error(), kExitUsage);
  EXPECT_EQ(run({"--config", file(), "--set", "tls.ca=x"}).error(), kExitUsage);
  EXPECT_EQ(run({"--config", file(), "--set", "entry.admin=nonsense"}).error(), kExitUsage);
}

TEST_F(CommandLineTest, PrintsEveryValueWithItsOrigin) {
  EXPECT_EQ(run({"--config", file(), "--print-config", "--set", "entry.motto=x"}).error(), kExitOk);
  EXPECT_TRUE(out.str().contains("entry.motto = \"x\"  # --set\n")) << out.str();
  EXPECT_TRUE(out.str().contains("host.idc = \"sh\"  # hongyan.toml:2\n"));
  EXPECT_TRUE(out.str().contains("entry.first_frame = \"5s\"  # default\n"));
}

TEST_F(CommandLineTest, ReloadTakesLiveKeysAndNamesTheOthers) {
  const auto start = run({"--config", file()});
  ASSERT_TRUE(start.has_value());
  folder.write("hongyan.toml",
               std::string(kMinimal) + "[entry]\nmotto = \"new\"\nengine = \"safe\"\non = true\n");
  const auto fresh = reload(*start, start->values);
  ASSERT_TRUE(fresh.has_value());
  EXPECT_EQ(fresh->applied, std::vector<std::string>{"entry.motto"});
  EXPECT_EQ(fresh->needs_restart, std::vector<std::string>{"entry.engine"});
  EXPECT_EQ(fresh->unchanged, start->properties.size() - 2);
  EXPECT_EQ(fresh->values.text("entry.motto"), "new");
  EXPECT_EQ(fresh->values.text("entry.engine"), "fast") << "in force until the restart";
  folder.write("hongyan.toml", std::string(kMinimal) + "[entry]\nmotto = 5\n");
  EXPECT_FALSE(reload(*start, start->values).has_value());
}

TEST_F(CommandLineTest, AdminAddressFollowsItsRule) {
  const auto at = [&](const std::string& admin, std::string_view listen) {
    return admin_address(good({kAll, "h", {}, {"host.idc=x", "entry.admin=" + admin}}, ""),
                         Role::kEntry, listen);
  };
  EXPECT_EQ(at("", "10.0.0.1:14000"), "127.0.0.1:14001");
  EXPECT_EQ(at("off", "10.0.0.1:14000"), "");
  EXPECT_EQ(at("0.0.0.0:9", "10.0.0.1:14000"), "0.0.0.0:9");
  EXPECT_EQ(at("", "unix:/x"), "127.0.0.1:0");
}

}  // namespace
}  // namespace hy::config
