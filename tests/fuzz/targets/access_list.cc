// Access lists: text in, a set or a named line; what the set says is what a walk over the lines
// says.
#include "entry/session/access_list.h"

#include "tests/fuzz/target.h"

namespace hy::fuzz {
namespace {

/// The second opinion: every line by itself, no merging, no binary search.
struct Plain {
  std::vector<entry::IpRange> ranges;
  [[nodiscard]] bool has(const entry::IpAddress& address) const {
    return std::ranges::any_of(
        ranges, [&](const entry::IpRange& r) { return r.first <= address && address <= r.last; });
  }
};

Plain read(std::string_view text) {
  Plain out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    line = line.substr(0, line.find('#'));
    const auto is_space = [](char c) { return c == ' ' || c == '\t' || c == '\r'; };
    while (!line.empty() && is_space(line.front())) line.remove_prefix(1);
    while (!line.empty() && is_space(line.back())) line.remove_suffix(1);
    if (const auto range = entry::IpRange::parse(line)) out.ranges.push_back(*range);
  }
  return out;
}

/// Just below, on and just above a bound: where merging goes wrong.
void step(entry::IpAddress& address, int by) {
  for (std::size_t i = 16; i > 0; --i) {
    address.bytes[i - 1] = static_cast<std::uint8_t>(address.bytes[i - 1] + by);
    if (address.bytes[i - 1] != (by > 0 ? 0x00 : 0xff)) return;
  }
}

void run(ByteView input) {
  const std::string_view text = as_text(input);
  const auto set = entry::AccessSet::parse(text);
  if (!set) {
    law(!set.error().detail.empty(), "a refused list names its line");
    return;
  }
  const Plain plain = read(text);
  for (std::size_t at = text.find('\0'); at != std::string_view::npos;
       at = text.find('\0', at + 1)) {
    const std::string_view before = text.substr(0, at);
    const std::string_view line = before.substr(before.rfind('\n') + 1);
    law(line.find('#') != std::string_view::npos, "a zero byte is no part of an address");
  }
  law(set->names_addresses() == !plain.ranges.empty(), "addresses are seen");
  for (const entry::IpRange& range : plain.ranges) {
    law(range.first <= range.last, "a range has an order");
    for (const entry::IpAddress& bound : {range.first, range.last}) {
      for (const int by : {-1, 0, 1}) {
        entry::IpAddress probe = bound;
        if (by != 0) step(probe, by);
        law(set->has(probe) == plain.has(probe), "merged ranges say what their lines say");
        const auto again = entry::IpAddress::parse(probe.text());
        law(again == probe, "an address's text is the address");
      }
    }
  }
  const entry::AccessList deny({}, *set);
  const entry::AccessList allow(*set, {});
  for (const entry::IpRange& range : plain.ranges) {
    law(!deny.admits(range.first) && allow.admits(range.first), "deny wins, allow admits");
  }
}

std::vector<Seed> seeds() {
  return {{"empty", ""},
          {"comment", "# nobody\n\n"},
          {"v4", "192.0.2.7\n"},
          {"prefix", "10.0.0.0/8\n192.0.2.0/24 # lab\n"},
          {"v6", "2001:db8::/32\n::1\n"},
          {"mapped", "::ffff:10.0.0.1\n10.0.0.1\n"},
          {"uid", "uid 17\nuid 9223372036854775807\n"},
          {"mixed", "  10.1.0.0/16\t\r\nuid 5\n2001:db8:1::/48\n"},
          {"overlap", "10.0.0.0/8\n10.1.2.3\n10.255.255.255\n11.0.0.0\n"},
          {"adjacent", "10.0.0.0/25\n10.0.0.128/25\n10.0.1.0/24\n"},
          {"all-v4", "0.0.0.0/0\n255.255.255.255\n"},
          {"all-v6", "::/0\nffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff\n"},
          {"bits-behind", "10.0.0.1/8\n"},
          {"length-33", "10.0.0.0/33\n"},
          {"length-129", "::/129\n"},
          {"minus", "10.0.0.0/-1\nuid -5\n"},
          {"octal", "010.0.0.1\n"},
          {"scope", "fe80::1%eth0\n"},
          {"zero-byte", Bytes("10.0.0.1\0.2\n", 12)},
          {"no-newline", "10.0.0.0/8"},
          {"uid-too-large", "uid 18446744073709551616\n"}};
}

HY_FUZZ_TARGET(access_list, run, seeds, 2'048);

}  // namespace
}  // namespace hy::fuzz
