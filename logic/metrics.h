#pragma once

#include <array>
#include <map>
#include <string_view>

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/obs/metrics.h"
#include "logic/ports/router_port.h"

namespace hy::logic {

/// All metrics of hy-logic, as verbs. Loop thread, but for what the registry reads itself.
class Metrics {
 public:
  explicit Metrics(obs::Registry& registry);
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  // Requests.
  void request_answered(std::uint16_t type, Errc code);
  void request_unanswered(std::uint16_t type);
  void queued_for(std::chrono::nanoseconds wait) { queue_seconds_.observe(wait); }
  /// 0 = everything is admitted … 1 = receipts, pings and kicks alone.
  void shed_level(double level) {
    admission_level_.set(static_cast<std::int64_t>(level * kLevelPercent));
  }

  // Messages.
  void send_received(std::uint32_t kind);
  void send_stored(std::chrono::nanoseconds took, bool repeat);
  void send_relayed() { acked_relayed_.add(); }
  void send_unknown() { acked_unknown_.add(); }
  void send_refused(Errc code);
  void confirmed() { confirmed_.add(); }

  // Pushes.
  void push_sent(bool again) { (again ? push_again_ : push_sent_).add(); }
  void push_dropped(std::string_view reason);
  void push_result(DeliverResult result, std::uint64_t count = 1);
  void push_result_late() { push_late_.add(); }
  void push_unanswered() { push_unanswered_.add(); }

  // Logins.
  void login_ok(bool by_password) { (by_password ? login_password_ : login_token_).add(); }
  void login_refused() { login_refused_.add(); }
  void kick_sent() { kicks_.add(); }
  void grant_refused() { grants_refused_.add(); }

  // das.
  void das_retry() { das_retries_.add(); }
  void das_unknown() { das_unknown_.add(); }
  void das_refused_full() { das_full_.add(); }
  void store_up(bool up) { store_up_.set(up ? 1 : 0); }

  // Streams.
  void entry_streams(std::int64_t count) { entry_streams_.set(count); }
  void admin_call(bool allowed) { (allowed ? admin_calls_ : admin_refused_).add(); }

 private:
  static constexpr double kLevelPercent = 100;
  struct PerCommand {
    obs::Counter* answered = nullptr;
    obs::Counter* unanswered = nullptr;
  };
  [[nodiscard]] PerCommand& command(std::uint16_t type);

  std::map<std::uint16_t, PerCommand> commands_;
  PerCommand unknown_command_;
  std::map<Errc, obs::Counter*> refused_;
  std::map<Errc, obs::Counter*> msg_refused_;
  std::array<obs::Counter*, 3> kinds_{};
  std::array<obs::Counter*, 6> push_results_{};
  obs::Histogram& queue_seconds_;
  obs::Gauge& admission_level_;
  obs::Counter& acked_stored_;
  obs::Counter& acked_relayed_;
  obs::Counter& acked_unknown_;
  obs::Counter& repeats_;
  obs::Counter& conflicts_;
  obs::Histogram& stored_seconds_;
  obs::Counter& confirmed_;
  obs::Counter& push_sent_;
  obs::Counter& push_again_;
  obs::Counter& push_no_router_;
  obs::Counter& push_full_;
  obs::Counter& push_late_;
  obs::Counter& push_unanswered_;
  obs::Counter& login_token_;
  obs::Counter& login_password_;
  obs::Counter& login_refused_;
  obs::Counter& kicks_;
  obs::Counter& grants_refused_;
  obs::Counter& das_retries_;
  obs::Counter& das_unknown_;
  obs::Counter& das_full_;
  obs::Gauge& store_up_;
  obs::Gauge& entry_streams_;
  obs::Counter& admin_calls_;
  obs::Counter& admin_refused_;
};

}  // namespace hy::logic
