#include "common/config/toml_loader.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <set>

#include "common/base/check.h"
#include "common/config/did_you_mean.h"
#include "common/config/secret_source.h"
#include "common/config/toml_document.h"
#include "common/config/value_text.h"

namespace hy::config {
namespace {

/// Tables that some daemon or tool judges; the others leave them alone.
constexpr std::array<std::string_view, 5> kTablesOfOthers{"entry", "logic", "router", "das", "web"};
/// Variables of the tests and tools, not of the configuration.
constexpr std::array<std::string_view, 2> kOtherVariables{"HY_NOISE_VECTORS", "HY_GOLDEN_WRITE"};

std::string_view table_of(std::string_view key) {
  return key.substr(0, key.find('.'));
}

std::string quote(std::string_view name) {
  return "\"" + std::string(name) + "\"";
}

std::string suggestion(const std::string& near, std::string_view otherwise) {
  return near.empty() ? std::string(otherwise) : "did you mean " + quote(near) + "?";
}

std::string_view form_of(Kind kind) {
  switch (kind) {
    case Kind::kBool: return "true or false";
    case Kind::kInteger: return "200, \"200k\" or \"2M\"";
    case Kind::kDuration: return R"("250ms", "5s", "10m", "24h" or "90d")";
    case Kind::kSize: return R"("512B", "64KiB" or "1MiB")";
    case Kind::kRate: return R"("20/s burst 50")";
    case Kind::kText:
    case Kind::kPath:
    case Kind::kEnum: return "a text in quotes";
    case Kind::kTextList: return R"(a list of texts: ["a", "b"])";
    case Kind::kSecret: return R"({ file = "…" }, { env = "…" } or { credential = "…" })";
    case Kind::kAddress: return R"("127.0.0.1:14000", "host:14000" or "unix:/path")";
    case Kind::kAddressList: return R"(a list of addresses: ["127.0.0.1:14000"])";
  }
  return "";
}

class Loader {
 public:
  Loader(const LoadRequest& request, Document doc)
      : request_(request), doc_(std::move(doc)), folder_(request.file.parent_path()) {
    for (const auto& p : request_.properties) own_tables_.emplace(table_of(p.key));
  }

  std::expected<Values, std::vector<Mistake>> run() {
    has_syntax_mistakes_ = !doc_.mistakes.empty();
    read_root();
    std::ranges::sort(doc_.mistakes, {},
                      [](const Mistake& m) { return std::pair(m.line, m.column); });
    read_environment();
    read_overrides();
    fill_defaults();
    if (!doc_.mistakes.empty()) return std::unexpected(std::move(doc_.mistakes));
    return std::move(values_);
  }

 private:
  const Property* find(std::string_view key) const {
    const auto found = std::ranges::find(request_.properties, key, &Property::key);
    return found == request_.properties.end() ? nullptr : &*found;
  }
  void add(Mistake m) { doc_.mistakes.push_back(std::move(m)); }
  void add_error(Mistake m, const Property& p, const Error& error) {
    m.code = error.code;
    m.message = "bad value of " + quote(p.key);
    m.fix = error.detail;
    m.help = std::string(p.sentence);
    add(std::move(m));
  }

  void read_root() {
    collect_variables(doc_.root);
    for (const auto& [key, node] : doc_.root) {
      const std::string name(key.str());
      if (own_tables_.contains(name)) {
        if (const auto* table = node.as_table())
          read_table(*table, name);
        else
          add(doc_.at(key.source(), Errc::kConfigWrongType, quote(name) + " is a table",
                      "write [" + name + "] on a line of its own"));
      } else if (std::ranges::find(kTablesOfOthers, name) == kTablesOfOthers.end()) {
        unknown_table(key, name, node.is_table());
      }
    }
  }

  /// Variables that any table names as { env = "HY_…" } are known, whoever reads them.
  void collect_variables(const toml::table& table) {
    for (const auto& [key, node] : table) {
      if (const auto* inner = node.as_table()) collect_variables(*inner);
      if (const auto* text = node.as_string(); text != nullptr && key.str() == "env")
        variables_.insert(text->get());
    }
  }

