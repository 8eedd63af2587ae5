#pragma once

#include "client/judge/case.h"

namespace hy::judge {

/// C-KICK (G12): of the sessions of one (person, slot) only the one of the largest epoch outlives
/// Rules::kick_within of connected time (and what a link carries) after that one's login, and none
/// of the others is answered STORED later. Time: n log n in logins, and answers.
Report check_kick(const Case& c);

/// C-PRES (G11): after everything healed, the rows of every live router replica and the sessions of
/// the entries are the people who are connected, no ghost and nobody missing; an answer "online"
/// is about somebody who was connected within Rules::ghost_within, "offline" about somebody who was
/// not connected all through Rules::presence_settles. Time: rows, sessions, and a search an answer.
Report check_pres(const Case& c);

}  // namespace hy::judge
