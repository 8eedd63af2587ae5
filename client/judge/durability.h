#pragma once

#include "client/judge/case.h"

namespace hy::judge {

/// C-LOSS (G1, G8): every message answered STORED has its row, and every row was displayed on each
/// drained device of its members, unless an announced gap covers it. A row that was persisted
/// before a restart of the app counts as displayed: the app draws it from its store.
/// Time: events + rows + rows × devices that are to show them.
Report check_loss(const Case& c);

/// C-HONEST (G2, G14): the app shows ✓ only after STORED (or after its device met the message in
/// the log); STORED agrees with the row and is never taken back; RELAYED comes after a receiver had
/// the message on disk; what was refused for good has no row; after the drain nothing is left
/// without an outcome. Time: events + sends.
Report check_honest(const Case& c);

}  // namespace hy::judge
