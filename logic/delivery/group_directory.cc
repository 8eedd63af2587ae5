#include "logic/delivery/group_directory.h"

#include <utility>

namespace hy::logic {

void GroupDirectory::ask(Gid gid, CallContext call, Answered done) {
  const auto [it, first] = asking_.try_emplace(gid);
  it->second.push_back(std::move(done));
  if (!first) return;
  ask_anew(gid, call, [this, gid](const Result<GroupPtr>& group) {
    auto waiting = asking_.extract(gid);
    for (Answered& one : waiting.mapped()) one(group);
  });
}

void GroupDirectory::ask_anew(Gid gid, CallContext call, Answered done) {
  groups_.open_group(
      gid, call,
      [this, asked_at = clock_.now(), done = std::move(done)](Result<GroupFacts> facts) mutable {
        if (!facts) return done(std::unexpected(std::move(facts).error()));
        if (facts->gid == Gid{}) return done(fail(Errc::kNotMember));
        done(learn(*std::move(facts), asked_at));
      });
}

GroupPtr GroupDirectory::learn(GroupFacts facts, MonoTime asked_at) {
  return facts_.put(std::move(facts), asked_at);
}

}  // namespace hy::logic
