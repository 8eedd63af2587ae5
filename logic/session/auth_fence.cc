#include "logic/session/auth_fence.h"

#include <algorithm>
#include <utility>

#include "common/base/limits.h"

namespace hy::logic {

namespace {

/// "No such user" is 0, and stale whatever is shown.
bool is_stale(std::uint32_t known, std::uint32_t shown) {
  return known == 0 || shown < known;
}

}  // namespace

const AuthFence::Known* AuthFence::fresh(SlotKey key) {
  const Known* known = known_.find(key);
  if (known == nullptr || clock_.now() - known->asked_at > options_.fresh_for) return nullptr;
  return known;
}

std::optional<bool> AuthFence::is_stale_now(SlotKey key, std::uint32_t auth_epoch) {
  const Known* known = fresh(key);
  if (known == nullptr) return std::nullopt;
  return is_stale(known->auth_epoch, auth_epoch);
}

void AuthFence::check(SlotKey key, std::uint32_t auth_epoch, Answer answer) {
  if (fresh(key) != nullptr) {
    answer(judge(key, auth_epoch, {}));
    return;
  }
  ask(key, auth_epoch, std::move(answer));
}

void AuthFence::check_at_das(SlotKey key, std::uint32_t auth_epoch, Answer answer) {
  ask(key, auth_epoch, std::move(answer));
}

void AuthFence::ask(SlotKey key, std::uint32_t auth_epoch, Answer answer) {
  if (waiting_count_ >= options_.waiting_max) {
    answer(judge(key, auth_epoch, {}));
    return;
  }
  std::vector<Waiting>& line = waiting_[key];
  if (line.empty()) asking_.push_back(key);
  line.push_back({auth_epoch, std::move(answer)});
  ++waiting_count_;
}

void AuthFence::learn(SlotKey key, std::uint32_t auth_epoch) {
  if (const Known* known = known_.find(key); known != nullptr && known->auth_epoch > auth_epoch) {
    return;
  }
  known_.put(key, Known{auth_epoch, clock_.now()});
}

void AuthFence::flush() {
  if (asking_.empty()) return;
  const MonoTime now = clock_.now();
  if (!is_last_answered_ && now - last_left_ < options_.hold_max) return;
  // Taken out first: an answer from inside the call may start a command that asks again.
  const std::vector<SlotKey> asking = std::exchange(asking_, {});
  std::unordered_map<SlotKey, std::vector<Waiting>> all = std::exchange(waiting_, {});
  const CallContext call{now + options_.ask_within, TraceId{}};
  for (std::size_t begin = 0; begin < asking.size(); begin += limits::kIdsPerRequestMax) {
    const std::size_t end = std::min(asking.size(), begin + limits::kIdsPerRequestMax);
    std::vector<SlotKey> keys(asking.begin() + static_cast<std::ptrdiff_t>(begin),
                              asking.begin() + static_cast<std::ptrdiff_t>(end));
    std::unordered_map<SlotKey, std::vector<Waiting>> waiting;
    for (const SlotKey& key : keys) waiting.emplace(key, std::move(all.find(key)->second));
    is_last_answered_ = false;
    last_left_ = now;
    accounts_.auth_epochs(keys, call,
                          [this, keys, now, number = ++calls_, waiting = std::move(waiting)](
                              Result<std::vector<KnownEpoch>> result) mutable {
                            if (number == calls_) is_last_answered_ = true;
                            settle(keys, now, result, waiting);
                          });
  }
}

void AuthFence::settle(const std::vector<SlotKey>& keys, MonoTime asked_at,
                       const Result<std::vector<KnownEpoch>>& result,
                       std::unordered_map<SlotKey, std::vector<Waiting>>& waiting) {
  const bool is_answered = result && result->size() == keys.size();
  for (std::size_t i = 0; i < keys.size(); ++i) {
    std::string name;
    if (is_answered) {
      const KnownEpoch& said = (*result)[i];
      name = said.name;
      const Known* known = known_.find(keys[i]);
      // A slow answer must not lower what a sign-in has taught meanwhile. "No such user" may.
      const bool is_newer =
          known == nullptr || said.auth_epoch == 0 || said.auth_epoch >= known->auth_epoch;
      if (is_newer) known_.put(keys[i], Known{said.auth_epoch, asked_at});
    }
    for (Waiting& w : waiting.find(keys[i])->second) {
      --waiting_count_;
      w.answer(judge(keys[i], w.auth_epoch, name));
    }
  }
}

AuthFence::Verdict AuthFence::judge(SlotKey key, std::uint32_t auth_epoch, std::string name) {
  Verdict verdict;
  verdict.name = std::move(name);
  const Known* known = known_.find(key);
  if (known == nullptr) return verdict;
  verdict.is_known = true;
  verdict.auth_epoch = known->auth_epoch;
  verdict.is_stale = is_stale(known->auth_epoch, auth_epoch);
  return verdict;
}

}  // namespace hy::logic
