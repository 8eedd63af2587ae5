#include "logic/delivery/receipts.h"

#include <algorithm>

#include "common/base/test_hooks.h"

namespace hy::logic {
namespace {

constexpr Millis kReceiptDeadline{2'000};

}  // namespace

void Receipts::confirmed(const Confirmation& c) {
  // The entry is not believed further than this: both people belong to the conversation, and nobody
  // confirms his own message to himself.
  if (c.seq.value() == 0 || c.sender == c.by) return;
  if (c.conversation.is_group()) return confirmed_in_group(c);
  if (c.conversation.has(c.sender) && c.conversation.has(c.by)) earned(c);
}

void Receipts::confirmed_in_group(const Confirmation& c) {
  const GroupFactsCache::Entry* known = groups_.find(Gid{c.conversation.lo});
  if (known != nullptr && earns(*known->group, c)) return earned(c);
  // The group was changed through another logic, or was never asked for here.
  if (known == nullptr || !groups_.is_young(*known)) hold(c);
}

void Receipts::hold(const Confirmation& c) {
  if (held_count_ >= kHeldMax) return;
  const Gid gid{c.conversation.lo};
  const auto [held, first] = held_.try_emplace(gid);
  held->second.push_back(c);
  ++held_count_;
  if (!first) return;
  groups_.ask(gid, {clock_.now() + kReceiptDeadline, c.trace},
              [this, gid](const Result<GroupPtr>& group) { answered(gid, group); });
}

void Receipts::answered(Gid gid, const Result<GroupPtr>& group) {
  const auto waiting = held_.extract(gid);
  held_count_ -= waiting.mapped().size();
  if (!group) return;
  for (const Confirmation& c : waiting.mapped()) {
    if (earns(**group, c)) earned(c);
  }
}

bool Receipts::earns(const KnownGroup& group, const Confirmation& c) const {
  return group.facts.members.size() <= group_members_max_ && group.member(c.sender) != nullptr &&
         group.member(c.by) != nullptr;
}

void Receipts::earned(const Confirmation& c) {
  trace_.mark(c.conversation, c.seq, Rung::kConfirmed, clock_.now());
  add(c.sender, {c.conversation, c.seq, c.by, c.by_slot, ReceiptKind::kDelivered});
}

void Receipts::read(ConversationId conversation, Uid by, Slot by_slot, Seq seq) {
  add(conversation.peer_of(by), {conversation, seq, by, by_slot, ReceiptKind::kRead});
}

void Receipts::add(Uid to, const ReceiptItem& item) {
  const auto [line, is_new] = line_of_.try_emplace(to, lines_.size());
  if (is_new) lines_.push_back({to, {}});
  auto& items = lines_[line->second].items;
  // Cumulative: one item per conversation, person and kind.
  const auto same = std::ranges::find_if(items, [&item](const ReceiptItem& known) {
    return known.conversation == item.conversation && known.by == item.by &&
           known.by_slot == item.by_slot && known.kind == item.kind;
  });
  if (same == items.end()) {
    items.push_back(item);
  } else {
    same->up_to = std::max(same->up_to, item.up_to);
  }
}

void Receipts::flush() {
  if (lines_.empty()) return;
  sync_point("logic.before_receipts");
  const MonoTime now = clock_.now();
  for (const auto& [to, items] : lines_) {
    Delivery delivery;
    delivery.type = kTypeReceipt;
    delivery.body = encode_receipts(items);
    delivery.targets = {{to, 0}};
    delivery.deadline = now + kReceiptDeadline;
    for (const ReceiptItem& item : items) {
      if (item.kind == ReceiptKind::kDelivered) {
        trace_.mark(item.conversation, item.up_to, Rung::kReceiptSent, now);
      }
    }
    deliverer_.deliver(std::move(delivery));
  }
  lines_.clear();
  line_of_.clear();
}

}  // namespace hy::logic
