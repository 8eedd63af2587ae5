#pragma once

#include "client/judge/case.h"

namespace hy::judge {

/// C-CURSOR (G7): what a device calls its run never falls but at a reset, and has every row below
/// it on disk or in an announced gap; the server's copy is not ahead of the device; the user's own
/// events come without a hole. Time: events × log of the holes that are open.
Report check_cursor(const Case& c);

/// C-GAP (G8): after the drain every position up to the head is on the device or in an announced
/// gap, and an announced gap lies below what the log still has (or below the tail that a new device
/// takes). Time: as C-CURSOR.
Report check_gap(const Case& c);

}  // namespace hy::judge