  void unknown_table(const toml::key& key, const std::string& name, bool is_table) {
    std::vector<std::string_view> known(own_tables_.begin(), own_tables_.end());
    known.insert(known.end(), kTablesOfOthers.begin(), kTablesOfOthers.end());
    if (!is_table) {
      // A key above the first header, very often one that belongs into a table.
      for (const auto& p : request_.properties)
        if (p.key.substr(p.key.find('.') + 1) == name)
          return add(doc_.at(key.source(), Errc::kConfigUnknownKey,
                             "key " + quote(name) + " stands outside a table",
                             "move it below [" + std::string(table_of(p.key)) + "]"));
    }
    add(doc_.at(key.source(), Errc::kConfigUnknownKey,
                std::string(is_table ? "unknown table " : "unknown key ") + quote(name),
                suggestion(did_you_mean(name, known), "remove it")));
  }

  void read_table(const toml::table& table, const std::string& prefix) {
    for (const auto& [key, node] : table) {
      const auto path = prefix + "." + std::string(key.str());
      if (const auto* p = find(path)) {
        read_node(*p, node);
      } else if (has_children(path)) {
        if (const auto* inner = node.as_table())
          read_table(*inner, path);
        else
          add(doc_.at(node.source(), Errc::kConfigWrongType, quote(path) + " is a table",
                      "write { " + children_of(path).front() + " = … }"));
      } else {
        unknown_key(key, prefix);
      }
    }
  }

  bool has_children(const std::string& path) const {
    return std::ranges::any_of(request_.properties, [&](const Property& p) {
      return p.key.size() > path.size() && p.key.starts_with(path) && p.key[path.size()] == '.';
    });
  }

  /// Names that may stand directly in this table.
  std::vector<std::string> children_of(const std::string& path) const {
    std::vector<std::string> out;
    for (const auto& p : request_.properties) {
      if (!p.key.starts_with(path + ".")) continue;
      const auto rest = p.key.substr(path.size() + 1);
      std::string name(rest.substr(0, rest.find('.')));
      if (std::ranges::find(out, name) == out.end()) out.push_back(std::move(name));
    }
    return out;
  }

  void unknown_key(const toml::key& key, const std::string& prefix) {
    const auto children = children_of(prefix);
    const std::vector<std::string_view> known(children.begin(), children.end());
    const auto near = did_you_mean(key.str(), known);
    std::string fix = suggestion(near, "remove it");
    std::string help;
    if (const auto* p = find(prefix + "." + near))
      help = std::string(p->key) + ": " + std::string(p->sentence);
    if (near.empty()) {
      // The right name in the wrong table.
      for (const auto& p : request_.properties)
        if (p.key.substr(p.key.rfind('.') + 1) == key.str())
          fix = "did you mean " + quote(p.key) + "?";
    }
    auto m = doc_.at(key.source(), Errc::kConfigUnknownKey, "unknown key " + quote(key.str()), fix);
    m.help = help;
    add(std::move(m));
  }

  void read_node(const Property& p, const toml::node& node) {
    const auto wrong_type = [&] {
      const bool unitless = node.is_number() && (p.kind == Kind::kDuration ||
                                                 p.kind == Kind::kSize || p.kind == Kind::kRate);
      auto m = doc_.at(
          node.source(), unitless ? Errc::kConfigMissingUnit : Errc::kConfigWrongType,
          quote(p.key) + (unitless ? " needs a unit" : " is a " + std::string(kind_name(p.kind))),
          "write " + std::string(form_of(p.kind)));
      m.help = std::string(p.sentence);
      add(std::move(m));
    };
    Result<Value> value = fail(Errc::kInternal);
    if (p.kind == Kind::kSecret) {
      const auto source = secret_source(node);
      if (!source) return wrong_type();
      value = secret_value(p, *source);
    } else if (p.kind == Kind::kTextList || p.kind == Kind::kAddressList) {
      std::vector<std::string> items;
      const auto* array = node.as_array();
      if (array == nullptr) return wrong_type();
      for (const auto& item : *array) {
        const auto* text = item.as_string();
        if (text == nullptr) return wrong_type();
        items.push_back(text->get());
      }
      value = list_value(p, std::move(items));
    } else if (const auto* flag = node.as_boolean(); flag != nullptr && p.kind == Kind::kBool) {
      value = parse_value(p, flag->get() ? "true" : "false");
    } else if (const auto* number = node.as_integer();
               number != nullptr && p.kind == Kind::kInteger) {
      value = number->get() < 0
                  ? Result<Value>(fail(Errc::kConfigOutOfBounds, "allowed: " + allowed_range(p)))
                  : parse_value(p, std::to_string(number->get()));
    } else if (const auto* text = node.as_string(); text != nullptr && p.kind != Kind::kBool) {
      value = parse_value(p, text->get());
    } else {
      return wrong_type();
    }
    if (!value) return add_error(doc_.at(node.source(), Errc::kInternal, {}, {}), p, value.error());
    store(p, *std::move(value), Source::kFile,
          request_.file.filename().string() + ":" + std::to_string(node.source().begin.line));
  }

