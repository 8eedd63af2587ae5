#pragma once

#include "logic/command/request.h"

namespace hy::logic {

/// Refuses a command that changes nothing (or only what may be repeated) after a port failed: here
/// "unknown" is harmless and is said as kUnavailable with a wait.
void refuse_read(Request& request, const Error& error);

}  // namespace hy::logic
