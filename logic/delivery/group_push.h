#pragma once

#include "logic/domain/group_facts_cache.h"
#include "logic/ports/router_port.h"

namespace hy::logic {

/// The push of one stored message to all members of that version of its group. Whoever joined after
/// it is left out: the first try of a message may have been stored before.
/// receipts_up_to: larger groups get no receipts, and so does no event.
Delivery group_push(const GroupPtr& group, const StoredMessage& message,
                    std::uint32_t receipts_up_to, MonoTime now, TraceId trace);

}  // namespace hy::logic
