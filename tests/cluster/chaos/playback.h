#pragma once

#include <vector>

#include "client/judge/evidence.h"
#include "tests/cluster/chaos/rig.h"

/// What a wire-tapper has and can do: recordings of the ways between people and entries, and
/// playing them to the entries again.
namespace hy::chaos {

/// The recordings of every way of the people, cut into frames. A rest that is no whole frame (the
/// recording's end) is left out.
std::vector<judge::TappedConnection> read_taps(const Rig& rig);

/// Plays to its entry what each recorded device said: all of it at once, all of it in step with the
/// entry's answers, every whole number of its first frames, and parts that end inside of one.
/// Blocks; several connections at a time. Errors of the network are results.
std::vector<judge::Playback> play_all(const Rig& rig);

/// Rows, placements and counts, read while everything runs. Errors: those of the stores;
/// kUnavailable (a daemon does not answer).
Result<judge::ServerState> read_servers(Rig& rig);

}  // namespace hy::chaos
