#include "common/config/topology.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <set>

#include "common/config/did_you_mean.h"
#include "common/config/property.h"
#include "common/config/toml_document.h"
#include "common/config/value_text.h"

namespace hy::config {
namespace {

constexpr std::uint32_t kShards = 1'024;    // virtual shards, for ever (architecture.md §5)
constexpr std::size_t kInstancesMax = 702;  // "a" … "zz"

class TopologyReader {
 public:
  explicit TopologyReader(Document doc) : doc_(std::move(doc)) {}

  std::expected<Topology, std::vector<Mistake>> run() {
    for (const auto& [key, node] : doc_.root) {
      if (key.str() == "version")
        read_version(node);
      else if (key.str() == "cluster")
        read_text(node, "cluster", out_.cluster);
      else if (key.str() == "idc")
        read_idcs(node);
      else
        unknown(key, {"version", "cluster", "idc"});
    }
    if (doc_.mistakes.empty()) {
      if (out_.version == 0) missing("version", "add version = 1");
      if (out_.cluster.empty()) missing("cluster", "add cluster = \"…\"");
      if (out_.idcs.empty())
        missing("idc", "add a table [idc.NAME] with entry, logic, router, das");
    }
    if (!doc_.mistakes.empty()) {
      std::ranges::sort(doc_.mistakes, {},
                        [](const Mistake& m) { return std::pair(m.line, m.column); });
      return std::unexpected(std::move(doc_.mistakes));
    }
    out_.hash = fingerprint(meaning());
    return std::move(out_);
  }

 private:
  void add(const toml::source_region& where, Errc code, std::string message, std::string fix) {
    doc_.mistakes.push_back(doc_.at(where, code, std::move(message), std::move(fix)));
  }
  void missing(std::string_view key, std::string fix) {
    Mistake m;
    m.code = Errc::kConfigMissing;
    m.source = doc_.file;
    m.message = "required key \"" + std::string(key) + "\" is not set";
    m.fix = std::move(fix);
    doc_.mistakes.push_back(std::move(m));
  }
  void unknown(const toml::key& key, std::initializer_list<std::string_view> known) {
    const std::vector<std::string_view> names(known);
    const auto near = did_you_mean(key.str(), names);
    add(key.source(), Errc::kConfigUnknownKey, "unknown key \"" + std::string(key.str()) + "\"",
        near.empty() ? "remove it" : "did you mean \"" + near + "\"?");
  }

  void read_version(const toml::node& node) {
    const auto* n = node.as_integer();
    if (n == nullptr)
      return add(node.source(), Errc::kConfigWrongType, "\"version\" is an integer",
                 "write version = 1");
    if (n->get() < 1)
      return add(node.source(), Errc::kConfigOutOfBounds, "bad value of \"version\"",
                 "allowed: at least 1");
    out_.version = static_cast<std::uint64_t>(n->get());
  }

  void read_text(const toml::node& node, const std::string& key, std::string& out) {
    const auto* text = node.as_string();
    if (text == nullptr || text->get().empty() || text->get().size() > 64)
      return add(node.source(), Errc::kConfigWrongType, "\"" + key + "\" is a text",
                 "write " + key + " = \"…\" (1 to 64 bytes)");
    out = text->get();
  }

  void read_idcs(const toml::node& node) {
    const auto* table = node.as_table();
    if (table == nullptr)
      return add(node.source(), Errc::kConfigWrongType, "\"idc\" is a table",
                 "write [idc.NAME] on a line of its own");
    for (const auto& [name, inner] : *table) {
      const auto* idc = inner.as_table();
      if (idc == nullptr)
        add(name.source(), Errc::kConfigWrongType,
            "\"idc." + std::string(name.str()) + "\" is a table",
            "write [idc." + std::string(name.str()) + "] on a line of its own");
      else
        read_idc(std::string(name.str()), *idc);
    }
  }

