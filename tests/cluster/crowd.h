#pragma once

#include <atomic>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "client/cli/cluster.h"
#include "client/sdk/hongyan.hpp"
#include "tests/cluster/journal.h"
#include "tests/cluster/tape.h"

namespace hy::chaos {

/// People in pairs, each a real SDK client with its own store file, who write to each other at a
/// steady rate whatever the cluster does (open loop).
class Crowd {
 public:
  Crowd(Journal& journal, std::filesystem::path folder)
      : journal_(journal), folder_(std::move(folder)) {}
  ~Crowd();
  Crowd(const Crowd&) = delete;
  Crowd& operator=(const Crowd&) = delete;

  /// Makes the accounts and signs everybody in, spread over the entries.
  Status sign_in(cli::Cluster& cluster, int pairs);
  /// `rate`: messages a second of all together. Bodies are 20 to 200 bytes, some of 4 KiB, made
  /// from `seed`.
  void start_talking(double rate, std::uint64_t seed);
  void stop_talking();
  /// Everybody asks for what he missed. Errors: the first that failed, with the person's name.
  Status sync_all();
  /// How many are online now.
  [[nodiscard]] int online() const;
  /// How many messages could not even be written to an outbox, and why.
  [[nodiscard]] std::uint64_t send_errors() const { return send_errors_; }
  [[nodiscard]] std::string send_error() const;
  /// "person 3 backing_off: …" for everybody who is not online, at most 5 lines.
  [[nodiscard]] std::vector<std::string> who_is_away() const;
  /// Closes every client and gives its history to the journal. After sync_all() the histories say
  /// that they are complete.
  void leave();

 private:
  struct Person {
    Uid uid;
    std::string name;
    std::shared_ptr<Tape> tape;
    std::unique_ptr<hy::Client> client;
    std::uint64_t written = 0;
    std::mutex mutex;
    std::string why;
  };
  void talk(std::size_t first, double rate, std::uint64_t seed);
  void write_one(std::size_t index, Random& random);

  Journal& journal_;
  std::filesystem::path folder_;
  std::vector<std::unique_ptr<Person>> people_;
  std::atomic<bool> talking_{false};
  std::vector<std::thread> threads_;
  std::atomic<std::uint64_t> send_errors_{0};
  bool is_synced_ = false;  ///< the last sync_all() succeeded
  mutable std::mutex mutex_;
  std::string send_error_;
};

}  // namespace hy::chaos
