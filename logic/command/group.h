#pragma once

#include "logic/command/request.h"
#include "logic/delivery/deliverer.h"
#include "logic/delivery/group_directory.h"

namespace hy::logic {

/// GROUP_CREATE, GROUP_INFO, GROUP_CHANGE. Rights are judged by the store under the group's row
/// lock; what logic knows of a group is only told to its members. Who is in it learns of a change
/// by the event that the store wrote into the group's log: pushed here, and read like any message
/// by those who were away.
class GroupCommands {
 public:
  struct Options {
    std::uint32_t members_max = 500;  ///< the owner included; at most limits::kGroupMembersMax
  };
  GroupCommands(GroupPort& groups, GroupDirectory& directory, Deliverer& deliverer,
                const Clock& clock, Options options)
      : groups_(groups),
        directory_(directory),
        deliverer_(deliverer),
        clock_(clock),
        options_(options) {}

  void create(RequestPtr request, std::string_view body);
  void info(RequestPtr request, std::string_view body);
  void change(RequestPtr request, std::string_view body);

 private:
  void changed(GroupChanged done, MonoTime asked_at, TraceId trace);

  GroupPort& groups_;
  GroupDirectory& directory_;
  Deliverer& deliverer_;
  const Clock& clock_;
  Options options_;
};

}  // namespace hy::logic
