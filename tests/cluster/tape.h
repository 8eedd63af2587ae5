#pragma once

#include <chrono>
#include <mutex>
#include <set>

#include "tests/sim/cluster/recorder.h"

namespace hy::chaos {

/// Records one client's history while its SDK runs, by the clock and not by the time that a turn
/// began: a turn that took long hears what came meanwhile. The SDK's thread writes; finish() may
/// come from another and ends the recording.
class Tape final : public client::TurnObserver {
 public:
  explicit Tape(judge::DeviceKey key) : recorder_(key) {}

  void asked(MonoTime /*turn*/, std::uint16_t type, std::uint32_t request_id,
             ByteView body) override {
    const std::lock_guard lock(mutex_);
    if (!is_over_) recorder_.asked(std::chrono::steady_clock::now(), type, request_id, body);
  }
  void heard(MonoTime /*turn*/, const wire::Inner& inner) override {
    const std::lock_guard lock(mutex_);
    if (!is_over_) recorder_.heard(std::chrono::steady_clock::now(), inner);
  }
  void logged_in(MonoTime /*turn*/, const client::LoginAnswered& answer) override {
    const std::lock_guard lock(mutex_);
    if (!is_over_) recorder_.logged_in(std::chrono::steady_clock::now(), answer);
  }
  void committed(MonoTime /*turn*/, const client::Turn& turn,
                 const std::vector<client::RowFate>& fates) override {
    const std::lock_guard lock(mutex_);
    if (is_over_) return;
    for (const client::Write& write : turn.writes) {
      const auto* const put = std::get_if<client::PutOutbox>(&write);
      if (put == nullptr || !written_.insert(put->record.id).second) continue;
      const client::OutboxRecord& r = put->record;
      recorder_.submitted(std::chrono::steady_clock::now(), r.id, r.conversation, r.kind, r.body);
    }
    recorder_.committed(std::chrono::steady_clock::now(), turn, fates);
  }
  void told(MonoTime /*turn*/, const client::Turn& turn,
            const std::vector<client::RowFate>& fates) override {
    const std::lock_guard lock(mutex_);
    if (!is_over_) recorder_.told(std::chrono::steady_clock::now(), turn, fates);
  }

  judge::History finish(MonoTime now, bool drained) {
    const std::lock_guard lock(mutex_);
    is_over_ = true;
    judge::History& history = recorder_.history();
    const auto& events = history.events();
    const judge::Nanos at = now.time_since_epoch().count();
    history.end(events.empty() ? at : std::max(at, events.back().at), drained);
    return std::move(history);
  }

 private:
  std::mutex mutex_;
  sim::Recorder recorder_;
  std::set<ClientMsgId> written_;
  bool is_over_ = false;
};

}  // namespace hy::chaos
