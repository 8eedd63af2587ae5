#pragma once

#include <cstdint>
#include <deque>

#include "common/base/ids.h"
#include "common/base/test_hooks.h"

namespace hy::client {

/// Which push numbers of one connection may be acknowledged. PUSH_ACK(n) says that everything up
/// to n is on this device, so one push behind a hole holds back all later ones.
class PushAcks {
 public:
  enum class Arrival : std::uint8_t {
    kNew,
    kAgain,    ///< came before on this connection
    kSkipped,  ///< a number was left out: an ack would speak of a push that never came
  };

  /// A new connection counts from 1 again.
  void reset() {
    waiting_.clear();
    last_ = acked_ = reached_ = 0;
  }
  /// conversation and seq: what must be stored before n counts. seq 0: stored in this very turn.
  Arrival arrived(std::uint32_t n, ConversationId conversation, Seq seq) {
    if (n == 0) return Arrival::kSkipped;
    if (n <= last_) {
      repeat_ = repeat_ || n <= acked_;
      return Arrival::kAgain;
    }
    if (n != last_ + 1) return Arrival::kSkipped;
    last_ = n;
    waiting_.push_back({n, conversation, seq});
    return Arrival::kNew;
  }
  /// Takes up what can be acknowledged once this turn is on disk.
  /// `is_stored(conversation, seq)`: the device's run has reached seq.
  template <class F>
  void settle(F&& is_stored) {
    while (!waiting_.empty() &&
           (waiting_.front().seq.value() == 0 || mutant(Mutant::kAckBeforePersist) ||
            is_stored(waiting_.front().conversation, waiting_.front().seq))) {
      reached_ = waiting_.front().n;
      waiting_.pop_front();
    }
  }
  /// True when there is something to say: a new number, or an old one that the entry asks for
  /// again.
  [[nodiscard]] bool owes() const { return reached_ != acked_ || (repeat_ && acked_ != 0); }
  /// The number to acknowledge. Requires owes().
  std::uint32_t take() {
    repeat_ = false;
    return acked_ = reached_;
  }
  [[nodiscard]] std::size_t waiting() const { return waiting_.size(); }

 private:
  struct Waiting {
    std::uint32_t n;
    ConversationId conversation;
    Seq seq;
  };
  std::deque<Waiting> waiting_;
  std::uint32_t last_ = 0;
  std::uint32_t reached_ = 0;
  std::uint32_t acked_ = 0;
  bool repeat_ = false;
};

}  // namespace hy::client
