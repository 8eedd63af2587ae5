#include "common/config/value_text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace hy::config {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};
constexpr std::array<Unit, 5> kDurationUnits{
    {{"ms", 1}, {"s", 1'000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}}};
constexpr std::array<Unit, 5> kSizeUnits{
    {{"B", 1}, {"KiB", 1ULL << 10}, {"MiB", 1ULL << 20}, {"GiB", 1ULL << 30}, {"TiB", 1ULL << 40}}};
constexpr std::array<Unit, 4> kCountUnits{
    {{"", 1}, {"k", 1'000}, {"M", 1'000'000}, {"G", 1'000'000'000}}};
constexpr std::uint64_t kMax = static_cast<std::uint64_t>(INT64_MAX);

enum class Numbered : std::uint8_t { kOk, kNoNumber, kNoUnit, kBadUnit, kTooLarge };

/// digits, then one of `units`, nothing else.
template <std::size_t N>
Numbered number_with_unit(std::string_view text, const std::array<Unit, N>& units,
                          std::uint64_t& out) {
  std::uint64_t n = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (ec == std::errc::result_out_of_range) return Numbered::kTooLarge;
  if (ec != std::errc{}) return Numbered::kNoNumber;
  const std::string_view rest(end, static_cast<std::size_t>(text.data() + text.size() - end));
  const auto unit = std::ranges::find(units, rest, &Unit::name);
  if (unit == units.end()) return rest.empty() ? Numbered::kNoUnit : Numbered::kBadUnit;
  if (n > kMax / unit->factor) return Numbered::kTooLarge;
  out = n * unit->factor;
  return Numbered::kOk;
}

template <std::size_t N>
std::string with_unit(std::uint64_t value, const std::array<Unit, N>& units) {
  for (auto unit = units.rbegin(); unit != units.rend(); ++unit)
    if (value != 0 && value % unit->factor == 0)
      return std::to_string(value / unit->factor) + std::string(unit->name);
  return std::to_string(value) + std::string(units.front().name);
}

Result<std::uint64_t> report(Numbered n, std::uint64_t value, std::string_view what,
                             std::string_view example) {
  switch (n) {
    case Numbered::kOk: return value;
    case Numbered::kNoUnit:
      return fail(Errc::kConfigMissingUnit,
                  std::string(what) + " needs its unit: " + std::string(example));
    case Numbered::kTooLarge:
      return fail(Errc::kConfigOutOfBounds, std::string(what) + " does not fit 63 bits");
    case Numbered::kNoNumber:
    case Numbered::kBadUnit: break;
  }
  return fail(Errc::kConfigWrongType,
              "not " + std::string(what) + ": write " + std::string(example));
}

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> out;
  while (!trimmed(text).empty()) {
    const auto comma = text.find(',');
    if (const auto item = trimmed(text.substr(0, comma)); !item.empty()) out.emplace_back(item);
    if (comma == text.npos) break;
    text.remove_prefix(comma + 1);
  }
  return out;
}

}  // namespace

std::string toml_quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n')
      out += "\\n";
    else
      out += c;
  }
  return out + "\"";
}

Result<Value> list_value(const Property& property, std::vector<std::string> items) {
  Value out;
  out.shown = "[";
  for (const auto& item : items)
    out.shown += (out.shown.size() > 1 ? ", " : "") + toml_quoted(item);
  out.shown += "]";
  out.data = std::move(items);
  HY_TRY_VOID(check_bounds(property, out));
  return out;
}

Result<bool> parse_bool(std::string_view text) {
  if (text == "true") return true;
  if (text == "false") return false;
  return fail(Errc::kConfigWrongType, "not a boolean: write true or false");
}

Result<std::int64_t> parse_integer(std::string_view text) {
  std::uint64_t n = 0;
  const auto kind = number_with_unit(text, kCountUnits, n);
  HY_TRY(const auto value, report(kind, n, "an integer", "200, \"200k\" or \"2M\""));
  return static_cast<std::int64_t>(value);
}

Result<Millis> parse_duration(std::string_view text) {
  std::uint64_t n = 0;
  const auto kind = number_with_unit(text, kDurationUnits, n);
  HY_TRY(const auto value,
         report(kind, n, "a duration", R"("250ms", "5s", "10m", "24h" or "90d")"));
  return Millis(static_cast<std::int64_t>(value));
}

