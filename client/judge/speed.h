#pragma once

#include "client/judge/case.h"

namespace hy::judge {

/// C-AVAIL (G13): outside of faults and Rules::settle_after_fault behind them, the share
/// Rules::available of sends is STORED within Rules::answer_within; whoever lost a connection and
/// tried again is back within Rules::back_within of the loss or of the end of the fault, all but
/// one in a hundred. Fewer than Rules::samples_min of a kind are not judged.
/// Time: sends and sessions × log faults.
Report check_avail(const Case& c);

/// C-FLOW (G14): with the store away, Rules::relayed_shown of the sends between people who are
/// connected is displayed within Rules::relayed_shown_within, marked as not saved; everything sent
/// before its return is STORED within Rules::stored_after_return of it. In calm windows no push
/// comes as not saved. Time: sends × windows of that kind.
Report check_flow(const Case& c);

/// C-RECOVER (G15): within Rules::recovered_within of the last repair, or of its sending, every
/// message has its outcome, and every drained device is connected to its end.
/// Time: sends and sessions.
Report check_recover(const Case& c);

}  // namespace hy::judge