  static std::optional<SecretSource> secret_source(const toml::node& node) {
    const auto* table = node.as_table();
    if (table == nullptr || table->size() != 1) return std::nullopt;
    const auto& [key, inner] = *table->begin();
    const auto* text = inner.as_string();
    if (text == nullptr || text->get().empty()) return std::nullopt;
    SecretSource out;
    if (key.str() == "file")
      out.file = text->get();
    else if (key.str() == "env")
      out.env = text->get();
    else if (key.str() == "credential")
      out.credential = text->get();
    else
      return std::nullopt;
    return out;
  }

  Result<Value> secret_value(const Property& p, const SecretSource& source) const {
    HY_TRY(auto secret, read_secret(source, folder_, request_.environment, p.hex_bytes));
    Value out;
    out.data = std::move(secret);
    out.shown = "***";
    return out;
  }

  void store(const Property& p, Value value, Source source, std::string origin) {
    if (p.kind == Kind::kPath) {
      // Relative to the file that names it: the daemon may be started from anywhere.
      auto& text = std::get<std::string>(value.data);
      if (!text.empty() && !folder_.empty()) text = (folder_ / text).lexically_normal().string();
      value.shown = toml_quoted(text);
    }
    value.source = source;
    value.origin = std::move(origin);
    values_.set(p.key, std::move(value));
  }

  /// A value from a variable or flag. Secrets come as "file:PATH", "env:NAME", "credential:NAME":
  /// argv and environment are no places for a secret's text.
  Result<Value> from_text(const Property& p, std::string_view text) const {
    if (p.kind != Kind::kSecret) return parse_value(p, text);
    SecretSource source;
    if (text.starts_with("file:"))
      source.file = text.substr(5);
    else if (text.starts_with("env:"))
      source.env = text.substr(4);
    else if (text.starts_with("credential:"))
      source.credential = text.substr(11);
    else
      return fail(Errc::kConfigWrongType, "write file:PATH, env:NAME or credential:NAME");
    return secret_value(p, source);
  }

  bool is_known_variable(std::string_view name) const {
    if (variables_.contains(name) || name.starts_with("HY_TEST_")) return true;
    if (std::ranges::find(kOtherVariables, name) != kOtherVariables.end()) return true;
    return std::ranges::any_of(kTablesOfOthers, [&](std::string_view table) {
      return !own_tables_.contains(table) && name.starts_with(env_name(table) + "_");
    });
  }

  void read_environment() {
    std::vector<std::string> names;
    for (const auto& p : request_.properties) names.push_back(env_name(p.key));
    for (const auto& variable : request_.environment) {
      if (!variable.starts_with("HY_")) continue;
      const auto name = variable.substr(0, variable.find('='));
      const auto found = std::ranges::find(names, name);
      Mistake m;
      m.source = name;
      if (found == names.end()) {
        if (is_known_variable(name)) continue;
        const std::vector<std::string_view> known(names.begin(), names.end());
        m.code = Errc::kConfigUnknownKey;
        m.message = "unknown variable " + quote(name);
        m.fix = suggestion(did_you_mean(name, known), "unset it");
        add(std::move(m));
        continue;
      }
      const auto& p = request_.properties[static_cast<std::size_t>(found - names.begin())];
      // An entry without '=' is legal for execve and has no value.
      auto value = from_text(
          p, std::string_view(variable).substr(std::min(name.size() + 1, variable.size())));
      if (!value) {
        add_error(std::move(m), p, value.error());
        continue;
      }
      store(p, *std::move(value), Source::kEnvironment, name);
    }
  }

