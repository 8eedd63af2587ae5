#include "entry/session/conn_fsm.h"

#include "common/base/check.h"
#include "entry/ports/traffic.h"

namespace hy::entry {
namespace {

constexpr OuterVerdict close_with(Errc code) {
  return {OuterVerdict::Kind::kClose, code};
}

}  // namespace

std::uint32_t ConnFsm::body_bytes_max(std::uint32_t first_frame_max) const {
  switch (state_) {
    case ConnState::kHello: return limits::kHelloBytesMax;
    case ConnState::kHandshake:
    case ConnState::kLogin:
    case ConnState::kLoggingIn: return first_frame_max;
    case ConnState::kOpen:
    case ConnState::kDraining: return limits::kBodyBytesMax;
    case ConnState::kClosed: return 0;
  }
  return 0;
}

OuterVerdict ConnFsm::on_header(std::uint32_t command, std::uint32_t length,
                                std::uint32_t first_frame_max) {
  using Kind = OuterVerdict::Kind;
  const auto outer = static_cast<OuterCommand>(command);
  if (state_ == ConnState::kClosed) return close_with(Errc::kWrongState);
  if (discard_handshake_ && outer == OuterCommand::kHandshake1) {
    if (length > first_frame_max) return close_with(Errc::kFrameTooLarge);
    discard_handshake_ = false;
    return {Kind::kDiscard, Errc::kOk};
  }
  bool legal = false;
  switch (state_) {
    case ConnState::kHello: legal = outer == OuterCommand::kHello; break;
    case ConnState::kHandshake: legal = outer == OuterCommand::kHandshake1; break;
    case ConnState::kLogin:
    case ConnState::kLoggingIn:
    case ConnState::kOpen:
    case ConnState::kDraining: legal = outer == OuterCommand::kData; break;
    case ConnState::kClosed: break;
  }
  if (!legal) return close_with(Errc::kWrongState);
  if (length > body_bytes_max(first_frame_max)) return close_with(Errc::kFrameTooLarge);
  return {Kind::kTake, Errc::kOk};
}

HelloAction ConnFsm::on_hello(bool known_key, bool notice_ready) {
  HY_CHECK(state_ == ConnState::kHello);
  if (known_key) {
    discard_handshake_ = false;
    state_ = ConnState::kHandshake;
    return HelloAction::kProceed;
  }
  if (!notice_ready || notice_sent_) return HelloAction::kClose;
  notice_sent_ = true;
  discard_handshake_ = true;
  return HelloAction::kNotice;
}

void ConnFsm::on_channel_up() {
  HY_CHECK(state_ == ConnState::kHandshake);
  state_ = ConnState::kLogin;
}

InnerVerdict ConnFsm::on_inner(std::uint16_t type, std::uint16_t /*flags*/) {
  // Answers and notifications flow the other way only.
  if ((type & (inner_type::kAnswerBit | inner_type::kNotificationBit)) != 0) {
    return {InnerAction::kClose, Errc::kBadFrame};
  }
  switch (state_) {
    case ConnState::kLogin:
      if (type != inner_type::kLogin) return {InnerAction::kClose, Errc::kNotLoggedIn};
      state_ = ConnState::kLoggingIn;
      return {InnerAction::kLogin, Errc::kOk};
    case ConnState::kLoggingIn:
      // PING too: a failed login must not be kept alive by it.
      return {InnerAction::kClose, Errc::kNotLoggedIn};
    case ConnState::kOpen:
    case ConnState::kDraining:
      if (type == inner_type::kLogin) return {InnerAction::kRefuse, Errc::kAlreadyLoggedIn};
      if (type == inner_type::kPushAck) return {InnerAction::kPushAck, Errc::kOk};
      return {InnerAction::kForward, Errc::kOk};
    case ConnState::kHello:
    case ConnState::kHandshake:
    case ConnState::kClosed: break;
  }
  return {InnerAction::kClose, Errc::kWrongState};
}

bool ConnFsm::on_login_refused() {
  if (state_ != ConnState::kLoggingIn) return state_ != ConnState::kClosed;
  state_ = ConnState::kLogin;
  return ++login_failures_ < kLoginTriesMax;
}

void ConnFsm::on_opened() {
  HY_CHECK(state_ == ConnState::kLoggingIn);
  state_ = ConnState::kOpen;
}

void ConnFsm::on_draining() {
  if (state_ == ConnState::kOpen) state_ = ConnState::kDraining;
}

Errc ConnFsm::overdue(Millis age, const ConnTimes& times) const {
  switch (state_) {
    case ConnState::kHello:
    case ConnState::kHandshake:
      return age >= times.handshake_within ? Errc::kHandshakeTimeout : Errc::kOk;
    case ConnState::kLogin:
    case ConnState::kLoggingIn: return age >= times.login_within ? Errc::kLoginTimeout : Errc::kOk;
    case ConnState::kOpen:
    case ConnState::kDraining:
    case ConnState::kClosed: break;
  }
  return Errc::kOk;
}

Millis ConnFsm::next_check(const ConnTimes& times) const {
  switch (state_) {
    case ConnState::kHello:
    case ConnState::kHandshake: return times.handshake_within;
    case ConnState::kLogin:
    case ConnState::kLoggingIn: return times.login_within;
    case ConnState::kOpen:
    case ConnState::kDraining:
    case ConnState::kClosed: break;
  }
  return Millis{0};
}

}  // namespace hy::entry
