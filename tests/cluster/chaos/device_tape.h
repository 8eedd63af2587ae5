#pragma once

#include <algorithm>
#include <atomic>
#include <mutex>
#include <set>

#include "tests/sim/cluster/recorder.h"

namespace hy::chaos {

/// One device's history over all its lives, by the clock and not by the time that a turn began: a
/// turn that is frozen hears what came meanwhile. The SDK's thread writes, others may ask. A device
/// that dies in the middle of a turn is silenced at once, or after the turn that its disk has.
class DeviceTape final : public client::TurnObserver {
 public:
  /// `deeds` counts what the device asks for that may move something in the store.
  DeviceTape(judge::DeviceKey key, std::atomic<std::uint64_t>& deeds)
      : recorder_(key), deeds_(deeds) {}

  void asked(MonoTime /*turn*/, std::uint16_t type, std::uint32_t request_id,
             ByteView body) override {
    const std::lock_guard lock(mutex_);
    note_thread();
    if (type == client::Type::kSend || type == client::Type::kRead || type == client::Type::kLogin)
      ++deeds_;
    if (mode_ == Mode::kLive) recorder_.asked(now(), type, request_id, body);
  }
  void heard(MonoTime /*turn*/, const wire::Inner& inner) override {
    const std::lock_guard lock(mutex_);
    note_thread();
    if (mode_ == Mode::kLive) recorder_.heard(now(), inner);
  }
  void logged_in(MonoTime /*turn*/, const client::LoginAnswered& answer) override {
    const std::lock_guard lock(mutex_);
    note_thread();
    if (mode_ == Mode::kLive) recorder_.logged_in(now(), answer);
  }
  void committed(MonoTime /*turn*/, const client::Turn& turn,
                 const std::vector<client::RowFate>& fates) override {
    const std::lock_guard lock(mutex_);
    note_thread();
    if (mode_ != Mode::kLive) return;
    for (const client::Write& write : turn.writes) {
      const auto* const put = std::get_if<client::PutOutbox>(&write);
      if (put == nullptr || !written_.insert(put->record.id).second) continue;
      const client::OutboxRecord& r = put->record;
      recorder_.submitted(now(), r.id, r.conversation, r.kind, r.body);
    }
    recorder_.committed(now(), turn, fates);
  }
  void told(MonoTime /*turn*/, const client::Turn& turn,
            const std::vector<client::RowFate>& fates) override {
    const std::lock_guard lock(mutex_);
    note_thread();
    if (mode_ == Mode::kSilent) return;
    recorder_.told(now(), turn, fates);
    if (mode_ == Mode::kLastTurn) mode_ = Mode::kSilent;
  }

  void read_wanted(ConversationId conv, Seq seq) {
    const std::lock_guard lock(mutex_);
    if (mode_ == Mode::kLive) recorder_.read_wanted(now(), conv, seq);
  }
  /// The device dies now; `is_committed`: what its disk has of this turn is told yet.
  void die(bool is_committed) {
    const std::lock_guard lock(mutex_);
    mode_ = is_committed ? Mode::kLastTurn : Mode::kSilent;
  }
  /// It starts again on the same store.
  void start_again() {
    const std::lock_guard lock(mutex_);
    recorder_.restarted(now());
    mode_ = Mode::kLive;
  }
  judge::History finish(bool drained) {
    const std::lock_guard lock(mutex_);
    mode_ = Mode::kSilent;
    judge::History& history = recorder_.history();
    const auto& events = history.events();
    const judge::Nanos at = now().time_since_epoch().count();
    history.end(events.empty() ? at : std::max(at, events.back().at), drained);
    return std::move(history);
  }

  /// The tape of the SDK's thread that calls this; nullptr: another thread.
  static DeviceTape* of_this_thread() { return of_thread_; }

 private:
  enum class Mode : std::uint8_t { kLive, kLastTurn, kSilent };
  static MonoTime now() { return std::chrono::steady_clock::now(); }
  // Every device has a thread of its own.
  void note_thread() { of_thread_ = this; }

  static thread_local DeviceTape* of_thread_;
  std::mutex mutex_;
  sim::Recorder recorder_;
  std::atomic<std::uint64_t>& deeds_;
  std::set<ClientMsgId> written_;
  Mode mode_ = Mode::kLive;
};

}  // namespace hy::chaos
