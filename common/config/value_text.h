#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/config/property.h"

namespace hy::config {

/// The forms of property.h from text. Errors: kConfigWrongType, kConfigMissingUnit,
/// kConfigOutOfBounds (does not fit 63 bits); the detail is a full sentence with an example.
Result<bool> parse_bool(std::string_view text);
Result<std::int64_t> parse_integer(std::string_view text);
Result<Millis> parse_duration(std::string_view text);
Result<std::uint64_t> parse_size(std::string_view text);
Result<Rate> parse_rate(std::string_view text);
/// Checks "IP:PORT", "host:port", "[v6]:port" (port 0–65535) or "unix:/path".
Status check_address(std::string_view text);

std::string duration_text(Millis value);
std::string size_text(std::uint64_t bytes);
std::string rate_text(const Rate& rate);

/// "host", "port" of "host:port" or "[v6]:port"; nullopt for "unix:…" and for anything else.
struct HostPort {
  std::string host;
  std::uint16_t port = 0;
};
std::optional<HostPort> split_host_port(std::string_view address);

/// Parses the text of a value that is not a secret and checks its bounds.
Result<Value> parse_value(const Property& property, std::string_view text);
/// The value of a kTextList or kAddressList from its items.
Result<Value> list_value(const Property& property, std::vector<std::string> items);
/// Text in quotes, as TOML writes it.
std::string toml_quoted(std::string_view text);
/// Checks the bounds of a parsed value.
Status check_bounds(const Property& property, const Value& value);

}  // namespace hy::config
