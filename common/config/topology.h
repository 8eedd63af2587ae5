#pragma once

#include <cstdint>
#include <expected>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/config/mistake.h"

namespace hy::config {

/// The four roles of a cluster; order of the tables in topology.toml.
enum class Role : std::uint8_t { kEntry, kLogic, kRouter, kDas };
inline constexpr Role kRoles[] = {Role::kEntry, Role::kLogic, Role::kRouter, Role::kDas};
std::string_view role_name(Role role);

/// A range of virtual shards (0 … 1023, both ends included) and the server that holds it.
struct ShardRange {
  std::uint32_t first = 0;
  std::uint32_t last = 0;
  std::string server;
};

/// The daemons of one IDC. Position in a list is the instance's name: 0 = "a", 1 = "b" …
struct Idc {
  std::vector<std::string> entry, logic, router, das;
  std::uint32_t weight = 100;
  std::vector<ShardRange> shards;  ///< empty, or all of 0 … 1023 once
  std::vector<std::string> fallback;
  [[nodiscard]] const std::vector<std::string>& of(Role role) const;
};

/// topology.toml, checked.
struct Topology {
  std::uint64_t version = 0;
  std::string cluster;
  std::map<std::string, Idc, std::less<>> idcs;
  std::string hash;  ///< 16 hex digits over the meaning of the file; comments do not count

  /// Address of instance `name` ("a", "b", …) of a role. Errors: kConfigUnknownKey with the names
  /// that exist.
  [[nodiscard]] Result<std::string> address(std::string_view idc, Role role,
                                            std::string_view name) const;
};

/// "a" -> 0, "z" -> 25, "aa" -> 26 …; nullopt for anything else.
std::optional<std::uint32_t> instance_index(std::string_view name);
std::string instance_name(std::uint32_t index);

/// Reads and checks the file; all mistakes at once.
std::expected<Topology, std::vector<Mistake>> load_topology(const std::filesystem::path& file);
std::expected<Topology, std::vector<Mistake>> parse_topology(std::string_view text,
                                                             const std::string& file);

}  // namespace hy::config
