#pragma once

#include "client/judge/case.h"

namespace hy::judge {

/// C-REVOKE (G20): a sign-in that the operator ended says nothing any more. Rules::revoke_within
/// after the operator was told so (or after the servers could reach the database again) nothing is
/// answered STORED in a session of it, none is opened with its token, and
/// Rules::revoked_gone_within later none is left: a device that missed the kick hears of it with
/// its next heartbeat. Time: revocations × (sessions and events of one person).
Report check_revoke(const Case& c);

}  // namespace hy::judge
