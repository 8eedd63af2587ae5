#pragma once

#include <atomic>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "client/cli/cluster.h"
#include "client/sdk/hongyan.hpp"
#include "tests/cluster/chaos/device_points.h"
#include "tests/cluster/chaos/device_tape.h"
#include "tests/cluster/journal.h"

namespace hy::chaos {

/// People in pairs who write to each other and read at a steady rate whatever the cluster does.
/// Every device is a real SDK client with its store on disk; every third person has a second one,
/// which listens. Devices are restarted, frozen and killed in the middle of a turn: their store is
/// then set to what the disk held at that moment. Public methods from one thread, but strike().
class Fleet {
 public:
  Fleet(Journal& journal, std::filesystem::path folder)
      : journal_(journal), folder_(std::move(folder)) {}
  ~Fleet();
  Fleet(const Fleet&) = delete;
  Fleet& operator=(const Fleet&) = delete;

  /// Makes the accounts and signs every device in.
  Status sign_in(cli::Cluster& cluster, int pairs);
  void start_talking(double rate, std::uint64_t seed);
  void stop_talking();
  Status sync_all();
  [[nodiscard]] std::size_t devices() const { return devices_.size(); }
  [[nodiscard]] std::size_t online() const;
  /// "person3 backing_off: …" for every device that is not online, at most 5 lines.
  [[nodiscard]] std::vector<std::string> who_is_away() const;
  [[nodiscard]] std::uint64_t send_errors() const { return send_errors_; }
  /// Closes every device and gives its history to the journal.
  void leave();

  /// Closes a device in order and starts it again on its store. Errors: kUnavailable (it is busy
  /// now).
  Status restart(std::size_t device);
  /// On an SDK thread: the living device whose thread it is.
  [[nodiscard]] std::optional<std::size_t> here() const;
  /// On the SDK thread of `device`: it is dead from here on. Its disk is what it is now.
  void die_here(std::size_t device, device_points::Turn turn);
  /// Starts devices again that have died. Returns how many are dead still (busy threads).
  std::size_t revive();

 private:
  struct Device {
    std::size_t person = 0;
    std::string name;
    Uid uid;
    Credentials who;
    ClientOptions options;
    std::shared_ptr<DeviceTape> tape;
    std::unique_ptr<hy::Client> client;
    std::mutex client_mutex;              ///< the client is replaced under it
    std::atomic<bool> is_muted{false};    ///< died inside of a turn that its disk does not have
    std::atomic<bool> is_dying{false};    ///< what it says and hears no longer counts
    std::atomic<std::uint64_t> shown{0};  ///< highest seq, for reading
    std::uint64_t written = 0;
    mutable std::mutex mutex;
    std::string why;
  };
  Status add_device(cli::Cluster& cluster, const cli::Account& account, std::size_t person,
                    Slot slot);
  void make_client(Device& device);
  Status open(Device& device);
  void talk(std::size_t first, double rate, std::uint64_t seed);
  void write_one(std::size_t person, Random& random);
  void read_now_and_then(std::uint64_t seed);
  [[nodiscard]] std::filesystem::path snapshot_of(const Device& device) const;

  Journal& journal_;
  std::filesystem::path folder_;
  std::size_t people_ = 0;
  std::vector<std::unique_ptr<Device>> devices_;  ///< the first of each person, then the others
  std::atomic<bool> talking_{false};
  std::vector<std::thread> threads_;
  std::atomic<std::uint64_t> send_errors_{0};
  bool is_synced_ = false;
};

}  // namespace hy::chaos
