#include "common/config/property.h"

#include <array>
#include <cctype>

#include "common/base/bytes.h"
#include "common/base/check.h"

namespace hy::config {
namespace {

constexpr std::array kCommon{
    Property{.key = "host.idc",
             .kind = Kind::kText,
             .min = "1",
             .max = "32",
             .sentence = "Name of this host's IDC group, a table of topology.toml.",
             .required = true},
    Property{.key = "host.topology",
             .kind = Kind::kPath,
             .fallback = "topology.toml",
             .min = "1",
             .sentence = "Path of topology.toml; a relative one starts at this file's folder."},
    Property{.key = "host.data",
             .kind = Kind::kPath,
             .fallback = "data",
             .min = "1",
             .sentence = "Folder for what must survive a restart."},
    Property{.key = "host.advertise",
             .kind = Kind::kText,
             .max = "255",
             .sentence = "Name or address that clients are told; empty = the entry's own."},
    Property{.key = "log.level",
             .kind = Kind::kEnum,
             .fallback = "info",
             .apply = Apply::kLive,
             .sentence = "Least severe level that is written.",
             .choices = "debug|info|warn|error"},
    Property{.key = "log.form",
             .kind = Kind::kEnum,
             .fallback = "auto",
             .sentence = "Form of a line; auto = JSON unless stderr is a terminal.",
             .choices = "auto|json|text"},
    Property{.key = "tls.ca",
             .kind = Kind::kPath,
             .sentence = "CA that signs the daemons' certificates; empty = no TLS between tiers."},
    Property{.key = "tls.certificate",
             .kind = Kind::kPath,
             .sentence = "This daemon's certificate chain; its URI SAN names role and instance."},
    Property{.key = "tls.key", .kind = Kind::kPath, .sentence = "Private key of the certificate."},
};

template <class T>
const T& get(const Value& value) {
  const auto* found = std::get_if<T>(&value.data);
  HY_CHECK(found != nullptr);
  return *found;
}

}  // namespace

const Value& Values::at(std::string_view key) const {
  const auto found = values_.find(key);
  HY_CHECK(found != values_.end());
  return found->second;
}
bool Values::flag(std::string_view key) const {
  return get<bool>(at(key));
}
std::int64_t Values::integer(std::string_view key) const {
  return get<std::int64_t>(at(key));
}
Millis Values::duration(std::string_view key) const {
  return get<Millis>(at(key));
}
std::uint64_t Values::bytes(std::string_view key) const {
  return get<std::uint64_t>(at(key));
}
Rate Values::rate(std::string_view key) const {
  return get<Rate>(at(key));
}
const std::string& Values::text(std::string_view key) const {
  return get<std::string>(at(key));
}
const std::vector<std::string>& Values::list(std::string_view key) const {
  return get<std::vector<std::string>>(at(key));
}
const Secret& Values::secret(std::string_view key) const {
  return get<Secret>(at(key));
}

std::string Values::hash() const {
  std::string all;
  for (const auto& [key, value] : values_) all.append(key).append("=").append(value.shown) += '\n';
  return fingerprint(all);
}

namespace {
void append_json_text(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += ' ';
    } else {
      out += c;
    }
  }
  out += '"';
}
}  // namespace

std::string Values::to_json() const {
  std::string out = "{";
  for (const auto& [key, value] : values_) {
    if (out.size() > 1) out += ",";
    append_json_text(out, key);
    out += ":{\"value\":";
    // As it stands in the file: texts have their quotes on, numbers and lists are JSON already.
    append_json_text(out, value.shown);
    out += ",\"source\":";
    append_json_text(out, source_name(value.source));
    out += ",\"origin\":";
    append_json_text(out, value.origin);
    out += "}";
  }
  return out + "}";
}

std::span<const Property> common_properties() {
  return kCommon;
}

std::vector<Property> with_common(std::span<const Property> own) {
  std::vector<Property> out(kCommon.begin(), kCommon.end());
  out.insert(out.end(), own.begin(), own.end());
  return out;
}

std::string_view kind_name(Kind kind) {
  switch (kind) {
    case Kind::kBool: return "boolean";
    case Kind::kInteger: return "integer";
    case Kind::kDuration: return "duration";
    case Kind::kSize: return "size";
    case Kind::kRate: return "rate";
    case Kind::kText: return "text";
    case Kind::kPath: return "path";
    case Kind::kTextList: return "list of texts";
    case Kind::kEnum: return "choice";
    case Kind::kSecret: return "secret";
    case Kind::kAddress: return "address";
    case Kind::kAddressList: return "list of addresses";
  }
  return "unknown";
}

std::string_view source_name(Source source) {
  switch (source) {
    case Source::kFlag: return "flag";
    case Source::kEnvironment: return "environment";
    case Source::kFile: return "file";
    case Source::kDefault: return "default";
  }
  return "unknown";
}

std::string env_name(std::string_view key) {
  std::string out = "HY_";
  for (const char c : key)
    out += c == '.' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return out;
}

std::string allowed_range(const Property& p) {
  if (p.kind == Kind::kEnum) {
    std::string out = "\"";
    for (const char c : p.choices) {
      if (c == '|')
        out += "\", \"";
      else
        out += c;
    }
    return out + "\"";
  }
  std::string unit;
  if (p.kind == Kind::kRate) unit = " per second";
  if (p.kind == Kind::kText || p.kind == Kind::kPath) unit = " bytes";
  if (p.kind == Kind::kTextList || p.kind == Kind::kAddressList) unit = " entries";
  const std::string min(p.min);
  const std::string max(p.max);
  if (!min.empty() && !max.empty()) return min + " to " + max + unit;
  if (!min.empty()) return "at least " + min + unit;
  if (!max.empty()) return "at most " + max + unit;
  return p.kind == Kind::kInteger ? "0 or more" : "";
}

std::string fingerprint(std::string_view text) {
  std::uint64_t h = 0xcbf29ce484222325ULL;  // FNV-1a, draft-eastlake-fnv §5
  for (const char c : text) {
    h ^= static_cast<unsigned char>(c);
    h *= 0x100000001b3ULL;
  }
  std::array<std::uint8_t, 8> be{};
  put_be(be.data(), h);
  return to_hex(be);
}

}  // namespace hy::config
