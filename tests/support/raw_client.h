#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/ids.h"
#include "common/crypto/keys.h"
#include "common/crypto/system_random.h"
#include "common/wire/frame_decoder.h"
#include "common/wire/hello.h"
#include "common/wire/inner.h"
#include "common/wire/noise_session.h"
#include "common/wire/refused.h"

/// A small blocking client that follows the protocol only as far as it is told to: every step may
/// be done wrongly, and every byte that goes out may be changed first.
namespace hy::raw {

using Millis = std::chrono::milliseconds;
inline constexpr Millis kAnswerWithin{10'000};

/// What came back for a request.
struct Answer {
  bool closed = false;     ///< the server ended the connection instead
  bool timed_out = false;  ///< neither answer nor end
  std::uint16_t type = 0;
  std::uint16_t flags = 0;
  std::uint32_t request_id = 0;
  Bytes body;
  /// kOk unless the answer carries a refusal (or is closed or timed_out: then kInternal).
  Errc code = Errc::kInternal;
  wire::Refusal refusal;
  [[nodiscard]] bool ok() const { return code == Errc::kOk; }
};

/// How a connection went on after something that it must not survive.
enum class End : std::uint8_t { kClosedSilently, kSaidSomething, kStillOpen };
std::string_view end_name(End end);

class Client {
 public:
  struct Options {
    std::string address;  ///< "127.0.0.1:14000"
    crypto::Bytes32 server_key{};
    std::uint8_t suite = 1;
    std::string from = "127.0.0.1";  ///< local address: tests of per-address limits use their own
  };
  explicit Client(Options options) : options_(std::move(options)) {}
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  bool connect();
  /// Writes bytes as they are. False: the connection is gone.
  bool write(std::string_view bytes);
  void half_close();  ///< no more bytes from us (FIN)
  void close();

  /// HELLO as this client would send it.
  [[nodiscard]] wire::Hello hello() const;
  /// HELLO and HANDSHAKE_1 frames, ready to be written; begins a new handshake.
  Bytes first_flight(const wire::Hello& hello);
  Bytes first_flight() { return first_flight(hello()); }
  /// Waits for HANDSHAKE_2. False: it did not come or was not right.
  bool finish_handshake();
  /// connect, first flight, HANDSHAKE_2.
  bool open();

  /// One sealed DATA frame. The channel's counter moves on.
  Bytes seal(std::uint16_t type, std::uint32_t request_id, std::string_view body,
             std::uint16_t flags = 0);
  /// Seals an inner frame that is laid out by the caller, whatever it says.
  Bytes seal_inner(std::string_view inner);

  /// The next inner frame, PUSH and other notifications included; closed or timed_out otherwise.
  Answer next(Millis within = kAnswerWithin);
  /// Sends a request and waits for its answer; notifications are kept in `notices`.
  Answer call(std::uint16_t type, std::string_view body, Millis within = kAnswerWithin);
  /// Waits for the answer with this request id.
  Answer await(std::uint32_t request_id, Millis within = kAnswerWithin);
  std::uint32_t fresh_id() { return next_request_++; }
  /// Waits for a notification of this type, kept ones first.
  Answer notice(std::uint16_t type, Millis within = kAnswerWithin);
  /// Says whether the server ended the connection without a further byte.
  End wait_end(Millis within = Millis(15'000));

  wire::Transport& transport() { return transport_; }

 private:
  enum class Got : std::uint8_t { kBytes, kEnd, kNothing };
  Got read_more(std::chrono::steady_clock::time_point until);
  Result<std::optional<wire::Frame>> next_frame();

  Options options_;
  crypto::SystemRandom random_;
  int fd_ = -1;
  Bytes in_;                        // read, not yet taken by the decoder
  std::span<std::uint8_t> rest_{};  // of in_
  wire::FrameDecoder decoder_;
  std::unique_ptr<wire::NkInitiator> handshake_;
  wire::Transport transport_;
  Bytes scratch_;
  std::uint32_t next_request_ = 1;
  std::deque<Answer> notices_;
};

}  // namespace hy::raw
