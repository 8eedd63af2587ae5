#include "client/judge/ledger.h"

#include <fmt/format.h>

namespace hy::judge {
namespace {

constexpr std::size_t kFaultsKept = 100;

bool is_stored(Shown step) {
  return step == Shown::kStored || step == Shown::kDelivered || step == Shown::kRead;
}

}  // namespace

void Ledger::sent(const ClientMsgId& id) {
  const auto [at, is_new] = entries_.try_emplace(id);
  if (!is_new) return;
  order_.push_back(id);
  ++totals_.sent;
  forget_old();
}

void Ledger::step(const ClientMsgId& id, Shown step, Time now) {
  const auto at = entries_.find(id);
  if (at == entries_.end()) return;
  Entry& entry = at->second;
  if (is_stored(step) && !is_stored(entry.step)) {
    entry.stored_at = now;
    ++totals_.stored;
    if (entry.is_shown) ++totals_.delivered;
  }
  if (step == Shown::kRefused && entry.step != Shown::kRefused) ++totals_.refused;
  if (is_stored(entry.step) && !is_stored(step)) return;  // nothing comes after STORED but receipts
  if (step == Shown::kRelayed && entry.step != Shown::kRelayed) ++totals_.relayed;
  if (step != Shown::kRelayed && step != Shown::kOutbox && entry.step == Shown::kRelayed) {
    --totals_.relayed;
  }
  // A message that was RELAYED stays so until it is stored or refused, also while it is sent again.
  if (step == Shown::kOutbox && entry.step == Shown::kRelayed) return;
  entry.step = step;
}

void Ledger::shown(const std::string& receiver, ConversationId conversation, Seq seq,
                   const ClientMsgId& id) {
  const auto at = entries_.find(id);
  Entry* const entry = at == entries_.end() ? nullptr : &at->second;
  const auto fault = [&](const char* what) {
    if (faults_.size() < kFaultsKept) {
      faults_.push_back(fmt::format("{} {} seq {}", id.to_hex(), what, seq.value()));
    }
  };
  if (seq.value() == 0) {
    if (entry != nullptr && (entry->is_shown || entry->is_shown_provisional)) {
      ++totals_.shown_twice;
      fault("shown twice");
    }
    if (entry != nullptr) entry->is_shown_provisional = true;
    return;
  }
  if (entry != nullptr && entry->is_shown) {
    ++totals_.shown_twice;
    fault("shown twice");
    return;
  }
  if (entry != nullptr) {
    entry->is_shown = true;
    if (is_stored(entry->step)) ++totals_.delivered;
  }
  std::uint64_t& largest = largest_[{receiver, conversation}];
  if (seq.value() <= largest) {
    ++totals_.out_of_order;
    fault("out of order");
  } else {
    largest = seq.value();
  }
}

LedgerCounts Ledger::counts(Time lost_before) const {
  LedgerCounts out = totals_;
  if (lost_before == Time::min()) return out;
  for (const auto& [id, entry] : entries_) {
    if (is_stored(entry.step) && !entry.is_shown && entry.stored_at < lost_before) ++out.lost;
  }
  return out;
}

bool Ledger::is_settled() const {
  return totals_.sent == totals_.stored + totals_.refused && totals_.delivered == totals_.stored;
}

std::vector<std::string> Ledger::faults(std::size_t max, Time lost_before) const {
  std::vector<std::string> out = faults_;
  for (const auto& [id, entry] : entries_) {
    if (is_stored(entry.step) && !entry.is_shown && entry.stored_at < lost_before) {
      out.push_back(id.to_hex() + " lost");
    }
  }
  if (out.size() > max) out.resize(max);
  return out;
}

void Ledger::forget_old() {
  while (order_.size() > remembered_max_) {
    const auto at = entries_.find(order_.front());
    const bool is_finished = at == entries_.end() || at->second.step == Shown::kRefused ||
                             (is_stored(at->second.step) && at->second.is_shown);
    if (!is_finished) return;
    if (at != entries_.end()) entries_.erase(at);
    order_.pop_front();
  }
}

}  // namespace hy::judge
