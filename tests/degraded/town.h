#pragma once

#include <condition_variable>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "client/cli/cluster.h"
#include "client/cli/private_folder.h"
#include "client/sdk/hongyan.hpp"
#include "tests/faults/disk_fault.h"
#include "tests/faults/process_faults.h"
#include "tests/faults/store_faults.h"

/// Degraded modes on real processes (guarantees.md §7): a cluster whose parts can be taken away,
/// and people who write down what they were told.
namespace hy::degraded {

/// One person with one device: a real SDK client and everything that it was shown.
class Resident {
 public:
  Resident(cli::Account account, hy::ClientOptions options);

  /// With the password, or with `token`.
  Status sign_in(Millis within, Bytes token = {});
  [[nodiscard]] const cli::Account& account() const { return account_; }
  [[nodiscard]] Uid uid() const { return account_.uid; }
  hy::Client& client() { return *client_; }
  /// HY_CHECKs that the outbox takes it.
  hy::Sent write(const Resident& to, const std::string& text);

  struct Shown {
    std::string text;
    Uid sender{};
    Seq seq{};  ///< the last one that was told
    bool was_provisional = false;
    bool has_moved = false;
    int times = 0;  ///< without moves
  };
  /// True once `text` was shown.
  bool wait_shown(const std::string& text, Millis within);
  /// True once `text` has a seq.
  bool wait_in_log(const std::string& text, Millis within);
  [[nodiscard]] std::optional<Shown> shown(const std::string& text) const;
  /// Texts of `sender` that have a seq, by seq.
  [[nodiscard]] std::vector<std::string> log_of(Uid sender) const;
  [[nodiscard]] std::vector<Errc> refusals() const;
  /// After drop_connection(): true once the connection was lost and the login came through again.
  bool wait_logged_in_again(Millis within);
  /// Why the connection was left, each time that it was.
  [[nodiscard]] std::vector<std::string> reasons() const;
  /// True once the link is in `state`.
  bool wait_state(LinkState state, Millis within);
  /// Waits for a refusal with this code.
  bool wait_refusal(Errc code, Millis within);

 private:
  template <class Test>
  bool wait_for(Millis within, Test test);
  void note(const Message& message);

  cli::Account account_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Shown> shown_;
  std::vector<Errc> refusals_;
  std::vector<std::string> reasons_;
  LinkState state_ = LinkState::kIdle;
  bool is_in_ = false;
  int logins_ = 0;                      // times that a login came through
  int logins_seen_ = 0;                 // by wait_logged_in_again
  std::unique_ptr<hy::Client> client_;  // last: its callbacks use the rest
};

/// A cluster of one engine with its faults at hand. The embedded engine's disk is behind the shim,
/// MariaDB has our administrator.
class Town {
 public:
  /// `mariadb_disk`: MariaDB's disk is behind the shim too, so it writes without native AIO.
  static Result<std::unique_ptr<Town>> start(cli::StoreKind store,
                                             std::vector<std::string> more_settings = {},
                                             bool mariadb_disk = false);
  ~Town();
  Town(const Town&) = delete;
  Town& operator=(const Town&) = delete;

  cli::Cluster& cluster() { return *cluster_; }
  [[nodiscard]] cli::StoreKind store() const { return store_; }
  /// Of the embedded engine, or of a MariaDB that was started behind the shim.
  faults::DiskFault& disk() { return *disk_; }
  /// mysql alone.
  faults::MariadbFaults& mariadb() { return *mariadb_; }
  faults::RedisFaults& redis() { return *redis_; }

  /// A new person, signed in at entry `first` first.
  Result<std::unique_ptr<Resident>> settle(const std::string& name, std::size_t first = 0);
  /// Another device of the same person.
  std::unique_ptr<Resident> device_of(const Resident& resident, Slot slot);

  Status hold(const std::vector<std::string>& names);  ///< SIGKILL, and they stay away
  Status release(const std::vector<std::string>& names);
  std::vector<std::string> names_of(std::string_view tier) const;
  [[nodiscard]] pid_t pid_of(const std::string& name);
  /// Ends every fault and waits until all is ready again.
  Status heal();

 private:
  Town() = default;
  Status surround(cli::ServiceSpec& spec);

  cli::StoreKind store_ = cli::StoreKind::kEmbedded;
  std::filesystem::path folder_;
  std::optional<faults::DiskFault> disk_;
  std::unique_ptr<cli::Cluster> cluster_;
  std::unique_ptr<faults::MariadbFaults> mariadb_;
  std::unique_ptr<faults::RedisFaults> redis_;
  int people_ = 0;
};

}  // namespace hy::degraded
