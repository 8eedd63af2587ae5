#pragma once

#include "client/judge/case.h"

namespace hy::judge {

/// C-WIRE (G16): on tapped lines nothing that people keep secret can be read; a device says HELLO
/// and handshakes, and from then on both sides say sealed records alone; no record and no ephemeral
/// key comes twice, and no two records begin alike (the same key and number under a header that
/// says the same would make them). Time: bytes × canaries, and frames.
Report check_wire(const Case& c);

/// C-REPLAY (G17): recordings that are played again, whole or in part, change nothing: every such
/// connection is ended without a sealed word, and stores, placements, sessions and the count of
/// logins are what they were. Time: playbacks, and rows.
Report check_replay(const Case& c);

}  // namespace hy::judge
