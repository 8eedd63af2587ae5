#pragma once

#include <sys/epoll.h>

#include <cstdint>
#include <deque>
#include <vector>

#include "common/base/clock.h"
#include "common/base/turn_pacer.h"

namespace hy::load {

/// One thread's epoll loop for a swarm of sockets: edge-triggered, registered once per socket, so a
/// turn costs one system call beside the reads and writes themselves. What was written in a turn
/// goes out at its end, one write per socket.
class Loop {
 public:
  /// What a busy generator waits at most between two looks. Without it tens of thousands of sends a
  /// second are as many sleeps and wake-ups, a tenth of two cores, which the servers pay for: a
  /// send to a thread that sleeps has to wake it. Counted in every latency, since that runs from
  /// the intended moment.
  static constexpr std::chrono::microseconds kTurnDistance{250};
  /// A turn is as long as its events take, 10–15 µs each, and what is due waits for its end: few
  /// enough that a schedule is kept within half a millisecond. Where there were so many, some are
  /// left, and the next turn follows at once.
  static constexpr std::size_t kEventsAtOnce = 32;

  /// A socket of the loop. It outlives its registration.
  class Source {
   public:
    virtual ~Source() = default;
    /// EPOLLIN, EPOLLOUT … that were raised since the last call.
    virtual void on_events(std::uint32_t events) = 0;
    /// The turn ends: write what has gathered.
    virtual void on_turn_end() = 0;
    bool is_dirty = false;  ///< waits for on_turn_end; the loop's own
    bool is_late = false;   ///< in the line of call_later(); the loop's own
  };

  Loop();
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  /// False: the kernel refused (errno says why). `level`: told again in each turn until it is read.
  bool add(int fd, Source& source, bool level = false);
  /// To be called before the descriptor is closed; events that wait for it are dropped.
  void remove(int fd, Source& source);
  void mark_dirty(Source& source) {
    if (source.is_dirty) return;
    source.is_dirty = true;
    dirty_.push_back(&source);
  }
  /// on_turn_end() comes at `at`, if the source is not called later already: it asks again then. In
  /// the order of the calls: an earlier `at` behind a later one comes with that.
  void call_later(Source& source, MonoTime at) {
    if (source.is_late) return;
    source.is_late = true;
    late_.push_back({at, &source});
  }
  /// When this turn's events were found.
  [[nodiscard]] MonoTime now() const { return now_; }
  /// Writes what has gathered, waits for events until `until` at most (with nanoseconds, not
  /// milliseconds: a schedule hangs on it), handles them, and writes what they led to. Returns how
  /// many events there were.
  int turn(MonoTime until);
  /// Turns since the start, and events in them.
  [[nodiscard]] std::uint64_t turns() const { return turns_; }
  [[nodiscard]] std::uint64_t events() const { return events_; }

 private:
  struct Late {
    MonoTime at;
    Source* source;
  };
  void flush();

  int epoll_;
  std::vector<epoll_event> ready_;
  int ready_at_ = 0;
  int ready_count_ = 0;
  std::vector<Source*> dirty_;
  std::vector<Source*> flushing_;
  std::deque<Late> late_;
  ThreadPacer pacer_;
  MonoTime now_ = std::chrono::steady_clock::now();
  std::uint64_t turns_ = 0;
  std::uint64_t events_ = 0;
};

}  // namespace hy::load
