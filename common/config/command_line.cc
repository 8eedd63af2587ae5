#include "common/config/command_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>

#include "common/config/render.h"
#include "common/config/value_text.h"

namespace hy::config {
namespace {

constexpr std::string_view kDefaultFile = "/etc/hongyan/hongyan.toml";

struct Flags {
  std::string file{kDefaultFile};
  std::vector<std::string> overrides;
  std::string name = "a";
  bool check = false;
  bool print = false;
  bool version = false;
  std::map<std::string, std::string, std::less<>> extra;
};

std::vector<std::string> split_choices(std::string_view choices) {
  std::vector<std::string> out;
  for (;;) {
    const auto bar = choices.find('|');
    out.emplace_back(choices.substr(0, bar));
    if (bar == choices.npos) return out;
    choices.remove_prefix(bar + 1);
  }
}

/// The exit code when the run ends here.
std::expected<Flags, int> parse_flags(const DaemonSpec& spec, int argc, const char* const* argv,
                                      std::ostream& out, std::ostream& err) {
  Flags flags;
  const auto program = "hy-" + std::string(role_name(spec.role));
  CLI::App app{std::string(spec.sentence), program};
  app.add_option("--config", flags.file, "Configuration file")->capture_default_str();
  app.add_option("--set", flags.overrides, "key=value, stronger than file and environment")
      ->allow_extra_args(false)
      ->take_all();
  app.add_option("--name", flags.name, "Instance: a, b, c … by position in topology.toml")
      ->capture_default_str();
  app.add_flag("--check-config", flags.check, "Check both files and end");
  app.add_flag("--print-config", flags.print, "Print every value with its origin and end");
  app.add_flag("--version", flags.version, "Print the version and end");
  for (const auto& extra : spec.extra_flags)
    app.add_option(std::string(extra.name), flags.extra[std::string(extra.name)],
                   std::string(extra.sentence))
        ->check(CLI::IsMember(split_choices(extra.choices)));
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    out << app.help();
    return std::unexpected(kExitOk);
  } catch (const CLI::ParseError& error) {
    err << "error " << error_code_text(Errc::kUsage) << ": " << error.what() << "\n   = " << program
        << " --help\n";
    return std::unexpected(kExitUsage);
  }
  std::erase_if(flags.extra, [](const auto& entry) { return entry.second.empty(); });
  if (flags.version) {
    out << program << " " << spec.version << "\n";
    return std::unexpected(kExitOk);
  }
  return flags;
}

Mistake simple_mistake(const Error& error, std::string source, std::string fix) {
  Mistake m;
  m.code = error.code;
  m.message = error.detail;
  m.source = std::move(source);
  m.fix = std::move(fix);
  return m;
}

/// Rules that span several keys.
void check_together(const Start& start, std::vector<Mistake>& mistakes) {
  const auto& v = start.values;
  const bool any =
      !v.text("tls.ca").empty() || !v.text("tls.certificate").empty() || !v.text("tls.key").empty();
  const bool all =
      !v.text("tls.ca").empty() && !v.text("tls.certificate").empty() && !v.text("tls.key").empty();
  if (any && !all)
    mistakes.push_back(simple_mistake({Errc::kConfigMissing, "[tls] is half set"},
                                      start.file.string(),
                                      "set all of tls.ca, tls.certificate, tls.key, or none"));
}

}  // namespace

std::string Start::instance() const {
  return std::string(role_name(role)) + "-" + name;
}

const std::vector<std::string>& Start::peers(Role of) const {
  return topology.idcs.find(idc)->second.of(of);
}

std::string admin_address(const Values& values, Role role, std::string_view listen) {
  const auto key = std::string(role_name(role)) + ".admin";
  if (!values.has(key)) return {};
  const auto& text = values.text(key);
  if (text == "off") return {};
  if (!text.empty()) return text;
  const auto own = split_host_port(listen);
  if (!own || own->port == 0 || own->port == UINT16_MAX) return "127.0.0.1:0";
  return "127.0.0.1:" + std::to_string(own->port + 1);
}

std::expected<Start, int> start_from_command_line(const DaemonSpec& spec, int argc,
                                                  const char* const* argv,
                                                  const std::vector<std::string>& environment,
                                                  std::ostream& out, std::ostream& err) {
  auto flags = parse_flags(spec, argc, argv, out, err);
  if (!flags) return std::unexpected(flags.error());
  Start start;
  start.role = spec.role;
  start.properties = with_common(spec.properties);
  start.version = spec.version;
  start.name = flags->name;
  start.file = flags->file;
  start.overrides = flags->overrides;
  start.extra = flags->extra;

  std::vector<Mistake> mistakes;
  auto values = load({start.properties, start.file, environment, start.overrides});
  if (!values) {
    err << render(values.error());
    return std::unexpected(kExitUsage);
  }
  start.values = *std::move(values);
  auto topology = load_topology(start.values.text("host.topology"));
  if (!topology) {
    err << render(topology.error());
    return std::unexpected(kExitUsage);
  }
  start.topology = *std::move(topology);
  start.idc = start.values.text("host.idc");
  auto address = start.topology.address(start.idc, start.role, start.name);
  if (!address) {
    mistakes.push_back(simple_mistake(address.error(), start.values.text("host.topology"),
                                      "host.idc and --name pick the own place in the topology"));
  } else {
    start.address = *std::move(address);
    start.index = *instance_index(start.name);
    start.admin_address = admin_address(start.values, start.role, start.address);
    if (!start.admin_address.empty())
      if (auto ok = check_address(start.admin_address); !ok)
        mistakes.push_back(simple_mistake(
            ok.error(), std::string(role_name(start.role)) + ".admin",
            R"(write "IP:PORT", "off", or "" for 127.0.0.1 and the listen port + 1)"));
  }
  check_together(start, mistakes);
  if (!mistakes.empty()) {
    err << render(mistakes);
    return std::unexpected(kExitUsage);
  }
  if (flags->print) out << render_values(start.values);
  if (flags->check)
    out << start.instance() << ": configuration fine (" << start.values.hash() << ", topology "
        << start.topology.hash << ", version " << start.topology.version << ")\n";
  if (flags->print || flags->check) return std::unexpected(kExitOk);
  return start;
}

std::expected<Start, int> start_from_command_line(const DaemonSpec& spec, int argc,
                                                  const char* const* argv) {
  return start_from_command_line(spec, argc, argv, process_environment(), std::cout, std::cerr);
}

std::expected<Reload, std::vector<Mistake>> reload(const Start& start, const Values& current) {
  auto loaded = load({start.properties, start.file, process_environment(), start.overrides});
  if (!loaded) return std::unexpected(std::move(loaded).error());
  Reload out;
  out.values = current;
  for (const auto& p : start.properties) {
    const auto& fresh = loaded->all().find(p.key)->second;
    const auto& old = current.all().find(p.key)->second;
    const bool same_secret =
        p.kind != Kind::kSecret || loaded->secret(p.key).reveal() == current.secret(p.key).reveal();
    if (fresh.shown == old.shown && same_secret) {
      ++out.unchanged;
    } else if (p.apply == Apply::kLive) {
      out.values.set(p.key, fresh);
      out.applied.emplace_back(p.key);
    } else {
      out.needs_restart.emplace_back(p.key);
    }
  }
  return out;
}

}  // namespace hy::config
