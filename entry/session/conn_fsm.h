#pragma once

#include <cstdint>

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/wire/header.h"

namespace hy::entry {

enum class ConnState : std::uint8_t {
  kHello,      ///< accepted, nothing yet
  kHandshake,  ///< HELLO seen
  kLogin,      ///< channel is up, nobody is logged in
  kLoggingIn,  ///< one LOGIN is at logic, or being registered
  kOpen,
  kDraining,  ///< open, and told to go elsewhere
  kClosed,
};

/// Absolute times from accept: a slow sender cannot stretch them (security.md E2).
struct ConnTimes {
  Millis handshake_within{5'000};
  Millis login_within{10'000};
};

/// What to do with a decrypted inner frame.
enum class InnerAction : std::uint8_t { kForward, kLogin, kPushAck, kRefuse, kClose };
struct InnerVerdict {
  InnerAction action = InnerAction::kClose;
  Errc code = Errc::kOk;  ///< with kRefuse and kClose
};

/// What to do with a HELLO that parsed.
enum class HelloAction : std::uint8_t { kProceed, kNotice, kClose };

/// The life of one connection: hello -> handshake -> login -> open -> draining -> closed. No clock,
/// no socket, four bytes; every byte that a peer can send has one answer here.
class ConnFsm {
 public:
  [[nodiscard]] ConnState state() const { return state_; }
  [[nodiscard]] bool is_open() const {
    return state_ == ConnState::kOpen || state_ == ConnState::kDraining;
  }
  [[nodiscard]] bool is_unauthenticated() const { return state_ < ConnState::kOpen; }
  [[nodiscard]] bool channel_is_up() const {
    return state_ >= ConnState::kLogin && state_ != ConnState::kClosed;
  }

  /// Which outer frames are legal now and how long they may be. Precondition: not closed.
  [[nodiscard]] wire::ReadState read_state() const;
  /// `known_key`: the entry holds the static key that HELLO names. `notice_ready`: a KEY_NOTICE is
  /// configured. One notice per connection; the HANDSHAKE_1 that was pipelined behind the HELLO is
  /// then discarded and a new HELLO expected.
  HelloAction on_hello(bool known_key, bool notice_ready);
  /// A HANDSHAKE_1 came. False: it is the one to be discarded.
  [[nodiscard]] bool on_handshake();
  /// HANDSHAKE_1 verified and answered.
  void on_channel_up();
  InnerVerdict on_inner(std::uint16_t type, std::uint16_t flags);
  /// Login was refused. False: too many failures, close.
  [[nodiscard]] bool on_login_refused();
  void on_opened();
  void on_draining();
  void on_closed() { state_ = ConnState::kClosed; }

  /// The code with which the connection ends when `age` has passed since accept; kOk: none yet.
  [[nodiscard]] Errc overdue(Millis age, const ConnTimes& times) const;
  /// Age at which overdue() has to be asked next; 0: never.
  [[nodiscard]] Millis next_check(const ConnTimes& times) const;

 private:
  static constexpr std::uint8_t kLoginTriesMax = 3;

  ConnState state_ = ConnState::kHello;
  bool notice_sent_ = false;
  bool discard_handshake_ = false;
  std::uint8_t login_failures_ = 0;
};

}  // namespace hy::entry
