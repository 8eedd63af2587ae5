#pragma once

#include "client/judge/case.h"

namespace hy::judge {

/// C-RECEIPT (G9): PUSH_ACK(n) leaves after every push up to n is on disk; "delivered" comes after
/// a device of that person had the row on disk, "read" after that person read that far; read marks
/// and the states of a message never fall, in the database neither.
/// Time: events, and a search per receipt.
Report check_receipt(const Case& c);

/// C-UNREAD (G10): after the drain the last counter on each device, and the one of das, are what
/// counting the rows by hand gives; no counter was ever negative.
/// Time: events + rows of each conversation × its members.
Report check_unread(const Case& c);

}  // namespace hy::judge
