// A daemon's configuration file: values within their bounds, or mistakes that name a place; never a
// trace, never a secret in what is shown.
#include "common/config/render.h"
#include "common/config/toml_loader.h"
#include "tests/fuzz/target.h"

namespace hy::fuzz {
namespace {

using config::Kind;
using config::Property;

constexpr Property kProperties[] = {
    {"entry.on", Kind::kBool, "true"},
    {"entry.count", Kind::kInteger, "20", "1", "200k"},
    {"entry.wait", Kind::kDuration, "5s", "1s", "1h"},
    {"entry.memory", Kind::kSize, "1MiB", "1KiB", "2GiB"},
    {"entry.rate", Kind::kRate, "20/s burst 50"},
    {"entry.name", Kind::kText, "a", "", "32"},
    {"entry.file", Kind::kPath, "x"},
    {"entry.names", Kind::kTextList, "a, b", "", "8"},
    {.key = "entry.engine",
     .kind = Kind::kEnum,
     .fallback = "embedded",
     .choices = "mysql|embedded"},
    {"entry.secret", Kind::kSecret, ""},
    {"entry.listen", Kind::kAddress, "127.0.0.1:14000"},
    {"entry.peers", Kind::kAddressList, "127.0.0.1:1"},
    {"entry.push_window.frames", Kind::kInteger, "256", "1", "10000"},
};

/// Input: the file; lines that begin with '\1' are environment, with '\2' overrides.
void run(ByteView input) {
  static const std::vector<Property> properties = config::with_common(kProperties);
  config::LoadRequest request;
  request.properties = properties;
  request.file = "/hongyan-fuzz/hongyan.toml";
  Bytes text;
  std::string_view rest = as_text(input);
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size() - 1);
    const std::string_view line = rest.substr(0, end + 1);
    rest.remove_prefix(end + 1);
    const std::string item(line.substr(0, line.find('\n')));
    if (item.starts_with('\1'))
      request.environment.push_back(item.substr(1));
    else if (item.starts_with('\2'))
      request.overrides.push_back(item.substr(1));
    else
      text += line;
  }
  const auto loaded = config::load_text(request, text);
  if (!loaded) {
    law(!loaded.error().empty(), "a refusal says why");
    for (const config::Mistake& mistake : loaded.error()) {
      law(!mistake.message.empty() && mistake.code != Errc::kOk, "a mistake has code and sentence");
    }
    return;
  }
  const config::Values& values = *loaded;
  const auto count = values.integer("entry.count");
  law(count >= 1 && count <= 200'000, "integers are within their bounds");
  const auto wait = values.duration("entry.wait");
  law(wait >= Millis{1'000} && wait <= Millis{3'600'000}, "durations are within their bounds");
  const auto bytes = values.bytes("entry.memory");
  law(bytes >= 1'024 && bytes <= 2'147'483'648, "sizes are within their bounds");
  law(values.text("entry.name").size() <= 32, "texts are within their bounds");
  law(values.list("entry.names").size() <= 8, "lists are within their bounds");
  const std::string& engine = values.text("entry.engine");
  law(engine == "mysql" || engine == "embedded", "choices are choices");
  law(values.rate("entry.rate").period.count() > 0, "a rate has a period");
  const Secret& secret = values.secret("entry.secret");
  law(secret.size() < 12 || values.to_json().find(secret.reveal()) == std::string::npos,
      "a secret is not shown");
  law(values.hash().size() == 16 && !values.to_json().empty(), "what was read can be shown");
}

std::vector<Seed> seeds() {
  return {{"empty", ""},
          {"plain", "[entry]\ncount = 30\nwait = \"10s\"\nmemory = \"2MiB\"\n"},
          {"all",
           "[entry]\non = false\ncount = \"20k\"\nwait = \"1m\"\nmemory = \"64KiB\"\n"
           "rate = \"5/min burst 10\"\nname = \"x\"\nfile = \"y/z\"\nnames = [\"p\", \"q\"]\n"
           "engine = \"mysql\"\nlisten = \"[::1]:80\"\npeers = [\"a:1\", \"unix:/b\"]\n"
           "[entry.push_window]\nframes = 12\n[log]\nlevel = \"info\"\n"},
          {"dotted", "entry.count = 5\nentry.push_window.frames = 7\n"},
          {"secret-env", "[entry]\nsecret = { env = \"S\" }\n\1S=a secret of some length\n"},
          {"secret-file", "[entry]\nsecret = { file = \"/nonexistent\" }\n"},
          {"secret-literal", "[entry]\nsecret = \"a secret of some length\"\n"},
          {"environment", "\1HY_ENTRY_COUNT=40\n\1HY_ENTRY_NAMES=a, b\n"},
          {"environment-no-equals", "\1HY_ENTRY_COUNT\n"},
          {"override", "\2entry.count=41\n\2entry.wait=2s\n"},
          {"unknown-key", "[entry]\ncuont = 3\n"},
          {"unknown-table", "[entri]\ncount = 3\n"},
          {"other-daemon", "[logic]\nanything = 1\n"},
          {"wrong-type", "[entry]\ncount = \"many\"\non = 3\nnames = 5\n"},
          {"no-unit", "[entry]\nwait = 5\nmemory = 10\n"},
          {"out-of-bounds", "[entry]\ncount = 0\nwait = \"2h\"\nmemory = \"3GiB\"\n"},
          {"huge", "[entry]\ncount = 9223372036854775807\nwait = \"9223372036854775807d\"\n"},
          {"negative", "[entry]\ncount = -1\nwait = \"-5s\"\n"},
          {"broken", "[entry\ncount = = 3\nname = \"\nwait = \"5s\"\n"},
          {"twice", "[entry]\ncount = 3\ncount = 4\n[entry]\n"},
          {"array-of-tables", "[[entry]]\ncount = 3\n"},
          {"inline", "entry = { count = 3, push_window = { frames = 4 } }\n"},
          {"dates", "[entry]\ncount = 1979-05-27T07:32:00Z\nname = 07:32:00\n"},
          {"unicode", "[entry]\nname = \"\\u00e9\\U0001F600\"\n"},
          {"bad-utf8", "[entry]\nname = \"\xff\xfe\"\n"},
          {"deep", "a.b.c.d.e.f.g.h = 1\n[entry]\nnames = [[[[[[1]]]]]]\n"}};
}

HY_FUZZ_TARGET(config, run, seeds, 4'096);

}  // namespace
}  // namespace hy::fuzz
