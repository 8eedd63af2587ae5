#include "client/core/reconnect.h"

#include <algorithm>

namespace hy::client {

Millis Reconnect::next_wait(MonoTime now, bool was_online, Millis storm_window, Millis retry_after,
                            Random& random) {
  if (was_online && online_since_ != MonoTime::max() &&
      now - online_since_ >= settings_.stable_after) {
    failures_ = 0;
  }
  online_since_ = MonoTime::max();
  Millis wait{0};
  if (was_online) {
    // However young the session was: others may have lost theirs at the same moment, and the server
    // said over how long it wants to see them again.
    Millis window = std::min(storm_window, settings_.storm_window_max);
    if (window.count() <= 0) window = settings_.first_loss;
    if (failures_ > 0)
      window = std::max(window, backoff_cap(settings_.base, settings_.max, failures_));
    wait = jitter(random, window);
  } else {
    wait = full_jitter(random, settings_.base, settings_.max, failures_);
  }
  ++failures_;
  return std::max(retry_after, Millis{0}) + wait;
}

void Reconnect::learn(const std::vector<std::string>& entries) {
  learned_.clear();
  for (const std::string& entry : entries) {
    if (std::ranges::find(given_, entry) == given_.end()) learned_.push_back(entry);
  }
}

std::vector<std::string> Reconnect::candidates(std::size_t max, const std::string& last_good,
                                               const std::vector<std::string>& prefer,
                                               const std::string& avoid) const {
  std::vector<std::string> all = given_;
  all.insert(all.end(), learned_.begin(), learned_.end());
  std::vector<std::string> out;
  const auto add = [&](const std::string& address) {
    const bool is_there = std::ranges::find(out, address) != out.end();
    if (!address.empty() && address != avoid && !is_there) out.push_back(address);
  };
  for (const std::string& address : prefer) add(address);
  // Once something failed, the last good one is no better than the others.
  const bool is_known = std::ranges::find(all, last_good) != all.end();
  if (failures_ == 0 && is_known) add(last_good);
  for (std::size_t i = 0; i < all.size(); ++i) add(all[(i + offset_) % all.size()]);
  if (!avoid.empty() && std::ranges::find(all, avoid) != all.end()) out.push_back(avoid);
  if (out.size() > max) out.resize(max);
  return out;
}

}  // namespace hy::client
