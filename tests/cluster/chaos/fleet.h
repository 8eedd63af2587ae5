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

using Clock = std::chrono::steady_clock;

/// People in pairs who write to each other and read at a steady rate whatever the cluster does, and
/// newcomers who come during the run. Every device is a real SDK client with its store on disk;
/// every third person has a second one, which listens. Devices are restarted, frozen and killed in
/// the middle of a turn: their store is then set to what the disk held at that moment. Public
/// methods from one thread, but strike().
class Fleet {
 public:
  Fleet(Journal& journal, std::filesystem::path folder)
      : journal_(journal), folder_(std::move(folder)) {}
  ~Fleet();
  Fleet(const Fleet&) = delete;
  Fleet& operator=(const Fleet&) = delete;

  /// Makes the accounts and signs every device in, but for those of the newcomers.
  Status sign_in(cli::Cluster& cluster, int pairs, int newcomer_pairs = 0);
  void start_talking(double rate, std::uint64_t seed);
  void stop_talking();
  Status sync_all();
  /// Those that ever signed in.
  [[nodiscard]] std::size_t devices() const;
  [[nodiscard]] std::size_t online() const;
  /// "person3 backing_off: …" for every device that is not online, at most 5 lines.
  [[nodiscard]] std::vector<std::string> who_is_away() const;
  /// How often a device has signed in, written or read: what may move something at the servers.
  [[nodiscard]] std::uint64_t deeds() const { return deeds_; }
  /// What nobody may read on the lines: texts, passwords, tokens.
  [[nodiscard]] std::vector<judge::Canary> canaries() const;
  [[nodiscard]] std::uint64_t send_errors() const { return send_errors_; }
  /// Closes every device and gives its history to the journal.
  void leave();

  /// Closes a device in order and starts it again on its store; `entries`: dialled instead of the
  /// usual ones. Errors: kUnavailable (it is busy now).
  Status restart(std::size_t device, std::vector<std::string> entries = {});
  /// The address that a device is connected to now; "" when none, or when it is busy.
  [[nodiscard]] std::string entry_of(std::size_t device) const;
  [[nodiscard]] bool is_online(std::size_t device) const;
  /// Another installation of the person signs in in this device's slot, and leaves; the device,
  /// which that has signed out, comes back.
  void sign_in_elsewhere(std::size_t device);
  /// Starts those again that another installation has signed out. Returns how many are out still.
  std::size_t bring_back();
  /// From now on the device reads nothing and confirms nothing, with its connection open; or reads
  /// again.
  void set_deaf(std::size_t device, bool deaf);
  /// The next two newcomers sign in for the first time; they write to each other, and each to two
  /// people who were here before. Errors: kUnavailable: all have come.
  Status welcome();
  /// On an SDK thread: the living device whose thread it is.
  [[nodiscard]] std::optional<std::size_t> here() const;
  /// On the SDK thread of `device`: it is dead from here on. Its disk is what it is now.
  void die_here(std::size_t device, device_points::Turn turn);
  /// Starts devices again that have died. Returns how many are dead still (busy threads).
  std::size_t revive();

 private:
  struct Device {
    std::size_t person = 0;  ///< its number in the journal
    std::string name;
    Uid uid;
    Credentials who;
    ClientOptions options;
    std::shared_ptr<DeviceTape> tape;
    std::unique_ptr<hy::Client> client;
    std::mutex client_mutex;              ///< the client is replaced under it
    std::atomic<bool> is_muted{false};    ///< died inside of a turn that its disk does not have
    std::atomic<bool> is_dying{false};    ///< what it says and hears no longer counts
    std::atomic<bool> has_come{false};    ///< it has tried to sign in
    std::atomic<bool> is_visited{false};  ///< another installation may have signed it out
    std::atomic<std::uint64_t> shown{0};  ///< highest seq, for reading
    std::uint64_t written = 0;
    mutable std::mutex mutex;
    std::string why;
  };
  Device& add_device(cli::Cluster& cluster, const cli::Account& account, std::size_t person,
                     Slot slot);
  void make_client(Device& device, std::vector<std::string> entries = {});
  Status open(Device& device, std::chrono::milliseconds within);
  void talk(std::size_t first, double rate, std::uint64_t seed);
  void write_one(Device& from, const Device& to, Random& random);
  void read_now_and_then(std::uint64_t seed);
  [[nodiscard]] std::filesystem::path snapshot_of(const Device& device) const;

  Journal& journal_;
  std::filesystem::path folder_;
  std::size_t people_ = 0;     ///< who talk all the time
  std::size_t residents_ = 0;  ///< their devices
  /// The first of each of these people, then their others, then the newcomers'. Complete before
  /// anybody signs in.
  std::vector<std::unique_ptr<Device>> devices_;
  std::size_t next_newcomer_ = 0;
  std::uint32_t visits_ = 0;
  std::atomic<bool> talking_{false};
  std::vector<std::thread> threads_;
  std::atomic<std::uint64_t> send_errors_{0};
  std::atomic<std::uint64_t> deeds_{0};
  bool is_synced_ = false;
};

}  // namespace hy::chaos
