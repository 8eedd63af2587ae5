#pragma once

#include <gtest/gtest.h>

#include "common/base/test_hooks.h"

namespace hy {

/// One hand-made bug, on while this lives; then what the environment's HY_MUTANT had switched on
/// before.
class WithMutant {
 public:
#if defined(HY_TEST_HOOKS)
  explicit WithMutant(Mutant which) {
    for (int i = 1; i < kMutantsEnd; ++i) {
      if (mutant(static_cast<Mutant>(i))) before_ = static_cast<Mutant>(i);
    }
    set_mutant(which);
  }
  ~WithMutant() { set_mutant(before_); }
#else
  explicit WithMutant(Mutant /*which*/) {}
#endif
  WithMutant(const WithMutant&) = delete;
  WithMutant& operator=(const WithMutant&) = delete;

 private:
  [[maybe_unused]] Mutant before_ = Mutant::kNone;
};

/// Whether this build carries mutants at all.
constexpr bool has_mutants() {
#if defined(HY_TEST_HOOKS)
  return true;
#else
  return false;
#endif
}

}  // namespace hy
