#include "client/cli/exit_code.h"

namespace hy::cli {

Exit exit_for(Errc code) {
  switch (code) {
    case Errc::kOk: return Exit::kOk;
    case Errc::kUsage:
    case Errc::kMissingPackage: return Exit::kUsage;
    case Errc::kUnknownProfile:
    case Errc::kMessageNotFound: return Exit::kNotFound;
    case Errc::kNoVerdict: return Exit::kNoVerdict;
    case Errc::kUnavailable:
    case Errc::kDeadlineExceeded:
    case Errc::kOutcomeUnknown:
    case Errc::kTimedOut:
    case Errc::kUnreachableServer: return Exit::kUnreachable;
    default: break;
  }
  const int range = static_cast<int>(code) / 1000;
  if (range == 8) return Exit::kUsage;
  if (range >= 1 && range <= 7 && code != Errc::kInternal) return Exit::kRefused;
  return Exit::kFailed;
}

}  // namespace hy::cli
