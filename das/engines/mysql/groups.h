#pragma once

#include <span>

#include "das/engines/mysql/connection.h"
#include "das/storage/types.h"

/// The group part of storage/membership.h over one connection.
namespace hy::das::mysql {

Result<GroupChanged> create_group(Connection& connection, const NewGroup& group);
Result<GroupFacts> group_facts(Connection& connection, Gid gid);
Result<GroupChanged> change_group(Connection& connection, const GroupChange& change);
/// Fills in group_name of those rows that are groups. Names never change, so it needs no read view
/// in common with the rows. Throws sql::SQLException.
void name_groups(Connection& connection, std::span<ConversationRow> rows);

}  // namespace hy::das::mysql
