#include "tests/sim/store/model_cache.h"

#include <algorithm>

#include "common/base/test_hooks.h"

namespace hy::sim {
namespace {

constexpr Millis kAnswerWithin{50};
constexpr Millis kQuiet{1'000};

}  // namespace

void ModelRedis::set_down(bool down) {
  const std::scoped_lock guard(mutex_);
  down_ = down;
}

void ModelRedis::set_refuses_writes(bool on) {
  const std::scoped_lock guard(mutex_);
  refuses_writes_ = on;
}

void ModelRedis::set_latency(Millis latency) {
  const std::scoped_lock guard(mutex_);
  latency_ = latency;
}

void ModelRedis::flush() {
  const std::scoped_lock guard(mutex_);
  data_ = {};
}

void ModelRedis::mark_replica() {
  const std::scoped_lock guard(mutex_);
  replica_ = data_;
}

void ModelRedis::fail_over() {
  const std::scoped_lock guard(mutex_);
  data_ = replica_;
}

bool ModelRedis::is_down() const {
  const std::scoped_lock guard(mutex_);
  return down_;
}

ModelCache::ModelCache(ModelRedis& redis, const Clock& clock, std::uint64_t seed, Alive alive,
                       std::chrono::nanoseconds& spent)
    : redis_(redis), clock_(clock), random_(seed), alive_(std::move(alive)), spent_(spent) {}

bool ModelCache::reach(bool writes) {
  if (!alive_() || clock_.now() < quiet_until_) return false;
  if (redis_.down_ || redis_.latency_ > kAnswerWithin) {
    spent_ += kAnswerWithin;
    quiet_until_ = clock_.now() + kQuiet;
    return false;
  }
  spent_ += redis_.latency_;
  return !(writes && redis_.refuses_writes_);
}

void ModelCache::committed(std::span<const das::CommittedHead> heads) {
  const std::scoped_lock guard(redis_.mutex_);
  if (!reach(true)) return;
  for (const das::CommittedHead& head : heads) {
    if (head.conv.is_group()) continue;
    change(Uid{head.conv.hi});
    change(Uid{head.conv.lo});
  }
}

void ModelCache::changed(std::span<const Uid> uids) {
  const std::scoped_lock guard(redis_.mutex_);
  if (!reach(true)) return;
  for (const Uid uid : uids) change(uid);
}

std::vector<std::uint64_t> ModelCache::change_counters(std::span<const Uid> uids) {
  const std::scoped_lock guard(redis_.mutex_);
  std::vector<std::uint64_t> out(uids.size(), 0);
  if (!reach(false)) return out;
  for (std::size_t i = 0; i < uids.size(); ++i) {
    const auto it = redis_.data_.counters.find(uids[i]);
    if (it == redis_.data_.counters.end()) {
      if (redis_.refuses_writes_) continue;
      change(uids[i]);
      if (mutant(Mutant::kLostCounterBeginsAgain)) redis_.data_.counters[uids[i]] = 1;
    }
    out[i] = redis_.data_.counters[uids[i]];
  }
  return out;
}

void ModelCache::lose_all() {
  if (alive_()) redis_.flush();
}

bool ModelCache::is_up() const {
  return clock_.now() >= quiet_until_;
}

}  // namespace hy::sim
