#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "common/base/clock.h"
#include "common/base/ids.h"
#include "common/base/random.h"
#include "common/crypto/keys.h"
#include "common/net/asio.h"
#include "common/wire/frame_decoder.h"
#include "common/wire/inner.h"
#include "common/wire/noise_session.h"

namespace hy::load {

/// What a swarm's connections share. One thread.
struct Shared {
  asio::io_context& context;
  Random& random;
  crypto::Bytes32 server_key;
  std::uint8_t suite = 1;
  Slot slot = Slot::kDesktop;
  std::string device_prefix;  ///< device id = prefix + uid
  std::uint32_t conn_counter = 1;
  std::vector<std::uint8_t> buffer =
      std::vector<std::uint8_t>(256 * 1'024);  ///< all reads go through it
  Bytes scratch;
};

/// Counts and times of all connections of a swarm.
struct Totals {
  std::uint64_t logged_in = 0;
  std::uint64_t login_failed = 0;
  std::uint64_t lost_connections = 0;
  std::uint64_t sent = 0;
  std::uint64_t stored = 0;
  std::uint64_t relayed = 0;
  std::uint64_t refused = 0;
  std::uint64_t refused_with_time = 0;  ///< and told when to come again
  std::uint64_t pushed = 0;
  std::uint64_t receipted = 0;  ///< messages covered by receipts
  std::uint64_t twice = 0;      ///< a (conversation, seq) pushed again on a connection
  std::uint64_t disorder = 0;   ///< pushed below a larger seq
  Errc last_refusal = Errc::kOk;
};

/// One client of a load test: the real protocol over a real socket, with the least that a client
/// can be: no store, no outbox, no reconnect. It checks what it gets. Wait-for-readable, then read
/// into the shared buffer.
class LoadConnection {
 public:
  struct Hooks {
    std::function<void(LoadConnection&)> on_ready;  ///< logged in
    std::function<void(LoadConnection&, MonoTime sent)> on_stored;
    std::function<void(LoadConnection&)> on_pushed;
  };
  LoadConnection(Shared& shared, Totals& totals, const Hooks& hooks, Uid uid, Bytes token);

  void connect(const net::Tcp::endpoint& to, const asio::ip::address& from);
  void send(Uid to, std::string_view body);
  void ping();
  void close();
  [[nodiscard]] Uid uid() const { return uid_; }
  [[nodiscard]] bool is_open() const { return ready_; }
  [[nodiscard]] std::size_t outstanding() const { return waiting_.size(); }
  /// Own seqs that were stored and seqs that were pushed, for the check at the end: highest and
  /// count.
  [[nodiscard]] std::uint64_t highest_seq() const { return highest_seq_; }
  [[nodiscard]] std::uint64_t known_seqs() const { return known_seqs_; }
  std::size_t peer_index = 0;  ///< the swarm's own

 private:
  void start_handshake();
  void wait_readable();
  void on_readable();
  bool take(std::span<std::uint8_t> input);
  bool on_frame(const wire::Frame& frame);
  void on_inner(const wire::Inner& inner);
  void on_send_ack(const wire::Inner& inner);
  void on_push(const wire::Inner& inner);
  void login();
  void request(std::uint16_t type, std::uint32_t request_id, std::string_view body);
  void flush_later();
  void flush();
  void fail(bool before_login);
  void know(std::uint64_t seq);

  struct Waiting {
    std::uint32_t request_id;
    MonoTime sent;
  };
  Shared& shared_;
  Totals& totals_;
  const Hooks& hooks_;
  Uid uid_;
  Bytes token_;
  net::Tcp::socket socket_;
  wire::FrameDecoder decoder_;
  wire::Transport transport_;
  std::unique_ptr<wire::NkInitiator> handshake_;
  Bytes out_;
  std::vector<Waiting> waiting_;
  std::uint32_t next_request_ = 1;
  std::uint32_t unacked_push_ = 0;  ///< highest push number to confirm; 0 = none
  std::uint64_t last_pushed_ = 0;
  std::uint64_t highest_seq_ = 0;
  std::uint64_t known_seqs_ = 0;
  std::uint64_t receipted_to_ = 0;
  std::vector<std::uint64_t> own_seqs_;  ///< stored, not yet receipted
  bool dirty_ = false;
  bool ready_ = false;
  bool closed_ = false;
};

}  // namespace hy::load