Result<std::uint64_t> parse_size(std::string_view text) {
  std::uint64_t n = 0;
  const auto kind = number_with_unit(text, kSizeUnits, n);
  return report(kind, n, "a size", R"("512B", "64KiB" or "1MiB")");
}

Result<Rate> parse_rate(std::string_view text) {
  constexpr std::string_view kForm = R"(write "20/s burst 50" (per s, min or h))";
  const auto slash = text.find('/');
  Rate rate;
  const auto number = [](std::string_view in, std::uint32_t& out) {
    const auto [end, ec] = std::from_chars(in.data(), in.data() + in.size(), out);
    return ec == std::errc{} && end == in.data() + in.size();
  };
  if (slash == text.npos) {
    std::uint32_t n = 0;
    if (number(text, n))
      return fail(Errc::kConfigMissingUnit, "a rate needs its unit: " + std::string(kForm));
    return fail(Errc::kConfigWrongType, "not a rate: " + std::string(kForm));
  }
  auto rest = text.substr(slash + 1);
  const auto blank = rest.find(' ');
  const auto unit = rest.substr(0, blank);
  if (unit == "s")
    rate.period = Millis(1'000);
  else if (unit == "min")
    rate.period = Millis(60'000);
  else if (unit == "h")
    rate.period = Millis(3'600'000);
  else
    return fail(Errc::kConfigMissingUnit, "a rate needs its unit: " + std::string(kForm));
  if (!number(text.substr(0, slash), rate.count))
    return fail(Errc::kConfigWrongType, "not a rate: " + std::string(kForm));
  rate.burst = rate.count;
  if (blank != rest.npos) {
    auto burst = trimmed(rest.substr(blank));
    if (!burst.starts_with("burst ") || !number(trimmed(burst.substr(6)), rate.burst))
      return fail(Errc::kConfigWrongType, "not a rate: " + std::string(kForm));
  }
  if (rate.count == 0 || rate.burst == 0)
    return fail(Errc::kConfigOutOfBounds, "a rate and its burst are at least 1");
  return rate;
}

std::optional<HostPort> split_host_port(std::string_view address) {
  const auto colon = address.rfind(':');
  if (colon == address.npos || colon == 0 || address.starts_with("unix:")) return std::nullopt;
  auto host = address.substr(0, colon);
  const auto port_text = address.substr(colon + 1);
  std::uint16_t port = 0;
  const auto [end, ec] =
      std::from_chars(port_text.data(), port_text.data() + port_text.size(), port);
  if (ec != std::errc{} || end != port_text.data() + port_text.size()) return std::nullopt;
  if (host.starts_with('[') && host.ends_with(']'))
    host = host.substr(1, host.size() - 2);
  else if (host.contains(':'))
    return std::nullopt;
  if (host.empty() || host.find_first_of(" \t/\"'") != host.npos) return std::nullopt;
  return HostPort{std::string(host), port};
}

Status check_address(std::string_view text) {
  if (text.starts_with("unix:")) {
    constexpr std::size_t kUnixPathMax = 107;  // sockaddr_un::sun_path with its NUL
    if (text.size() < 6 || text[5] != '/')
      return fail(Errc::kConfigWrongType, "a Unix socket is written unix:/absolute/path");
    if (text.size() - 5 > kUnixPathMax)
      return fail(Errc::kConfigOutOfBounds, "a Unix socket's path has at most 107 bytes");
    return {};
  }
  if (!split_host_port(text))
    return fail(Errc::kConfigWrongType,
                R"(not an address: write "127.0.0.1:14000", "host:14000" or "unix:/path")");
  return {};
}

std::string duration_text(Millis value) {
  return with_unit(static_cast<std::uint64_t>(value.count()), kDurationUnits);
}
std::string size_text(std::uint64_t bytes) {
  return with_unit(bytes, kSizeUnits);
}
std::string rate_text(const Rate& rate) {
  const auto unit = rate.period == Millis(1'000)    ? "s"
                    : rate.period == Millis(60'000) ? "min"
                                                    : "h";
  return std::to_string(rate.count) + "/" + unit + " burst " + std::to_string(rate.burst);
}

Result<Value> parse_value(const Property& property, std::string_view text) {
  Value out;
  switch (property.kind) {
    case Kind::kBool: {
      HY_TRY(const bool v, parse_bool(text));
      out.data = v;
      out.shown = v ? "true" : "false";
      break;
    }
    case Kind::kInteger: {
      HY_TRY(const auto v, parse_integer(text));
      out.data = v;
      out.shown = std::to_string(v);
      break;
    }
    case Kind::kDuration: {
      HY_TRY(const auto v, parse_duration(text));
      out.data = v;
      out.shown = toml_quoted(duration_text(v));
      break;
    }
    case Kind::kSize: {
      HY_TRY(const auto v, parse_size(text));
      out.data = v;
      out.shown = toml_quoted(size_text(v));
      break;
    }
    case Kind::kRate: {
      HY_TRY(const auto v, parse_rate(text));
      out.data = v;
      out.shown = toml_quoted(rate_text(v));
      break;
    }
    case Kind::kText:
    case Kind::kPath:
    case Kind::kEnum:
    case Kind::kAddress:
    case Kind::kSecret:
      out.data = std::string(text);
      out.shown = toml_quoted(text);
      break;
    case Kind::kTextList:
    case Kind::kAddressList: return list_value(property, split_list(text));
  }
  HY_TRY_VOID(check_bounds(property, out));
  return out;
}

namespace {

Status between(const Property& p, std::uint64_t value, auto parse) {
  // The table's own bounds parse: the golden test of every daemon's table renders them.
  const auto bound = [&](std::string_view text, std::uint64_t none) {
    if (text.empty()) return none;
    const auto parsed = parse(text);
    return parsed ? static_cast<std::uint64_t>(*parsed) : none;
  };
  if (value < bound(p.min, 0) || value > bound(p.max, kMax))
    return fail(Errc::kConfigOutOfBounds, "allowed: " + allowed_range(p));
  return {};
}

Status check_choice(const Property& p, std::string_view text) {
  for (std::string_view rest = p.choices; !rest.empty();) {
    const auto bar = rest.find('|');
    if (rest.substr(0, bar) == text) return {};
    if (bar == rest.npos) break;
    rest.remove_prefix(bar + 1);
  }
  return fail(Errc::kConfigOutOfBounds, "allowed: " + allowed_range(p));
}

Status check_text(const Property& p, const std::string& text) {
  if (text.contains('\0')) return fail(Errc::kConfigWrongType, "a text without NUL bytes");
  return between(p, text.size(), parse_integer);
}

}  // namespace

Status check_bounds(const Property& p, const Value& value) {
  switch (p.kind) {
    case Kind::kBool:
    case Kind::kSecret: return {};
    case Kind::kInteger: {
      const auto v = std::get<std::int64_t>(value.data);
      if (v < 0) return fail(Errc::kConfigOutOfBounds, "allowed: " + allowed_range(p));
      return between(p, static_cast<std::uint64_t>(v), parse_integer);
    }
    case Kind::kDuration:
      return between(p, static_cast<std::uint64_t>(std::get<Millis>(value.data).count()),
                     [](std::string_view t) -> Result<std::int64_t> {
                       HY_TRY(const auto d, parse_duration(t));
                       return d.count();
                     });
    case Kind::kSize: return between(p, std::get<std::uint64_t>(value.data), parse_size);
    case Kind::kRate: {
      // Bounds of a rate are per second, rounded up: a slow rate is never below 1 by rounding.
      const auto v = std::get<Rate>(value.data);
      return between(p, static_cast<std::uint64_t>(std::ceil(v.per_second())), parse_integer);
    }
    case Kind::kText:
    case Kind::kPath: return check_text(p, std::get<std::string>(value.data));
    case Kind::kEnum: return check_choice(p, std::get<std::string>(value.data));
    case Kind::kAddress: {
      const auto& text = std::get<std::string>(value.data);
      return text.empty() ? Status{} : check_address(text);
    }
    case Kind::kTextList:
      return between(p, std::get<std::vector<std::string>>(value.data).size(), parse_integer);
    case Kind::kAddressList:
      for (const auto& item : std::get<std::vector<std::string>>(value.data))
        HY_TRY_VOID(check_address(item));
      return between(p, std::get<std::vector<std::string>>(value.data).size(), parse_integer);
  }
  return {};
}

}  // namespace hy::config
