#include "entry/session/ip_address.h"

#include <arpa/inet.h>

#include <charconv>
#include <cstring>

#include "common/base/bytes.h"

namespace hy::entry {
namespace {

constexpr std::size_t kV4Offset = 12;
constexpr unsigned kBits = 128;
constexpr unsigned kV4Bits = 32;

}  // namespace

bool IpAddress::is_v4() const {
  static constexpr std::array<std::uint8_t, kV4Offset> kMapped{0, 0, 0, 0, 0,    0,
                                                               0, 0, 0, 0, 0xff, 0xff};
  return std::memcmp(bytes.data(), kMapped.data(), kMapped.size()) == 0;
}

IpAddress IpAddress::v4(std::uint32_t host_order) {
  IpAddress out;
  out.bytes[10] = 0xff;
  out.bytes[11] = 0xff;
  put_be(out.bytes.data() + kV4Offset, host_order);
  return out;
}

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  // inet_pton reads up to a zero byte: what stands behind it would be swallowed.
  if (text.find('\0') != std::string_view::npos) return std::nullopt;
  const std::string copy(text);
  in_addr four{};
  if (inet_pton(AF_INET, copy.c_str(), &four) == 1) return v4(ntohl(four.s_addr));
  IpAddress out;
  if (inet_pton(AF_INET6, copy.c_str(), out.bytes.data()) == 1) return out;
  return std::nullopt;
}

std::string IpAddress::text() const {
  std::array<char, INET6_ADDRSTRLEN> out{};
  const char* done = is_v4() ? inet_ntop(AF_INET, bytes.data() + kV4Offset, out.data(), out.size())
                             : inet_ntop(AF_INET6, bytes.data(), out.data(), out.size());
  return done == nullptr ? std::string("?") : std::string(done);
}

IpAddress IpAddress::peer_prefix() const {
  if (is_v4()) return *this;
  IpAddress out = *this;
  std::memset(out.bytes.data() + 8, 0, 8);
  return out;
}

std::optional<IpRange> IpRange::parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  const auto address = IpAddress::parse(text.substr(0, slash));
  if (!address) return std::nullopt;
  unsigned length = kBits;
  if (slash != std::string_view::npos) {
    const std::string_view digits = text.substr(slash + 1);
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), length);
    if (parsed.ec != std::errc{} || parsed.ptr != digits.data() + digits.size()) {
      return std::nullopt;
    }
    const unsigned longest = address->is_v4() ? kV4Bits : kBits;
    if (length > longest) return std::nullopt;
    length += kBits - longest;
  }
  IpRange out{*address, *address};
  for (unsigned bit = length; bit < kBits; ++bit) {
    const auto mask = static_cast<std::uint8_t>(0x80U >> (bit % 8));
    if ((address->bytes[bit / 8] & mask) != 0) return std::nullopt;
    out.last.bytes[bit / 8] |= mask;
  }
  return out;
}

}  // namespace hy::entry
