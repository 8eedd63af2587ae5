#include "client/bench/knee.h"

namespace hy::bench {
namespace {

constexpr double kLowest = 10;  // a second: below it there is no knee to speak of
constexpr double kHighest = 1e7;

}  // namespace

void KneeSearch::tried(double rate, bool holds) {
  (holds ? good_ : bad_) = rate;
  if (bad_ == 0) {
    next_ = rate * 2;
    is_over_ = next_ > kHighest;
    return;
  }
  if (good_ == 0) {
    next_ = rate / 2;
    is_over_ = next_ < kLowest;
    return;
  }
  is_over_ = halvings_-- <= 0;
  next_ = (good_ + bad_) / 2;
}

}  // namespace hy::bench
