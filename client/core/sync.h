#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "client/core/codec.h"
#include "client/core/turn.h"
#include "common/base/random.h"

namespace hy::client {

struct SyncSettings {
  Millis periodic = std::chrono::minutes(15);         ///< bounds what a lost hint costs
  Millis without_counter = std::chrono::seconds(60);  ///< PONG knows no counter: Redis is away
  Millis full_again = std::chrono::seconds(60);       ///< SYNC(0) at most this often
  Millis full_every = std::chrono::hours(24);
  Millis gap{200};          ///< between two SYNCs of one connection
  Millis again_min{1'000};  ///< after a refusal, with full jitter
  Millis again_max{30'000};
};

/// When to ask "what changed", and what the answer means for the cursors since and useq.
///
/// Guaranteed: exactly one SYNC after each login; at most one on its way; every reason that comes
/// while one is on its way leads to another after it. `since` moves after the last page alone.
class Sync {
 public:
  enum class Reason : std::uint8_t {
    kLogin,
    kHint,
    kCounter,
    kPartial,
    kPeriodic,
    kPoll,
    kAsked,
    kFull
  };
  /// What the caller does besides taking the conversations.
  struct Outcome {
    bool is_done = false;             ///< the last page
    bool reset_all = false;           ///< another store_epoch: cursors from scratch
    std::uint32_t conversations = 0;  ///< over all pages
  };

  explicit Sync(SyncSettings settings) : settings_(settings) {}

  /// Logged in. `device`: the cursors as on disk. Returns true: all conversations from scratch.
  bool logged_in(Turn& turn, MonoTime now, DeviceRecord& device, const LoginAnswered& login);
  void disconnected();

  void want(MonoTime now, Reason reason);
  /// A push, a SEND_ACK or another sign that the change counter moved for a known reason.
  void saw_change() { changes_seen_ = true; }
  void pong(MonoTime now, const Pong& pong);

  /// The SYNC to send now, if any: the body.
  std::optional<Bytes> take_request(MonoTime now, const DeviceRecord& device);
  Outcome answered(Turn& turn, MonoTime now, DeviceRecord& device, const SyncAnswered& answer);
  void failed(MonoTime now, Millis retry_after, Random& random);

  [[nodiscard]] bool is_up_to_date() const {
    return is_connected_ && done_once_ && !wanted_ && !page_after_ && !in_flight_;
  }
  [[nodiscard]] MonoTime wake_at() const;

 private:
  [[nodiscard]] bool may_compare_all(MonoTime now) const;
  enum class News : std::uint8_t { kNone, kOtherClock, kOtherLog };
  News new_epochs(Turn& turn, DeviceRecord& device, std::uint64_t store_epoch,
                  std::uint64_t clock_steps);

  SyncSettings settings_;
  bool is_connected_ = false;
  bool done_once_ = false;  ///< since the login
  bool wanted_ = false;
  bool full_wanted_ = false;
  bool in_flight_ = false;
  bool is_full_ = false;     ///< the one on its way compares everything
  bool by_counter_ = false;  ///< the one on its way was wanted because of the counter alone
  bool wanted_by_counter_ = false;
  bool partial_ = false;       ///< registration was partial: once more after the first PONG
  bool changes_seen_ = false;  ///< since the last PONG
  std::optional<ConversationId> page_after_;
  struct Covers {
    std::int64_t since = 0;
    Useq useq;
    std::uint64_t change_counter = 0;
    bool too_far = false;
  };
  Covers covers_;  ///< what the cursors become when the last page was taken
  std::uint32_t conversations_ = 0;
  std::uint32_t tries_ = 0;
  std::uint64_t counter_ = 0;  ///< change counter that the last SYNC covers
  MonoTime not_before_{};
  MonoTime periodic_at_ = kNever;
  MonoTime poll_at_ = kNever;
  MonoTime last_full_{};
};

}  // namespace hy::client
