#include "client/bench/figures.h"

namespace hy::bench {

void Curves::clear() {
  for (const auto& [name, curve] : kCurveNames) (this->*curve).clear();
}

void Curves::merge(const Curves& other) {
  for (const auto& [name, curve] : kCurveNames) (this->*curve).merge(other.*curve);
}

}  // namespace hy::bench
