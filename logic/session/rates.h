#pragma once

#include <array>
#include <cstdint>

#include "common/base/result.h"
#include "logic/domain/lru_map.h"
#include "logic/ports/types.h"

namespace hy::logic {

/// Which budget of its user a command draws on.
enum class RateClass : std::uint8_t {
  kNone,
  kSend,
  kRead,
  kSync,
  kPull,
  kQuery,
  kRelay,
  kNewGroup
};
inline constexpr std::size_t kRateClasses = 8;

/// `per_second` on average, `burst` at once. per_second 0 = unlimited.
struct RateLimit {
  double per_second = 0;
  std::uint32_t burst = 1;
};

/// Rates of users and of groups. A hint like every cache: whoever was pushed out of the table
/// starts anew, and each logic counts for itself (an entry keeps a session to one logic).
class Rates {
 public:
  struct Limits {
    RateLimit send{5, 60};
    RateLimit read{10, 60};
    RateLimit sync{1, 5};
    RateLimit pull{5, 30};
    RateLimit query{5, 30};
    RateLimit relay{2, 20};
    RateLimit new_group{10.0 / 60, 5};
    RateLimit group{10, 20};  ///< messages into one group, from whomever
  };
  Rates(const Limits& limits, std::size_t users_max, std::size_t groups_max);

  /// kRateLimited with retry_after when the user's budget of the class is spent.
  Status take(RateClass rate_class, Uid uid, MonoTime now);
  /// The stricter one while the store is down.
  Status take_relay(Uid uid, MonoTime now) { return take(RateClass::kRelay, uid, now); }
  /// kRateLimited with retry_after when so much was said in the group: one message there costs as
  /// many deliveries as it has members.
  Status take_group(Gid gid, MonoTime now);
  [[nodiscard]] std::size_t users() const { return next_.size(); }

 private:
  /// Generic cell rate algorithm (ITU-T I.371): one time stamp a budget instead of a counter and a
  /// time, and the wait falls out of it.
  struct Limit {
    std::chrono::nanoseconds interval{0};  ///< 0 = unlimited
    std::chrono::nanoseconds tolerance{0};
  };
  [[nodiscard]] static Limit limit_of(RateLimit limit);
  [[nodiscard]] static Status take(const Limit& limit, MonoTime& next, MonoTime now);
  /// A full budget says what none would say. Two for each newcomer, so that the table holds those
  /// who were active in the last seconds and not everybody who is connected.
  void forget_full(MonoTime now);

  std::array<Limit, kRateClasses> limits_{};
  Limit group_;
  LruMap<Uid, std::array<MonoTime, kRateClasses>> next_;
  LruMap<Gid, MonoTime> next_of_group_;
};

}  // namespace hy::logic
