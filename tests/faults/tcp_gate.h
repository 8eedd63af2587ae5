#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"

/// Faults for real processes (docs: tests/README.md). The gate is our own relay for stream sockets:
/// `tc netem` is missing from many kernels, and the programme must not depend on it.
namespace hy::faults {

/// Which way bytes travel: kToServer from whoever dialled the gate, kToClient back.
enum class Direction : std::uint8_t { kToServer = 0, kToClient = 1 };
inline constexpr std::array kBothDirections{Direction::kToServer, Direction::kToClient};

/// What the gate reads out of the bytes. kBytes: nothing. kClient: frames of the client protocol
/// (docs/reference/wire-protocol.md §1). kMysql: COMMITs of the MySQL protocol in clear text.
enum class GateProtocol : std::uint8_t { kBytes, kClient, kMysql };

/// State of one direction of every connection of a gate. All zero: a plain relay.
struct LinkFault {
  Millis latency{0};  ///< added to every byte, 0 … 600'000
  Millis jitter{0};   ///< on top, even over 0 … jitter; order is kept, as TCP keeps it
  /// 0 … 1: a piece of the stream is "lost" and arrives `retransmit` later, and all behind it too.
  double loss = 0;
  Millis retransmit{200};
  std::uint64_t bytes_per_second = 0;  ///< 0: unlimited
  /// The gate reads nothing and writes nothing, no FIN: the sender meets back-pressure; nothing is
  /// lost, and all of it travels when the stall ends.
  bool stall = false;
  /// Bytes, FIN and RST vanish. One direction alone is a one-way partition. A new connection is
  /// accepted (loopback has no lost SYN) and leads nowhere. After the end of the fault a connection
  /// that missed something is answered by RST when its next byte comes, as by a host that forgot
  /// it.
  bool vanish = false;

  friend bool operator==(const LinkFault&, const LinkFault&) = default;
};

/// What can happen to one frame of the client protocol.
enum class FrameFault : std::uint8_t {
  kDuplicate,  ///< sent twice
  kReplay,     ///< a frame that passed this gate before (any connection) is sent after it
  kSwap,       ///< sent after the next one; alone after 200 ms without a next one
  kTruncate,   ///< its last bytes are missing, the stream goes on
  kFlip,       ///< one bit differs, header included
};
inline constexpr std::size_t kFrameFaults = 5;

/// Probability of each FrameFault for every frame that is judged, 0 … 1; at most one per frame.
struct FrameFaultRates {
  std::array<double, kFrameFaults> p{};
  /// DATA frames alone: HELLO and HANDSHAKE pass, so that connections come up at all.
  bool data_only = true;
  double& operator[](FrameFault f) { return p[static_cast<std::size_t>(f)]; }
  double operator[](FrameFault f) const { return p[static_cast<std::size_t>(f)]; }
};

/// What happens to COMMITs. `*_next` counts down, `*_p` is a probability for each; both may be set.
struct CommitFault {
  /// The COMMIT takes effect, its OK is thrown away, the connection is cut: outcome unknown.
  std::uint64_t swallow_next = 0;
  double swallow_p = 0;
  /// The connection is cut before the COMMIT reaches the server: nothing was stored.
  std::uint64_t cut_next = 0;
  double cut_p = 0;
};

/// What a gate did so far. A fault that touched nothing is a failed test: compare two readings.
struct GateCounters {
  std::uint64_t accepted = 0;       ///< connections
  std::uint64_t open = 0;           ///< connections now
  std::uint64_t refused = 0;        ///< closed at once because of refuse_new()
  std::uint64_t dial_failures = 0;  ///< the server did not answer; the client saw RST
  std::uint64_t resets = 0;         ///< connections ended by RST by reset_all(), holes included
  std::uint64_t cuts = 0;           ///< connections ended by cut_after()
  struct Way {
    std::uint64_t bytes = 0;     ///< written to the other side
    std::uint64_t vanished = 0;  ///< bytes thrown away by `vanish`
    std::uint64_t delayed = 0;   ///< pieces that waited: latency, jitter, loss, rate
    std::uint64_t stalled = 0;   ///< times that a stall kept a readable or writable piece waiting
    std::uint64_t frames = 0;    ///< whole frames seen (kClient)
    std::array<std::uint64_t, kFrameFaults> touched{};  ///< by FrameFault
  };
  std::array<Way, 2> way{};
  std::uint64_t commits = 0;  ///< COMMITs seen (kMysql)
  std::uint64_t commits_swallowed = 0;
  std::uint64_t commits_cut = 0;

