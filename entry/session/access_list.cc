#include "entry/session/access_list.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace hy::entry {
namespace {

std::string_view trimmed(std::string_view text) {
  static constexpr std::string_view kSpace = " \t\r";
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

std::optional<Uid> parse_uid(std::string_view item) {
  static constexpr std::string_view kWord = "uid";
  if (!item.starts_with(kWord)) return std::nullopt;
  const std::string_view digits = trimmed(item.substr(kWord.size()));
  std::uint64_t value = 0;
  const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (parsed.ec != std::errc{} || parsed.ptr != digits.data() + digits.size() || value == 0) {
    return std::nullopt;
  }
  return Uid{value};
}

}  // namespace

Result<AccessSet> AccessSet::parse(std::string_view text) {
  AccessSet out;
  std::size_t line_number = 0;
  while (!text.empty()) {
    ++line_number;
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
    line = trimmed(line.substr(0, line.find('#')));
    if (line.empty()) continue;
    if (const auto uid = parse_uid(line)) {
      out.uids_.push_back(*uid);
    } else if (const auto range = IpRange::parse(line)) {
      out.ranges_.push_back(*range);
    } else {
      return fail(Errc::kConfigSyntax,
                  "line " + std::to_string(line_number) +
                      " is no address, no prefix and no \"uid N\": " + std::string(line));
    }
    if (out.items() > kItemsMax) {
      return fail(Errc::kConfigOutOfBounds,
                  "more than " + std::to_string(kItemsMax) + " items in one list");
    }
  }
  out.finish();
  return out;
}

void AccessSet::finish() {
  std::ranges::sort(uids_);
  uids_.erase(std::ranges::unique(uids_).begin(), uids_.end());
  std::ranges::sort(ranges_, {}, &IpRange::first);
  std::vector<IpRange> merged;
  for (const IpRange& range : ranges_) {
    if (!merged.empty() && range.first <= merged.back().last) {
      merged.back().last = std::max(merged.back().last, range.last);
    } else {
      merged.push_back(range);
    }
  }
  ranges_ = std::move(merged);
}

bool AccessSet::has(const IpAddress& address) const {
  const auto after = std::ranges::upper_bound(ranges_, address, {}, &IpRange::first);
  return after != ranges_.begin() && address <= std::prev(after)->last;
}

bool AccessSet::has(Uid uid) const {
  return std::ranges::binary_search(uids_, uid);
}

}  // namespace hy::entry
