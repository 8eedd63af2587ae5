#pragma once

#include <cstdint>
#include <utility>

#include "client/bench/histogram.h"

namespace hy::bench {

/// Counters since the start; a tick carries the difference.
struct Counts {
  std::uint64_t dialled = 0;
  std::uint64_t opened = 0;  ///< logged in, first SYNC answered
  std::uint64_t lost = 0;    ///< connections that ended by themselves after that
  std::uint64_t failed = 0;  ///< dials that ended before it
  std::uint64_t due = 0;     ///< sends that the schedule wanted by now
  std::uint64_t sent = 0;
  std::uint64_t missed = 0;  ///< due, and the sender was not connected
  std::uint64_t stored = 0;
  std::uint64_t relayed = 0;
  std::uint64_t refused = 0;
  std::uint64_t delivered = 0;
  std::uint64_t confirmed = 0;
  std::uint64_t receipts = 0;      ///< each confirms one message or several
  std::uint64_t pushed_again = 0;  ///< a push once more, and dropped
  std::uint64_t pulled = 0;
  std::uint64_t hints = 0;  ///< SYNC_HINT: not everything was pushed
  std::uint64_t pings = 0;
};

/// Every counter with its name in ticks and reports.
inline constexpr std::pair<const char*, std::uint64_t Counts::*> kCountNames[] = {
    {"dialled", &Counts::dialled},
    {"opened", &Counts::opened},
    {"lost", &Counts::lost},
    {"failed", &Counts::failed},
    {"due", &Counts::due},
    {"sent", &Counts::sent},
    {"missed", &Counts::missed},
    {"stored", &Counts::stored},
    {"relayed", &Counts::relayed},
    {"refused", &Counts::refused},
    {"delivered", &Counts::delivered},
    {"confirmed", &Counts::confirmed},
    {"receipts", &Counts::receipts},
    {"pushed_again", &Counts::pushed_again},
    {"pulled", &Counts::pulled},
    {"hints", &Counts::hints},
    {"pings", &Counts::pings}};

/// Latencies since the last tick, in µs.
struct Curves {
  Histogram stored;      ///< SEND → STORED, from the intended time
  Histogram delivered;   ///< SEND → at the receiver
  Histogram confirmed;   ///< SEND → RECEIPT
  Histogram stored_raw;  ///< the same as a tester sees it that waits for each answer
  Histogram delivered_raw;
  Histogram confirmed_raw;
  Histogram bystander;  ///< delivered, between people whom a planted fault did not touch
  Histogram login;      ///< intended dial → logged in
  Histogram lag;        ///< intended send → the send itself
  void clear();
  void merge(const Curves& other);
};
inline constexpr std::pair<const char*, Histogram Curves::*> kCurveNames[] = {
    {"stored", &Curves::stored},
    {"delivered", &Curves::delivered},
    {"confirmed", &Curves::confirmed},
    {"stored_raw", &Curves::stored_raw},
    {"delivered_raw", &Curves::delivered_raw},
    {"confirmed_raw", &Curves::confirmed_raw},
    {"bystander", &Curves::bystander},
    {"login", &Curves::login},
    {"lag", &Curves::lag}};

}  // namespace hy::bench