  void read_idc(const std::string& name, const toml::table& table) {
    Idc idc;
    for (const auto& [key, node] : table) {
      const auto path = "idc." + name + "." + std::string(key.str());
      if (key.str() == "entry")
        read_addresses(node, path, idc.entry);
      else if (key.str() == "logic")
        read_addresses(node, path, idc.logic);
      else if (key.str() == "router")
        read_addresses(node, path, idc.router);
      else if (key.str() == "das")
        read_addresses(node, path, idc.das);
      else if (key.str() == "fallback")
        read_addresses(node, path, idc.fallback, false);
      else if (key.str() == "weight")
        read_weight(node, path, idc.weight);
      else if (key.str() == "shards")
        read_shards(node, path, idc.shards);
      else
        unknown(key, {"entry", "logic", "router", "das", "weight", "shards", "fallback"});
    }
    for (const auto role : kRoles)
      if (!table.contains(role_name(role)))
        add(table.source(), Errc::kConfigMissing,
            "required key \"idc." + name + "." + std::string(role_name(role)) + "\" is not set",
            "add " + std::string(role_name(role)) + " = [\"IP:PORT\"]");
    out_.idcs.emplace(name, std::move(idc));
  }

  void read_addresses(const toml::node& node, const std::string& path,
                      std::vector<std::string>& out, bool unique = true) {
    const auto* array = node.as_array();
    if (array == nullptr || array->empty() || array->size() > kInstancesMax)
      return add(node.source(), Errc::kConfigWrongType, "\"" + path + "\" is a list of addresses",
                 "write [\"127.0.0.1:14000\"], 1 to 702 entries");
    for (const auto& item : *array) {
      const auto* text = item.as_string();
      if (text == nullptr) {
        add(item.source(), Errc::kConfigWrongType, "an address is a text",
            "write \"127.0.0.1:14000\" or \"unix:/path\"");
        continue;
      }
      if (auto ok = check_address(text->get()); !ok) {
        add(item.source(), ok.error().code, "bad address in \"" + path + "\"", ok.error().detail);
        continue;
      }
      const auto port = split_host_port(text->get());
      const bool any_port = port && port->port == 0;
      if (any_port)
        add(item.source(), Errc::kConfigOutOfBounds, "port 0 in \"" + path + "\"",
            "allowed: 1 to 65535; peers must know it");
      else if (unique && !seen_.insert(text->get()).second)
        add(item.source(), Errc::kConfigDuplicateKey,
            "\"" + text->get() + "\" is here a second time",
            "every daemon has an address of its own");
      out.push_back(text->get());
    }
  }

