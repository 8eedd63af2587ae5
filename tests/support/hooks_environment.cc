#include <gtest/gtest.h>

#include "common/hooks/start.h"

namespace {

/// A test program run with HY_MUTANT=n in its environment runs with that bug on: it has to fail.
const bool is_started = [] {
  hy::hooks::start_from_environment();
  return true;
}();

}  // namespace
