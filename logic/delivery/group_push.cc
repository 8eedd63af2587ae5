#include "logic/delivery/group_push.h"

#include <algorithm>

#include "logic/command/client_body.h"
#include "logic/domain/message_rules.h"

namespace hy::logic {
namespace {

constexpr Millis kPushDeadline{2'000};

std::shared_ptr<const std::vector<Uid>> receivers(const GroupPtr& group, Seq seq) {
  const auto& members = group->facts.members;
  const auto joined_later = [seq](const GroupMember& member) { return member.join_seq > seq; };
  if (std::ranges::none_of(members, joined_later)) return {group, &group->everyone};
  auto some = std::make_shared<std::vector<Uid>>();
  for (const GroupMember& member : members) {
    if (!joined_later(member)) some->push_back(member.uid);
  }
  return some;
}

}  // namespace

Delivery group_push(const GroupPtr& group, const StoredMessage& message,
                    std::uint32_t receipts_up_to, MonoTime now, TraceId trace) {
  Delivery delivery;
  delivery.type = kTypePush;
  delivery.body = encode_push(message, false);
  delivery.conversation = message.conversation;
  delivery.seq = message.seq;
  delivery.sender = message.sender;
  delivery.everyone = receivers(group, message.seq);
  delivery.no_receipt =
      message.kind == kKindGroupEvent || group->facts.members.size() > receipts_up_to;
  delivery.numbered = true;
  delivery.deadline = now + kPushDeadline;
  delivery.trace = trace;
  return delivery;
}

}  // namespace hy::logic