  void read_weight(const toml::node& node, const std::string& path, std::uint32_t& out) {
    const auto* n = node.as_integer();
    if (n == nullptr)
      return add(node.source(), Errc::kConfigWrongType, "\"" + path + "\" is an integer",
                 "write weight = 100");
    if (n->get() < 0 || n->get() > 10'000)
      return add(node.source(), Errc::kConfigOutOfBounds, "bad value of \"" + path + "\"",
                 "allowed: 0 to 10000");
    out = static_cast<std::uint32_t>(n->get());
  }

  /// shards = { "0-511" = "mysql-a:3306", "512-1023" = "mysql-b:3306" }
  void read_shards(const toml::node& node, const std::string& path, std::vector<ShardRange>& out) {
    const auto* table = node.as_table();
    if (table == nullptr)
      return add(node.source(), Errc::kConfigWrongType, "\"" + path + "\" is a table",
                 "write { \"0-1023\" = \"host:3306\" }");
    const auto before = doc_.mistakes.size();
    for (const auto& [key, inner] : *table) {
      ShardRange range;
      const auto* server = inner.as_string();
      if (!parse_range(key.str(), range) || server == nullptr || !check_address(server->get())) {
        add(key.source(), Errc::kConfigWrongType, "bad shard range in \"" + path + "\"",
            "write \"0-511\" = \"host:3306\", within 0 to 1023");
        continue;
      }
      range.server = server->get();
      out.push_back(std::move(range));
    }
    if (doc_.mistakes.size() != before) return;
    std::ranges::sort(out, {}, &ShardRange::first);
    std::uint32_t next = 0;
    for (const auto& range : out) {
      if (range.first != next) break;
      next = range.last + 1;
    }
    if (next != kShards || out.back().last != kShards - 1)
      add(node.source(), Errc::kConfigOutOfBounds,
          "\"" + path + "\" does not name each of 0 to 1023 once",
          "shard " + std::to_string(next) + " is missing or named twice");
  }

  static bool parse_range(std::string_view text, ShardRange& out) {
    const auto dash = text.find('-');
    if (dash == text.npos) return false;
    const auto number = [](std::string_view in, std::uint32_t& n) {
      const auto [end, ec] = std::from_chars(in.data(), in.data() + in.size(), n);
      return ec == std::errc{} && end == in.data() + in.size();
    };
    return number(text.substr(0, dash), out.first) && number(text.substr(dash + 1), out.last) &&
           out.first <= out.last && out.last < kShards;
  }

  /// One text per meaning: comments, blanks and the order of tables do not count.
  [[nodiscard]] std::string meaning() const {
    std::string text = std::to_string(out_.version) + "\n" + out_.cluster + "\n";
    for (const auto& [name, idc] : out_.idcs) {
      text += name + " " + std::to_string(idc.weight) + "\n";
      for (const auto role : kRoles)
        for (const auto& address : idc.of(role))
          text.append(role_name(role)).append(" ").append(address) += '\n';
      for (const auto& s : idc.shards)
        text += std::to_string(s.first) + "-" + std::to_string(s.last) + " " + s.server + "\n";
      for (const auto& f : idc.fallback) text += "fallback " + f + "\n";
    }
    return text;
  }

  Document doc_;
  Topology out_;
  std::set<std::string> seen_;
};

}  // namespace

std::string_view role_name(Role role) {
  switch (role) {
    case Role::kEntry: return "entry";
    case Role::kLogic: return "logic";
    case Role::kRouter: return "router";
    case Role::kDas: return "das";
  }
  return "unknown";
}

const std::vector<std::string>& Idc::of(Role role) const {
  switch (role) {
    case Role::kEntry: return entry;
    case Role::kLogic: return logic;
    case Role::kRouter: return router;
    case Role::kDas: break;
  }
  return das;
}

std::optional<std::uint32_t> instance_index(std::string_view name) {
  if (name.empty() || name.size() > 2) return std::nullopt;
  std::uint32_t n = 0;
  for (const char c : name) {
    if (c < 'a' || c > 'z') return std::nullopt;
    n = n * 26 + static_cast<std::uint32_t>(c - 'a') + 1;
  }
  return n - 1;
}

std::string instance_name(std::uint32_t index) {
  std::string out;
  for (std::uint32_t n = index + 1; n > 0; n = (n - 1) / 26)
    out.insert(out.begin(), static_cast<char>('a' + (n - 1) % 26));
  return out;
}

Result<std::string> Topology::address(std::string_view idc, Role role,
                                      std::string_view name) const {
  const auto found = idcs.find(idc);
  if (found == idcs.end()) {
    std::string known;
    for (const auto& [each, unused] : idcs) known += (known.empty() ? "" : ", ") + each;
    return fail(Errc::kConfigUnknownKey,
                "idc \"" + std::string(idc) + "\" is not in topology.toml; it has: " + known);
  }
  const auto& list = found->second.of(role);
  const auto index = instance_index(name);
  if (!index || *index >= list.size())
    return fail(Errc::kConfigUnknownKey,
                std::string(role_name(role)) + " \"" + std::string(name) + "\" is not in idc \"" +
                    std::string(idc) + "\"; it has: a to " +
                    instance_name(static_cast<std::uint32_t>(list.size()) - 1));
  return list[*index];
}

std::expected<Topology, std::vector<Mistake>> parse_topology(std::string_view text,
                                                             const std::string& file) {
  return TopologyReader(parse_document(text, file)).run();
}

std::expected<Topology, std::vector<Mistake>> load_topology(const std::filesystem::path& file) {
  std::string text;
  Mistake mistake;
  if (!read_config_file(file.string(), text, mistake))
    return std::unexpected(std::vector{std::move(mistake)});
  return parse_topology(text, file.string());
}

}  // namespace hy::config