  [[nodiscard]] const Way& operator[](Direction d) const {
    return way[static_cast<std::size_t>(d)];
  }
  [[nodiscard]] std::uint64_t touched(FrameFault f) const {
    return way[0].touched[static_cast<std::size_t>(f)] +
           way[1].touched[static_cast<std::size_t>(f)];
  }
  /// Everything that a fault did, added up: grows iff some fault was felt.
  [[nodiscard]] std::uint64_t felt() const;
};

/// What one connection carried, as its two ends wrote it: before any fault of the gate.
struct GateRecording {
  std::array<std::string, 2> way{};  ///< by Direction, from the first byte, at most as asked
  [[nodiscard]] const std::string& operator[](Direction d) const {
    return way[static_cast<std::size_t>(d)];
  }
};

struct GateOptions {
  std::string name{};                  ///< for messages
  std::string listen = "127.0.0.1:0";  ///< "IP:PORT" (0: any) or "unix:/path"
  std::string target{};                ///< "IP:PORT" or "unix:/path"; dialled per connection
  GateProtocol protocol = GateProtocol::kBytes;
  std::uint64_t seed = 1;
  /// Bound of what waits in the gate per connection and direction; beyond it the gate stops
  /// reading.
  std::size_t buffer_bytes = 256 * 1'024;
};

/// One listening relay. Made by Gates::open. Every method may be called from any thread; a setter
/// returns when the gate works by it. Not to be used after its Gates is gone.
class Gate {
 public:
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;
  ~Gate();

  /// What a client dials: "127.0.0.1:40123" or "unix:/path".
  [[nodiscard]] const std::string& address() const;
  [[nodiscard]] const std::string& name() const;

  void set(Direction direction, const LinkFault& fault);
  void set_both(const LinkFault& fault);
  /// Cable pulled: both directions vanish, or the cable is back.
  void pull(bool pulled);
  /// New connections get RST; open ones live on.
  void refuse_new(bool refuse);
  /// RST to both ends of every connection (SO_LINGER 0), now.
  void reset_all();
  /// The connection that carries the `bytes`-th byte from now on ends by RST right behind that
  /// byte.
  void cut_after(Direction direction, std::uint64_t bytes);
  /// kClient gates alone, ignored elsewhere.
  void set_frames(Direction direction, const FrameFaultRates& rates);
  /// The n-th judged frame from now on (1: the next one) meets `fault`. One per direction waits.
  void strike(Direction direction, FrameFault fault, std::uint64_t n, bool data_only = true);
  /// kMysql gates alone, ignored elsewhere.
  void set_commits(const CommitFault& fault);
  /// Where connections that come from now on are led.
  void retarget(std::string target);
  /// Records the first `connections` that come from now on, `bytes` of each way. Call it once.
  void record(std::size_t connections, std::size_t bytes);
  [[nodiscard]] std::vector<GateRecording> recordings() const;
  /// Ends every fault. Connections that missed bytes stay doomed (LinkFault::vanish).
  void heal();
  [[nodiscard]] GateCounters counters() const;

  struct Impl;

 private:
  friend class Gates;
  explicit Gate(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

/// The thread that moves the bytes of any number of gates.
class Gates {
 public:
  Gates();
  ~Gates();  ///< resets every connection, stops the thread
  Gates(const Gates&) = delete;
  Gates& operator=(const Gates&) = delete;

  /// Errors: kUsage (an address that cannot be read), kPortInUse.
  Result<std::unique_ptr<Gate>> open(const GateOptions& options);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hy::faults
