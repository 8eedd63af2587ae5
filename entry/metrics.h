#pragma once

#include <array>
#include <cstdint>

#include "common/base/error.h"
#include "common/flat/flat_map.h"
#include "common/obs/metrics.h"

namespace hy::entry {

/// All metrics of an entry, as verbs. Any thread: relaxed counters behind references.
class Metrics {
 public:
  explicit Metrics(obs::Registry& registry);

  void accepted() { unauthenticated_.add(1); }
  void opened() {
    unauthenticated_.sub(1);
    open_.add(1);
  }
  void drain_told() { draining_.add(1); }
  void closed(bool was_open, bool was_told, Errc why);
  void refused_connect(Errc code);
  void refused_command(Errc code);
  void frame_in(std::uint16_t type);
  void frame_out(std::uint16_t type);
  void login(Errc result);
  void handshake(double seconds) { handshake_seconds_.observe(seconds); }
  void push_resent(std::uint64_t n) { push_resent_.add(n); }
  void window_grew() { push_window_.add(1); }
  void window_shrank(std::int64_t n) { push_window_.sub(n); }
  void unreachable() { unreachable_.add(1); }
  void sync_hint(std::uint64_t n) { sync_hints_.add(n); }
  void deliveries_dropped(std::uint64_t n) { deliveries_dropped_.add(n); }
  void slow_reader_began() { slow_readers_.add(1); }
  void slow_reader_ended() { slow_readers_.sub(1); }
  void bytes_in(std::uint64_t n) { bytes_in_.add(n); }
  void bytes_out(std::uint64_t n) { bytes_out_.add(n); }
  void send_call() { send_calls_.add(1); }
  void drain_active(bool active) { drain_active_.set(active ? 1 : 0); }
  void guest_active(bool active) { guest_active_.set(active ? 1 : 0); }
  void connections_limit(std::int64_t n) { connections_limit_.set(n); }
  void access_reloaded(bool ok) { (ok ? lists_ok_ : lists_bad_).add(1); }
  /// What the hub counted; from the loop, once a second.
  struct HubView {
    std::uint64_t placements = 0;
    std::uint64_t in_flight = 0;
    std::uint64_t live_replicas = 0;
    std::uint64_t live_logics = 0;
    std::uint64_t unplaced = 0;
    std::uint64_t dumps = 0;
    std::uint64_t displaced = 0;
    std::uint64_t partial = 0;
    std::uint64_t late_replies = 0;
  };
  void hub(const HubView& view);
  [[nodiscard]] std::int64_t connections() const {
    return unauthenticated_.value() + open_.value();
  }

 private:
  struct Codes {
    Codes(obs::Registry& registry, std::string_view name, std::string_view help);
    FlatMap<std::uint16_t, obs::Counter*> counters;
    obs::Counter* other = nullptr;
    void count(Errc code);
  };
  struct Frames {
    Frames(obs::Registry& registry, std::string_view dir);
    FlatMap<std::uint16_t, obs::Counter*> counters;
    obs::Counter* other = nullptr;
    void count(std::uint16_t type);
  };

  obs::Gauge& unauthenticated_;
  obs::Gauge& open_;
  obs::Gauge& draining_;
  obs::Gauge& connections_limit_;
  Codes refused_;
  Codes closed_;
  Codes logins_;
  Frames frames_in_;
  Frames frames_out_;
  obs::Histogram& handshake_seconds_;
  obs::Counter& push_resent_;
  obs::Gauge& push_window_;
  obs::Counter& unreachable_;
  obs::Counter& sync_hints_;
  obs::Counter& deliveries_dropped_;
  obs::Gauge& slow_readers_;
  obs::Counter& bytes_in_;
  obs::Counter& bytes_out_;
  obs::Counter& send_calls_;
  obs::Counter& lists_ok_;
  obs::Counter& lists_bad_;
  obs::Gauge& drain_active_;
  obs::Gauge& guest_active_;
  obs::Gauge& placements_;
  obs::Gauge& in_flight_;
  obs::Gauge& live_replicas_;
  obs::Gauge& live_logics_;
  obs::Gauge& unplaced_;
  obs::Counter& dumps_;
  obs::Counter& displaced_;
  obs::Counter& partial_;
  obs::Counter& late_replies_;
  HubView last_;  // loop thread
};

}  // namespace hy::entry
