#pragma once

#include "logic/ports/types.h"

namespace hy::logic {

struct NewGroup {
  Uid owner{};
  std::string name{};
  std::vector<Uid> members{};  ///< besides the owner
  Bytes creation_id{};         ///< 16 bytes; a repeat answers with the first group
  std::uint32_t members_max = 0;
};

struct GroupChange {
  Gid gid{};
  Uid actor{};
  std::vector<Uid> add{};
  std::vector<Uid> remove{};
  std::uint32_t members_max = 0;
};

struct GroupChanged {
  GroupFacts facts{};                    ///< after the change
  std::optional<StoredMessage> event{};  ///< none: nothing changed, or the group was made before
  std::vector<Uid> removed{};            ///< members before and none now
};

/// Chat groups, as das keeps them. All calls are idempotent. Thread: loop. Failures: those of
/// MessageLogPort's reads.
class GroupPort {
 public:
  virtual ~GroupPort() = default;
  /// kUnknownUser (nobody is in then), kGroupFull.
  virtual void create_group(const NewGroup& group, CallContext call, Done<GroupChanged> done) = 0;
  /// gid 0 in the answer: no such group.
  virtual void open_group(Gid gid, CallContext call, Done<GroupFacts> done) = 0;
  /// The actor's right is judged by the store under the group's row lock: kNotMember (also for a
  /// group that does not exist), kForbidden, kUnknownUser, kGroupFull (nothing is done for anyone).
  virtual void change_group(const GroupChange& change, CallContext call,
                            Done<GroupChanged> done) = 0;
};

}  // namespace hy::logic
