#include "common/rpc/core/peer_health.h"

namespace hy::rpc {

void PeerHealth::on_up(MonoTime now) {
  up_ = true;
  asked_ = false;
  misses_ = 0;
  heard_ = now;
}

void PeerHealth::on_down() {
  up_ = false;
}

void PeerHealth::on_heard(MonoTime now) {
  heard_ = now;
  asked_ = false;
  misses_ = 0;
}

void PeerHealth::on_asked(MonoTime now) {
  if (asked_) return;
  asked_ = true;
  asked_at_ = now;
}

void PeerHealth::on_missed() {
  ++misses_;
}

Health PeerHealth::judge(MonoTime now) const {
  if (!up_) return Health::kDown;
  if (misses_ >= rules_.misses_max) return Health::kSuspect;
  if (asked_ && now - asked_at_ > rules_.silence_max) return Health::kSuspect;
  return Health::kUp;
}

}  // namespace hy::rpc
