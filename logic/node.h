#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/random.h"
#include "common/config/command_line.h"
#include "common/obs/metrics.h"
#include "common/rpc/loop.h"
#include "logic/ports/password_port.h"

namespace hy::logic {

/// A whole logic but for its thread, its admin port and its files: streams, commands and cores on
/// one loop. The daemon and the simulator both run this.
class Node {
 public:
  /// What hashes passwords: threads in the daemon. `post` brings a completion to the loop.
  using Post = std::function<void(std::move_only_function<void()>)>;
  using MakePasswords = std::function<std::unique_ptr<PasswordPort>(Post post)>;

  /// start, clock, random and registry outlive the node.
  Node(const config::Start& start, const Clock& clock, Random& random, obs::Registry& registry,
       const MakePasswords& make_passwords);
  ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  /// Opens the door, then dials. Errors: kPortInUse.
  Status open();
  /// Loop thread. Entries send nothing new after it; what they sent before is still answered.
  void goodbye();
  /// Loop thread. Commands taken and not answered yet.
  [[nodiscard]] std::size_t in_flight() const;
  /// Ends all streams; the loop must be running. Not from the loop's thread.
  void shut();
  /// After the loop has ended: drops what still waits in line.
  void close();

  [[nodiscard]] rpc::Loop& loop();
  /// The port that was bound; 0 for a Unix socket.
  [[nodiscard]] int port() const;
  /// Peers that are not there yet; empty = ready. Any thread.
  [[nodiscard]] std::vector<std::string> missing() const;

  struct Impl;

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace hy::logic
