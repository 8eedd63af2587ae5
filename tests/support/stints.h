#pragma once

#include <map>
#include <utility>
#include <vector>

#include "client/judge/evidence.h"
#include "client/sdk/hongyan.hpp"

namespace hy::test {

/// Who was in a group when, from the messages in its log that tell of changes: the judge holds the
/// rows of members, and what came to people, against it. Give the rows of one group by seq.
class Stints {
 public:
  explicit Stints(ConversationId group) : group_(group) {}

  /// False: no message of ours has such a body.
  bool take(std::uint64_t seq, Uid sender, std::uint32_t kind, const Bytes& body) {
    if (kind != kKindGroupEvent) return true;
    Message message;
    message.conversation = group_;
    message.seq = Seq{seq};
    message.sender = sender;
    message.kind = kind;
    message.body = body;
    const auto event = group_event_of(message);
    if (!event) return false;
    if (!event->created.empty()) begin(sender, seq);
    for (const Uid uid : event->added) begin(uid, seq);
    for (const Uid uid : event->removed) end(uid, seq + 1);
    return true;
  }
  /// Into a dump: by person, then by time.
  void tell(std::vector<judge::StintRow>& out) const {
    for (const auto& [uid, spans] : of_)
      for (const auto& [from, to] : spans) out.push_back({uid, group_, from, to});
  }

 private:
  void begin(Uid uid, std::uint64_t seq) { of_[uid].emplace_back(seq, 0); }
  /// Who leaves sees the message that says so, and nothing after it.
  void end(Uid uid, std::uint64_t seq) {
    auto& spans = of_[uid];
    if (spans.empty()) spans.emplace_back(seq, seq);  // nobody let him in
    spans.back().second = seq;
  }

  ConversationId group_;
  std::map<Uid, std::vector<std::pair<std::uint64_t, std::uint64_t>>> of_;
};

}  // namespace hy::test
