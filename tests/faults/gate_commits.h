#pragma once

#include <cstdint>
#include <functional>

#include <string>
#include <string_view>

namespace hy::faults {

/// What happens to one COMMIT.
enum class CommitFate : std::uint8_t { kPass, kSwallow, kCut };

/// Finds COMMITs in the clear text of one MySQL connection (packet: length 3 little-endian, number
/// 1, payload; a query is 0x03 and its text) and the OK that answers one. The protocol is half
/// duplex: the next packet of the server behind a COMMIT is its answer. No sockets, no clock.
class CommitWatch {
 public:
  /// Asked once per COMMIT, before any of its bytes travels.
  using Decide = std::function<CommitFate()>;
  enum class Next : std::uint8_t { kGoOn, kCut };

  explicit CommitWatch(Decide decide) : decide_(std::move(decide)) {}
  /// std::string towards the server; what may travel is appended to `out`. kCut: end the connection
  /// now.
  Next from_client(std::string_view in, std::string& out);
  /// std::string towards the client. kCut: the OK was swallowed, end the connection now.
  Next from_server(std::string_view in, std::string& out);

 private:
  Decide decide_;
  std::string packet_;         // a short packet, or a header, of the client, not yet judged
  std::size_t pass_left_ = 0;  // rest of a long packet, passed on unseen
  bool awaits_ok_ = false;
  std::string answer_;
};

}  // namespace hy::faults
