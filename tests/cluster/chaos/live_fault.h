#pragma once

#include <functional>
#include <string>

#include "common/base/result.h"
#include "tests/cluster/chaos/plan.h"
#include "tests/cluster/chaos/rig.h"

namespace hy::chaos {

/// A fault that has begun. `end` undoes it (nothing for a moment's). `felt` says, after the end and
/// when everything is ready again, whether it did anything: one that did not is a failed round.
struct LiveFault {
  std::function<Status()> end;
  std::function<bool()> felt;
  std::string detail;  ///< "das.after_lock, kill at hit 7"
};

/// Begins a fault. Errors: those of the tools; kUnavailable when its target is not there now (tried
/// again a little later).
Result<LiveFault> begin_fault(Rig& rig, const Planned& planned);

// By what they strike; one file each.
Result<LiveFault> begin_on_process(Rig& rig, const Planned& planned);
Result<LiveFault> begin_on_link(Rig& rig, const Planned& planned);
Result<LiveFault> begin_on_store(Rig& rig, const Planned& planned);
Result<LiveFault> begin_on_host(Rig& rig, const Planned& planned);
Result<LiveFault> begin_on_device(Rig& rig, const Planned& planned);

/// What is armed at a named place of `daemon`; `deed` continues a stopped process at its end.
Result<LiveFault> begin_at_point(Rig& rig, const std::string& daemon, std::string_view point,
                                 hooks::Deed deed, std::int64_t nth, Millis delay);
/// The same for whichever device comes to a place of the SDK; kStop and kDelay hold its thread for
/// `delay`. `device`: −1, any.
Result<LiveFault> begin_at_device_point(Rig& rig, int device, std::string_view point,
                                        hooks::Deed deed, std::int64_t nth, Millis delay);
std::string_view deed_name(hooks::Deed deed);

}  // namespace hy::chaos
