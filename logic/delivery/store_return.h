#pragma once

#include <deque>
#include <vector>

#include "common/flat/flat_map.h"
#include "logic/delivery/deliverer.h"

namespace hy::logic {

/// Tells senders whose messages the store did not take that it is back (STORE_BACK): they send
/// again at once instead of at their recheck time. A hint: what is lost costs that wait alone.
/// Bounded in senders, and paced: a store that comes back finds everybody's outbox. Thread: loop.
class StoreReturn {
 public:
  struct Options {
    std::size_t senders_max = 100'000;  ///< beyond: they wait for their recheck time
    std::size_t told_per_look = 100;    ///< 2,000 senders a second with a look every 50 ms
    Millis apart{500};                  ///< between two returns: a store may come and go
  };
  StoreReturn(Deliverer& deliverer, const Clock& clock, Options options)
      : deliverer_(deliverer), clock_(clock), options_(options) {}

  /// The store did not take what `sender` wrote; it was asked at `asked_at`.
  void not_taken(Uid sender, MonoTime asked_at);
  /// A das says that its store works; it may have said so before.
  void returned();
  /// Every 50 ms or so: tells the next ones.
  void look();

 private:
  void tell(Uid sender);

  Deliverer& deliverer_;
  const Clock& clock_;
  Options options_;
  std::vector<Uid> waiting_;  ///< in the order in which they came
  FlatSet<Uid> known_;        ///< the same as a set
  std::deque<Uid> telling_;
  bool is_due_ = false;
  MonoTime returned_at_{};
  MonoTime not_before_{};
};

}  // namespace hy::logic
