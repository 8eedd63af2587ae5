#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "client/cli/cluster.h"
#include "tests/support/raw_client.h"

namespace hy::attack {

/// A user with a token for one device.
struct Somebody {
  Uid uid;
  std::string name;
  std::string device;
  Bytes token;
};

/// How fast people talked while something else went on.
struct Talk {
  std::size_t sent = 0;
  std::size_t stored = 0;
  std::size_t arrived = 0;
  Millis p99{0};  ///< from SEND to PUSH at the other device
};

/// Two people who are logged in.
struct Pair {
  Somebody anna;
  Somebody ben;
  std::unique_ptr<raw::Client> a;
  std::unique_ptr<raw::Client> b;
  std::uint64_t sent = 0;
};

/// True when the long forms were asked for.
bool is_full_form();

/// One small cluster with the limits that are shipped, not those of a demo.
class World {
 public:
  /// Errors are in error().
  explicit World(cli::StoreKind store = cli::StoreKind::kEmbedded);
  [[nodiscard]] const std::string& error() const { return error_; }
  [[nodiscard]] cli::Cluster& cluster() { return *cluster_; }
  [[nodiscard]] const std::filesystem::path& folder() const { return folder_; }
  /// A user whom nobody has used yet.
  Somebody somebody();
  /// `from`: the local address; limits for each address need several.
  [[nodiscard]] raw::Client::Options options(const std::string& from = "127.0.0.1") const;
  /// Logged in and synced. Null when that failed.
  std::unique_ptr<raw::Client> sign_in(const Somebody& who, const std::string& from = "127.0.0.1");
  /// LOGIN's body for this device; `counter` rises with each attempt.
  static Bytes login_body(const Somebody& who, std::uint32_t counter);
  static Bytes send_body(Uid to, std::string_view text);
  /// Two people whom nobody has used yet, logged in; their clients are null when that failed.
  Pair pair();
  /// They talk for `span`, ten messages a second, each confirmed by the other's device.
  static Talk talk(Pair& pair, Millis span);
  /// Sum of a metric of entry-a over the labels that contain `labels`; -1: not there.
  double entry_metric(const std::string& name, const std::string& labels = {});
  /// Resident bytes of a daemon; 0: not running.
  std::size_t resident(const std::string& daemon);
  [[nodiscard]] std::vector<pid_t> pids();

 private:
  std::string make_people();

  std::filesystem::path folder_;
  std::unique_ptr<cli::Janitor> janitor_;
  std::unique_ptr<cli::Cluster> cluster_;
  std::vector<Somebody> people_;
  std::size_t used_ = 0;
  std::uint32_t counter_ = 1;
  std::string error_;
};

}  // namespace hy::attack
