#pragma once

#include <string>
#include <vector>

#include "client/judge/evidence.h"
#include "tests/cluster/chaos/rig.h"
#include "tests/cluster/store_rows.h"

namespace hy::chaos {

/// The rows of the round's store, also while everything runs.
Result<StoredRows> read_rows(Rig& rig);

/// Who is connected where, as every entry and every router replica says it.
struct Placements {
  std::vector<judge::EntrySession> sessions;
  std::vector<judge::RouterDump> routers;
};

/// Asks the admin port of each. Errors: kUnavailable with the one that did not answer.
Result<Placements> read_placements(Rig& rig);
/// One line for each difference between a replica and what the entries hold; empty: all agree.
std::vector<std::string> compare(const Placements& placements);
/// The rows of an answer to GET /placements: uid, slot, entry, auth_epoch, conn_counter.
std::vector<judge::PlacementRow> parse_placements(const std::string& json);

}  // namespace hy::chaos
