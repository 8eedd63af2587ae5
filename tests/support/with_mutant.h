#pragma once

#include <gtest/gtest.h>

#include "common/base/test_hooks.h"

namespace hy {

/// One hand-made bug, on while this lives.
class WithMutant {
 public:
#if defined(HY_TEST_HOOKS)
  explicit WithMutant(Mutant which) { set_mutant(which); }
  ~WithMutant() { set_mutant(Mutant::kNone); }
#else
  explicit WithMutant(Mutant /*which*/) {}
#endif
  WithMutant(const WithMutant&) = delete;
  WithMutant& operator=(const WithMutant&) = delete;
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
