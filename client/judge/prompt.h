#pragma once

#include "client/judge/case.h"

namespace hy::judge {

/// C-PROMPT: in the windows that Evidence::calm declares, what is STORED is on the screen of every
/// device of its people that stays connected, within Rules::shown_within of the answer or of the
/// device's login, whichever is later: nothing falls between push and sync (guarantees.md §6), a
/// full queue drops nothing silently (architecture.md §4), a router that does not know says so and
/// another one is asked (router.md §6, §8). A heartbeat's SYNC would bring the message too, later.
/// Time: events + sends × devices of their people.
Report check_prompt(const Case& c);

}  // namespace hy::judge
