#pragma once

#include "client/judge/case.h"

namespace hy::judge {

/// C-RYW (G6): a PULL that began after a message was answered STORED, and speaks for its seq, has
/// it; no PULL and no SYNC knows a seq above the head of the log.
/// Time: events + the ranges that the answers speak for.
Report check_ryw(const Case& c);

/// C-SYNC (G8): a SYNC names every conversation of its person with a message that was answered
/// STORED before the SYNC began (Rules::sync_stale earlier, for heads come from a cache) and whose
/// time in the store is not below `since`. Time: n log n in answers and SYNCs, and the answers.
Report check_sync(const Case& c);

}  // namespace hy::judge
