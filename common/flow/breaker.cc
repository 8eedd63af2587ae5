#include "common/flow/breaker.h"

#include <algorithm>

namespace hy::flow {

bool Breaker::allow(MonoTime now) {
  switch (state_) {
    case State::kClosed: return true;
    case State::kHalfOpen: {
      // A probe whose outcome is never told (its caller went away) must not keep the door shut.
      if (now < probe_at_) return false;
      probe_at_ = now + wait_;
      return true;
    }
    case State::kOpen: break;
  }
  if (now < probe_at_) return false;
  state_ = State::kHalfOpen;
  probe_at_ = now + wait_;
  return true;
}

void Breaker::on_success() {
  // A late answer to a request from before the opening proves nothing about now.
  if (state_ == State::kOpen) return;
  state_ = State::kClosed;
  failures_ = 0;
  wait_ = options_.open_for;
}

void Breaker::on_failure(MonoTime now) {
  if (state_ == State::kOpen) return;
  if (state_ == State::kHalfOpen) {
    wait_ = std::min(options_.open_for_max, wait_ * 2);
    return open(now);
  }
  if (++failures_ >= options_.failures) open(now);
}

void Breaker::open(MonoTime now) {
  state_ = State::kOpen;
  failures_ = 0;
  probe_at_ = now + wait_;
}

Millis Breaker::retry_after(MonoTime now) const {
  if (state_ != State::kOpen || now >= probe_at_) return Millis(0);
  return std::chrono::ceil<Millis>(probe_at_ - now);
}

}  // namespace hy::flow
