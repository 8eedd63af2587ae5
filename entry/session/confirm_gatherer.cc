#include "entry/session/confirm_gatherer.h"

#include <algorithm>
#include <functional>
#include <utility>

namespace hy::entry {

void ConfirmGatherer::add(Confirm confirm) {
  if (confirm.seq == Seq{}) {
    gathered_.push_back(std::move(confirm));
    return;
  }
  const std::uint64_t key =
      mix64(confirm.conn.value() ^ std::hash<ConversationId>{}(confirm.conversation));
  const auto next = static_cast<std::uint32_t>(gathered_.size());
  const auto [at, is_first] = last_.try_emplace(key, next);
  if (!is_first) {
    Confirm& known = gathered_[at->second];
    const bool same = known.conn == confirm.conn && known.conversation == confirm.conversation &&
                      known.sender == confirm.sender && known.uid == confirm.uid &&
                      known.slot == confirm.slot;
    if (same) {
      if (known.seq < confirm.seq) {
        known.seq = confirm.seq;
        known.trace = confirm.trace;
      }
      return;
    }
    at->second = next;
  }
  gathered_.push_back(std::move(confirm));
}

void ConfirmGatherer::take(std::vector<Confirm>& out) {
  if (out.empty()) {
    out.swap(gathered_);
  } else {
    out.insert(out.end(), std::make_move_iterator(gathered_.begin()),
               std::make_move_iterator(gathered_.end()));
  }
  gathered_.clear();
  last_.clear();
}

}  // namespace hy::entry