  void read_overrides() {
    for (const auto& text : request_.overrides) {
      const auto equals = text.find('=');
      const auto key = text.substr(0, equals);
      Mistake m;
      m.source = "--set " + key;
      const auto* p = equals == text.npos ? nullptr : find(key);
      if (p == nullptr) {
        std::vector<std::string_view> known;
        for (const auto& each : request_.properties) known.push_back(each.key);
        m.code = equals == text.npos ? Errc::kConfigSyntax : Errc::kConfigUnknownKey;
        m.message = equals == text.npos ? "--set wants key=value, not " + quote(text)
                                        : "unknown key " + quote(key);
        m.fix = equals == text.npos ? "write --set " + key + "=…"
                                    : suggestion(did_you_mean(key, known), "remove it");
        add(std::move(m));
        continue;
      }
      auto value = from_text(*p, std::string_view(text).substr(equals + 1));
      if (!value) {
        add_error(std::move(m), *p, value.error());
        continue;
      }
      store(*p, *std::move(value), Source::kFlag, "--set");
    }
  }

  void fill_defaults() {
    for (const auto& p : request_.properties) {
      if (values_.has(p.key)) continue;
      if (p.required) {
        missing(p);
        continue;
      }
      Value value;
      if (p.kind == Kind::kSecret) {
        value.data = Secret();
        value.shown = "\"\"";
      } else {
        auto parsed = parse_value(p, p.fallback);
        // An empty text or list stands for "not set", whatever its smallest length.
        if (!parsed && p.fallback.empty()) {
          auto free = p;
          free.min = {};
          free.choices = {};
          parsed = parse_value(free, p.fallback);
        }
        HY_CHECK(parsed.has_value());  // a default outside its own bounds is a bug of the table
        value = *std::move(parsed);
      }
      store(p, std::move(value), Source::kDefault, "default");
    }
  }

  void missing(const Property& p) {
    // A value that is there and wrong has its own mistake; so may a line that did not parse.
    if (has_syntax_mistakes_) return;
    const auto said = quote(p.key);
    if (std::ranges::any_of(doc_.mistakes,
                            [&](const Mistake& m) { return m.message.contains(said); }))
      return;
    Mistake m;
    const auto* table = doc_.root.get_as<toml::table>(table_of(p.key));
    if (table != nullptr) m = doc_.at(table->source(), Errc::kConfigMissing, {}, {});
    m.code = Errc::kConfigMissing;
    m.source = request_.file.string();
    m.message = "required key " + said + " is not set";
    m.fix = "add " + std::string(p.key.substr(p.key.find('.') + 1)) + " = " +
            std::string(form_of(p.kind));
    m.help = std::string(p.sentence);
    add(std::move(m));
  }

  const LoadRequest& request_;
  Document doc_;
  std::filesystem::path folder_;
  std::set<std::string, std::less<>> own_tables_;
  std::set<std::string, std::less<>> variables_;
  Values values_;
  bool has_syntax_mistakes_ = false;
};

}  // namespace

std::expected<Values, std::vector<Mistake>> load_text(const LoadRequest& request,
                                                      std::string_view text) {
  return Loader(request, parse_document(text, request.file.string())).run();
}

std::expected<Values, std::vector<Mistake>> load(const LoadRequest& request) {
  std::string text;
  Mistake mistake;
  if (!request.file.empty() && !read_config_file(request.file.string(), text, mistake))
    return std::unexpected(std::vector{std::move(mistake)});
  return load_text(request, text);
}

std::vector<std::string> process_environment() {
  std::vector<std::string> out;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry)
    out.emplace_back(*entry);
  return out;
}

}  // namespace hy::config
