#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "client/cli/cluster_layout.h"
#include "client/cli/operator_client.h"
#include "client/sdk/hongyan.hpp"
#include "common/base/result.h"

/// Which cluster a verb talks to, and as whom.
namespace hy::cli {

/// A running demo or `hy up` cluster of this user, as its process announced it in the runtime
/// folder.
struct RunningCluster {
  std::string name;              ///< "demo-1", "dev"
  pid_t pid = -1;                ///< of the `hy` that supervises it
  std::filesystem::path folder;  ///< configuration, logs, keys
  std::string server_key_hex;
  std::vector<std::string> entries;
  std::vector<std::string> logics;
  std::vector<DaemonPlace> daemons;
  std::filesystem::path file;  ///< the announcement itself
};

/// Writes the announcement; returns its path (remove it at the end).
Result<std::filesystem::path> announce(const ClusterLayout& layout, const std::string& name);
std::string announcement_text(const ClusterLayout& layout, const std::string& name, pid_t pid);
Result<RunningCluster> parse_announcement(const std::string& text);
/// All clusters whose process lives; announcements of dead ones are removed.
Result<std::vector<RunningCluster>> running_clusters();
/// The one named, or the only one. Errors: kUnknownProfile with the names that exist.
Result<RunningCluster> running_cluster(const std::string& name);

/// Where a client verb goes: a running cluster of this host, or a saved profile.
struct Target {
  std::string name;
  std::vector<std::string> entries;
  Bytes server_key;
  std::filesystem::path people;           ///< one folder per signed-in person
  std::optional<RunningCluster> running;  ///< set: the operator's door is open too
};

/// --profile, else HY_PROFILE, else the one running cluster. Nothing is contacted.
/// Errors: kUnknownProfile with near names.
Result<Target> find_target(const std::string& profile);
/// Saves entries and key under a name, for `hy login --entry … --server-key …`.
Result<Target> save_profile(const std::string& name, const std::vector<std::string>& entries,
                            const std::string& server_key_hex);
Result<OperatorAccess> operator_access(const Target& target);

/// A person who is signed in on this machine.
struct Person {
  std::string name;
  Uid uid{};
  Slot slot = Slot::kDesktop;
  Bytes token;           ///< empty: none kept
  std::string password;  ///< of a demo's own people alone
  std::filesystem::path folder;
};

/// The person to act as: `name`, else HY_USER, else the last one signed in, else the only one.
/// A demo's alice, bob and carol need no login. Errors: kNotLoggedIn, kUnknownUser.
Result<Person> find_person(const Target& target, const std::string& name, Slot slot);
/// Keeps a token after `hy login` (0600).
Status keep_person(const Target& target, const Person& person);
Status forget_person(const Target& target, const std::string& name);

/// SDK options and credentials of a person on a target; the store is a file in the person's folder.
hy::ClientOptions sdk_options(const Target& target, const Person& person);
Credentials credentials(const Person& person);

}  // namespace hy::cli
