#pragma once

#include "das/engines/embedded/link.h"
#include "das/storage/types.h"

/// The group part of storage/membership.h over SQLite.
namespace hy::das::embedded {

Result<GroupChanged> create_group(Link& link, const NewGroup& group);
Result<GroupFacts> group_facts(Link& link, Gid gid);
Result<GroupChanged> change_group(Link& link, const GroupChange& change);

}  // namespace hy::das::embedded
