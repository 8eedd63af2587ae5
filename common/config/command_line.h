#pragma once

#include <expected>
#include <filesystem>
#include <iosfwd>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/config/property.h"
#include "common/config/toml_loader.h"
#include "common/config/topology.h"

namespace hy::config {

inline constexpr int kExitOk = 0;
inline constexpr int kExitFailed = 1;
inline constexpr int kExitUsage = 2;  ///< wrong flags or wrong configuration

/// A flag that only one daemon has, with a value out of `choices` ("status|apply").
struct ExtraFlag {
  std::string_view name{};  ///< "--schema"
  std::string_view choices{};
  std::string_view sentence{};
};

/// What one daemon is, for flags and configuration.
struct DaemonSpec {
  Role role{Role::kEntry};
  std::string_view sentence{};             ///< for --help
  std::span<const Property> properties{};  ///< its own; [host] [log] [tls] are added
  std::span<const ExtraFlag> extra_flags{};
  std::string_view version{"0.1.0"};
};

/// Everything that `main` needs to build its App.
struct Start {
  Role role{Role::kEntry};
  std::vector<Property> properties;  ///< with the common ones
  Values values;
  Topology topology;
  std::string name;           ///< "a"
  std::uint32_t index = 0;    ///< position in the topology; EntryId = index + 1
  std::string idc;            ///< host.idc
  std::string address;        ///< own address of the topology: where it listens
  std::string admin_address;  ///< <daemon>.admin resolved; empty = none
  std::string version;
  std::filesystem::path file;  ///< hongyan.toml
  std::vector<std::string> overrides;
  std::map<std::string, std::string, std::less<>> extra;  ///< {"--schema", "apply"}

  /// "entry-a"
  [[nodiscard]] std::string instance() const;
  /// Addresses of all instances of a role in the own IDC.
  [[nodiscard]] const std::vector<std::string>& peers(Role of) const;
};

/// Parses the flags that all daemons share, loads and checks both files. The error is the exit
/// code: --help, --version, --check-config and --print-config end with 0 after writing to `out`;
/// mistakes are written to `err`, all at once, and end with 2.
std::expected<Start, int> start_from_command_line(const DaemonSpec& spec, int argc,
                                                  const char* const* argv,
                                                  const std::vector<std::string>& environment,
                                                  std::ostream& out, std::ostream& err);
/// The same with the process's environment, stdout and stderr.
std::expected<Start, int> start_from_command_line(const DaemonSpec& spec, int argc,
                                                  const char* const* argv);

/// Outcome of a reload: `values` has the new live values and the old restart ones.
struct Reload {
  Values values;
  std::vector<std::string> applied;
  std::vector<std::string> needs_restart;
  std::size_t unchanged = 0;
};
/// Reads the file again and checks it first: with a mistake nothing changes. `current`: the values
/// in force.
std::expected<Reload, std::vector<Mistake>> reload(const Start& start, const Values& current);

/// The admin address of a daemon: key "<role>.admin" ("" = listen port + 1 on 127.0.0.1, "off" =
/// none, "IP:PORT"). A listen address on a Unix socket or with port 0 has no port + 1: empty gives
/// "127.0.0.1:0".
std::string admin_address(const Values& values, Role role, std::string_view listen);

}  // namespace hy::config
