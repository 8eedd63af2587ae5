#pragma once

#include <functional>
#include <memory>

#include "client/bench/options.h"
#include "client/bench/target.h"
#include "client/cli/cluster.h"
#include "client/cli/operator_client.h"

namespace hy::cli {

/// A cluster to be loaded, and what has to live as long as it is.
class BenchTarget {
 public:
  using Say = std::function<void(const std::string&)>;
  /// Finds or starts the cluster that the options name and makes people for it, by public means:
  /// the operator's door, or a file of tokens. Errors: kUnknownProfile, kUsage, those of the
  /// cluster.
  static Result<std::unique_ptr<BenchTarget>> open(const bench::Options& options,
                                                   const std::string& profile, const Say& say);
  ~BenchTarget();
  BenchTarget(const BenchTarget&) = delete;
  BenchTarget& operator=(const BenchTarget&) = delete;

  bench::Target target;

 private:
  BenchTarget() = default;
  Status start_throwaway(const bench::Options& options, const Say& say);
  Status find_running(const bench::Options& options, const std::string& profile);
  Status read_people(const bench::Options& options);
  Status make_people(const OperatorAccess& access, std::uint32_t count, const std::string& prefix);

  std::unique_ptr<Cluster> cluster_;
  std::filesystem::path folder_;
};

}  // namespace hy::cli
