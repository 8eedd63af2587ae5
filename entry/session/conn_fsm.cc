#include "entry/session/conn_fsm.h"

#include "common/base/check.h"
#include "entry/ports/traffic.h"

namespace hy::entry {

wire::ReadState ConnFsm::read_state() const {
  switch (state_) {
    case ConnState::kHello:
      if (discard_handshake_) return wire::ReadState::kServerAfterNotice;
      return notice_sent_ ? wire::ReadState::kServerSecondHello : wire::ReadState::kServerHello;
    case ConnState::kHandshake: return wire::ReadState::kServerHandshake;
    case ConnState::kLogin:
    case ConnState::kLoggingIn: return wire::ReadState::kServerLogin;
    case ConnState::kOpen:
    case ConnState::kDraining: return wire::ReadState::kServerOpen;
    case ConnState::kClosed: break;
  }
  HY_CHECK(state_ != ConnState::kClosed);
  return wire::ReadState::kServerHello;
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

bool ConnFsm::on_handshake() {
  if (state_ == ConnState::kHandshake) return true;
  HY_CHECK(state_ == ConnState::kHello && discard_handshake_);
  discard_handshake_ = false;
  return false;
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
