#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace hy::entry {

/// An IPv6 address; IPv4 as ::ffff:a.b.c.d.
struct IpAddress {
  std::array<std::uint8_t, 16> bytes{};
  friend constexpr auto operator<=>(const IpAddress&, const IpAddress&) = default;

  [[nodiscard]] bool is_v4() const;
  static IpAddress v4(std::uint32_t host_order);
  /// "192.0.2.7" or "2001:db8::1". nullopt: neither.
  static std::optional<IpAddress> parse(std::string_view text);
  [[nodiscard]] std::string text() const;
  /// What is limited as one peer: an IPv4 address, or an IPv6 /64.
  [[nodiscard]] IpAddress peer_prefix() const;
};

/// First and last address of a prefix.
struct IpRange {
  IpAddress first;
  IpAddress last;
  /// "10.0.0.0/8", "2001:db8::/32", or one address. nullopt: malformed, a length out of range, or
  /// bits set behind the prefix.
  static std::optional<IpRange> parse(std::string_view text);
};

}  // namespace hy::entry
