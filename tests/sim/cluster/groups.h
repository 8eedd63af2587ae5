#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "client/judge/evidence.h"
#include "tests/sim/cluster/cluster.h"

namespace hy::sim {

/// What one person does about groups: makes one, brings people in, puts them out, leaves. Draws
/// from a stream of its own, so a world without groups is what it was before there were any.
class GroupLife {
 public:
  GroupLife(Cluster& cluster, DeviceHost& device, std::uint64_t number);

  /// The group that the next words go to; nothing: they go to a person.
  std::optional<Gid> somewhere();
  /// True: this turn went into a group's members.
  bool act();

 private:
  bool make();
  void made(const Result<Group>& answer);
  bool change();
  bool leave_or_meddle(Gid gid);
  [[nodiscard]] std::vector<Gid> mine(bool with_left) const;
  [[nodiscard]] std::vector<Uid> some_people();

  Cluster& cluster_;
  DeviceHost& device_;
  SeededRandom random_;
  const Uid uid_;
  bool makes_one_ = false;
  ClientMsgId creation_{};
  std::vector<Uid> members_;
  std::optional<Gid> gid_;
  MonoTime ask_again_{};
};

/// Who was in which group when, and what the messages that say so hold.
void add_groups(judge::StoreDump& dump, const Tables& tables);

/// In the healed world everybody says something in one of his groups: whoever is connected and in
/// it has it at once (C-PROMPT).
void talk_in_groups(Cluster& cluster);

/// Every device asks who is in each group there is: members are told what the store has, all others
/// nothing (C-GROUP).
void ask_for_members(Cluster& cluster);

}  // namespace hy::sim
