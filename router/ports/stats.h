#pragma once

#include <cstdint>

namespace hy::router {

/// What the cores count; the composition root publishes it. One thread.
struct RouterStats {
  std::uint64_t answers_found = 0;
  std::uint64_t answers_offline = 0;
  std::uint64_t answers_unknown = 0;
  std::uint64_t corrections_no_conn = 0;     ///< rows that a dump or a bucket did not name
  std::uint64_t corrections_superseded = 0;  ///< live rows displaced or offered too late
  std::uint64_t digest_mismatches = 0;
  std::uint64_t rows_malformed = 0;
  std::uint64_t ops = 0;
  std::uint64_t snapshots = 0;
  std::uint64_t kicks = 0;
  std::uint64_t forwards = 0;
  std::uint64_t results_late = 0;
  std::uint64_t refused_overload = 0;
};

}  // namespace hy::router
