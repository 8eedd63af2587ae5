#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "entry/session/ip_address.h"

namespace hy::entry {

/// A set of addresses, prefixes and users, read from text; immutable. Look-ups are a binary search
/// over merged ranges: 10^6 lines cost 32 MB and 20 steps.
///
/// Text: one item a line: an address, a prefix, or "uid 1234"; '#' starts a comment.
class AccessSet {
 public:
  static constexpr std::size_t kItemsMax = 1'000'000;

  /// Errors name the line: a list with one bad line is refused as a whole, so that a typing mistake
  /// cannot open or close a door by half.
  static Result<AccessSet> parse(std::string_view text);

  [[nodiscard]] bool has(const IpAddress& address) const;
  [[nodiscard]] bool has(Uid uid) const;
  [[nodiscard]] bool names_addresses() const { return !ranges_.empty(); }
  [[nodiscard]] bool names_users() const { return !uids_.empty(); }
  [[nodiscard]] std::size_t items() const { return ranges_.size() + uids_.size(); }

 private:
  void finish();

  std::vector<IpRange> ranges_;
  std::vector<Uid> uids_;
};

/// Deny wins. An allow list that names addresses lets in only those; one that names users, only
/// those. Both empty: everybody.
class AccessList {
 public:
  AccessList() = default;
  AccessList(AccessSet allow, AccessSet deny) : allow_(std::move(allow)), deny_(std::move(deny)) {}
  [[nodiscard]] bool admits(const IpAddress& address) const {
    return !deny_.has(address) && (!allow_.names_addresses() || allow_.has(address));
  }
  [[nodiscard]] bool admits(Uid uid) const {
    return !deny_.has(uid) && (!allow_.names_users() || allow_.has(uid));
  }
  [[nodiscard]] std::size_t items() const { return allow_.items() + deny_.items(); }

 private:
  AccessSet allow_;
  AccessSet deny_;
};

}  // namespace hy::entry
