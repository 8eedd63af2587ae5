#pragma once

#include "client/judge/case.h"

namespace hy::judge {

/// C-AGREE (G4): the log has no hole from its first kept position to its head, and the head is its
/// last row; somebody wrote every row; whatever a device was told or displayed at a position is
/// what the log has there, with the same content. What a device saw of a conversation before a
/// reset of it is left out. Time: events + rows.
Report check_agree(const Case& c);

/// C-FIFO (G5): of one device and conversation, what was written first stands first; a message that
/// quotes another stands behind it. Messages that were refused for good, or that a person sent
/// again later, may stand anywhere. Time: sends.
Report check_fifo(const Case& c);

}  // namespace hy::judge
