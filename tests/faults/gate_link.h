#pragma once

#include <array>
#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include <string>
#include <string_view>
#include "common/base/random.h"
#include "common/net/asio.h"
#include "tests/faults/gate_commits.h"
#include "tests/faults/gate_frames.h"
#include "tests/faults/tcp_gate.h"

// clang-format off
#include <boost/asio/generic/stream_protocol.hpp>
// clang-format on

namespace hy::faults {

using Stream = asio::generic::stream_protocol;
using Socket = Stream::socket;

class Link;

/// What all connections of a gate share. Gate's thread alone.
struct GateState {
  GateState(asio::io_context& context, const GateOptions& given)
      : io(context),
        options(given),
        random(given.seed),
        judges{FrameJudge(given.seed * 2 + 1), FrameJudge(given.seed * 2 + 2)} {}

  asio::io_context& io;
  GateOptions options;
  Stream::endpoint target;
  SeededRandom random;
  std::array<LinkFault, 2> faults{};
  std::array<std::optional<std::uint64_t>, 2> cut_left{};
  bool refuses = false;
  std::array<FrameJudge, 2> judges;
  CommitFault commits;
  GateCounters counters;
  std::set<std::shared_ptr<Link>> links;
  std::size_t record_connections = 0;
  std::size_t record_bytes = 0;
  std::vector<GateRecording> recordings;

  LinkFault& fault(Direction d) { return faults[static_cast<std::size_t>(d)]; }
  [[nodiscard]] bool vanishes() const { return faults[0].vanish || faults[1].vanish; }
  bool chance(double p);
  CommitFate decide_commit();
};

/// One connection through a gate: a socket to the client, one to the server, a pipe each way.
class Link : public std::enable_shared_from_this<Link> {
 public:
  Link(GateState& gate, Socket client);
  void start();
  /// The faults changed: looks again at everything that waits.
  void kick();
  /// RST to both ends; the gate forgets this link.
  void reset();

 private:
  struct Piece {
    MonoTime due;
    std::string bytes;
    bool is_fin = false;
  };
  struct Pipe {
    Pipe(Direction d, Socket& source, Socket& sink)
        : direction(d),
          from(source),
          to(sink),
          timer(source.get_executor()),
          hold_timer(source.get_executor()) {}
    Direction direction;
    Socket& from;
    Socket& to;
    asio::steady_timer timer;
    asio::steady_timer hold_timer;
    std::deque<Piece> queue;
    std::size_t queued = 0;
    MonoTime last_due{};
    MonoTime line_free{};
    bool waits_readable = false;
    bool writes = false;
    bool has_ended = false;  // FIN or error seen on `from`
    bool fin_sent = false;
    std::unique_ptr<FrameMangler> mangler;
  };

  Pipe& pipe(Direction d) { return d == Direction::kToServer ? to_server_ : to_client_; }
  LinkFault& fault(const Pipe& p) { return gate_.fault(p.direction); }
  GateCounters::Way& count(const Pipe& p) {
    return gate_.counters.way[static_cast<std::size_t>(p.direction)];
  }
  void dial();
  void watch(Pipe& p);
  void on_readable(Pipe& p);
  void ended(Pipe& p, bool by_reset);
  void took(Pipe& p, std::string_view in);
  void took_mysql(Pipe& p, std::string_view in);
  void record(Direction d, std::string_view in);
  void enqueue(Pipe& p, std::string bytes);
  void enqueue_piece(Pipe& p, std::string bytes, bool is_fin);
  void pump(Pipe& p);
  void write_front(Pipe& p);
  void wrote(Pipe& p, const net::ErrorCode& error, std::size_t n, bool cut_here);
  void end_if_done();

  GateState& gate_;
  Socket client_;
  Socket server_;
  Pipe to_server_;
  Pipe to_client_;
  std::unique_ptr<CommitWatch> commits_;
  std::optional<std::size_t> recording_;  // its place among the gate's
  bool is_linked_ = false;
  bool is_over_ = false;
  bool is_holed_ = false;  // something vanished: the two ends no longer agree on this stream
};

/// "IP:PORT" or "unix:/path". Errors: kUsage.
Result<Stream::endpoint> parse_endpoint(const std::string& text);

/// RST instead of FIN (no effect on Unix sockets, where a close is seen at once).
void close_by_reset(Socket& socket);

}  // namespace hy::faults
