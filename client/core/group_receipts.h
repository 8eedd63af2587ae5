#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <vector>

#include "client/sdk/hongyan.hpp"

namespace hy::client {

/// Who of a group has what, as the receipts said: cumulative for each member. A message of a group
/// stays at `stored`: who asks how many have it counts here. Kept in memory and bounded; nothing is
/// known of what was confirmed before this process began.
class GroupReceipts {
 public:
  static constexpr std::size_t kMembersMax = 512;  ///< of one group, the largest that there is
  static constexpr std::size_t kOwnMax = 256;

  /// An own message of the group got its seq.
  void stored(ConversationId conversation, Seq seq, const ClientMsgId& id) {
    std::deque<Own>& own = lines_[conversation].own;
    own.push_back({seq, id});
    if (own.size() > kOwnMax) own.pop_front();
  }
  struct Noted {
    ClientMsgId id;        ///< of the own message at exactly `up_to`, if it is known
    MemberReceipt member;  ///< what the member has by now
  };
  Noted receipt(ConversationId conversation, Uid by, Seq up_to, bool read) {
    Line& line = lines_[conversation];
    const auto own = std::ranges::find(line.own, up_to, &Own::seq);
    Noted out{own == line.own.end() ? ClientMsgId{} : own->id, {}};
    // Only a server that is not ours names more people than a group can have.
    if (line.members.size() >= kMembersMax && !line.members.contains(by)) {
      out.member = {by, up_to, read ? up_to : Seq{}};
      return out;
    }
    MemberReceipt& member = line.members[by];
    member.uid = by;
    member.delivered = std::max(member.delivered, up_to);
    if (read) member.read = std::max(member.read, up_to);
    out.member = member;
    return out;
  }
  /// Ascending uid.
  [[nodiscard]] std::vector<MemberReceipt> of(ConversationId conversation) const {
    std::vector<MemberReceipt> out;
    const auto line = lines_.find(conversation);
    if (line == lines_.end()) return out;
    for (const auto& [uid, member] : line->second.members) out.push_back(member);
    return out;
  }

 private:
  struct Own {
    Seq seq;
    ClientMsgId id;
  };
  struct Line {
    std::map<Uid, MemberReceipt> members;
    std::deque<Own> own;
  };
  std::map<ConversationId, Line> lines_;
};

}  // namespace hy::client
