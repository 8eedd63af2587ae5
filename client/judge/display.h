#pragma once

#include "client/judge/case.h"

namespace hy::judge {

/// C-DUP (G3): a device displays a message once (a provisional one moves once), and two messages
/// never at one position; the log has each message once and each position once. A new store on the
/// device starts afresh. Time: events + rows.
Report check_dup(const Case& c);

/// C-ORDER (G4): displayed seqs rise per device and conversation, and after the drain every
/// provisional row that the log has took its place. Time: events.
Report check_order(const Case& c);

/// C-ACL (G19): nothing is received or displayed outside of the times [join, leave) in which its
/// person was a member, nothing stands in a group's log of somebody who was none then, and the rows
/// of members say what the log tells of their coming and going. Time: events + rows.
Report check_acl(const Case& c);

}  // namespace hy::judge
