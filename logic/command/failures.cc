#include "logic/command/failures.h"

namespace hy::logic {
namespace {

constexpr Millis kAskAgainAfter{500};

}  // namespace

void refuse_read(Request& request, const Error& error) {
  Error said = error;
  if (said.code == Errc::kOutcomeUnknown) said.code = Errc::kUnavailable;
  if (said.retry_after.count() == 0 && error_info(said.code).outcome == Outcome::kUnknown) {
    said.retry_after = kAskAgainAfter;
  }
  request.refuse(said);
}

}  // namespace hy::logic
