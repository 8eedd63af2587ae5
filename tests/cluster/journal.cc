#include "tests/cluster/journal.h"

#include <algorithm>
#include <map>

namespace hy::chaos {
namespace {

constexpr std::size_t kFaultsMax = 50;

bool is_over(const Fate& fate) {
  if (fate.sender < 0) return true;
  return (fate.stored_at && fate.shown > 0) || (fate.refused != Errc::kOk && !fate.stored_at);
}

std::string name_of(const ClientMsgId& id, const Fate& fate) {
  return "message " + id.to_hex() + " (person " + std::to_string(fate.sender) + ", number " +
         std::to_string(fate.number) + ")";
}

/// Violations of one kind: the first three in full, then how many.
class Findings {
 public:
  void add(const std::string& kind, const std::string& what) {
    auto& lines = by_kind_[kind];
    if (++lines.count <= 3) lines.first.push_back(kind + ": " + what);
  }
  [[nodiscard]] std::vector<std::string> lines() const {
    std::vector<std::string> out;
    for (const auto& [kind, found] : by_kind_) {
      out.insert(out.end(), found.first.begin(), found.first.end());
      if (found.count > 3) out.push_back(kind + ": " + std::to_string(found.count) + " in all");
    }
    return out;
  }

 private:
  struct Lines {
    std::size_t count = 0;
    std::vector<std::string> first;
  };
  std::map<std::string, Lines> by_kind_;
};

}  // namespace

void Journal::fault(std::string line) {
  if (faults_.size() < kFaultsMax) faults_.push_back(std::move(line));
}

void Journal::sent(const ClientMsgId& id, Sent sent) {
  const std::lock_guard lock(mutex_);
  // An answer or a delivery may have come before send() returned: the entry is there then.
  Fate& fate = fates_[id];
  fate.sender = sent.sender;
  fate.receiver = sent.receiver;
  fate.number = sent.number;
  fate.conversation = sent.conversation;
  fate.body = std::move(sent.body);
  fate.sent_at = sent.at;
  if (!is_over(fate)) ++unsettled_;
}

void Journal::step(const ClientMsgId& id, hy::Step step, Errc code, Seq seq) {
  const std::lock_guard lock(mutex_);
  Fate& fate = fates_[id];
  const bool before = is_over(fate);
  const Time now = std::chrono::steady_clock::now();
  if (step == Step::kRelayed) {
    if (!fate.relayed_at) fate.relayed_at = now;
    if (fate.stored_at) fault("RELAYED after STORED: message " + id.to_hex());
  } else if (step == Step::kStored || step == Step::kDelivered || step == Step::kRead) {
    if (!fate.stored_at) fate.stored_at = now;
    if (seq != Seq{}) {
      if (fate.acked_seq != Seq{} && fate.acked_seq != seq)
        fault("two seqs for one message: " + id.to_hex());
      fate.acked_seq = seq;
    }
  } else if (step == Step::kRefused) {
    fate.refused = code;
    fault("REFUSED " + error_text(code) + ": message " + id.to_hex());
  } else if (step == Step::kUnsure) {
    fate.unsure = true;
  }
  if (!before && is_over(fate)) --unsettled_;
}

void Journal::shown(int receiver, const Message& message) {
  if (message.mine) return;
  const std::lock_guard lock(mutex_);
  Fate& fate = fates_[message.client_msg_id];
  const bool before = is_over(fate);
  const Time now = std::chrono::steady_clock::now();
  const bool is_first = fate.shown == 0;
  // A provisional message that gets its seq is the same row, which moves there once.
  const bool is_move = fate.shown_provisional && !fate.moved && !message.provisional;
  if (is_first) {
    fate.shown = 1;
    fate.shown_at = now;
    fate.shown_provisional = message.provisional;
    deliveries_[receiver].push_back(now);
  } else if (is_move) {
    fate.moved = true;
  } else {
    ++fate.shown;
    ++shown_twice_;
    fault("SHOWN TWICE: message " + message.client_msg_id.to_hex() + " seq " +
          std::to_string(message.seq.value()) + (message.provisional ? " provisional" : ""));
  }
  if (!message.provisional) {
    const std::uint64_t key = std::hash<ConversationId>{}(message.conversation) ^
                              mix64(static_cast<std::uint64_t>(receiver));
    auto& largest = largest_[key];
    if (message.seq.value() <= largest) {
      ++out_of_order_;
      fault("OUT OF ORDER: seq " + std::to_string(message.seq.value()) + " shown after " +
            std::to_string(largest) + " at person " + std::to_string(receiver));
    }
    largest = std::max(largest, message.seq.value());
  }
  if (!before && is_over(fate)) --unsettled_;
}

Totals Journal::totals() const {
  const std::lock_guard lock(mutex_);
  Totals out{.shown_twice = shown_twice_, .out_of_order = out_of_order_};
  for (const auto& [id, fate] : fates_) {
    if (fate.sender < 0) continue;
    ++out.sent;
    if (fate.stored_at) ++out.stored;
    if (fate.stored_at && fate.shown > 0) ++out.delivered;
    if (fate.relayed_at) ++out.relayed;
    if (fate.refused != Errc::kOk && !fate.stored_at) ++out.refused;
  }
  return out;
}

bool Journal::is_settled() const {
  const std::lock_guard lock(mutex_);
  return unsettled_ == 0;
}

std::chrono::milliseconds Journal::longest_gap(Time from, Time to) const {
  const std::lock_guard lock(mutex_);
  Time::duration longest{};
  for (const auto& [receiver, times] : deliveries_) {
    Time last = from;
    for (auto it = std::ranges::lower_bound(times, from); it != times.end() && *it < to; ++it) {
      longest = std::max(longest, *it - last);
      last = *it;
    }
    longest = std::max(longest, to - last);
  }
  return std::chrono::duration_cast<std::chrono::milliseconds>(longest);
}

std::unordered_map<ClientMsgId, Fate> Journal::fates() const {
  const std::lock_guard lock(mutex_);
  return fates_;
}

std::vector<std::string> Journal::faults() const {
  const std::lock_guard lock(mutex_);
  return faults_;
}

std::vector<std::string> judge(const Journal& journal, const StoredRows& rows) {
  Findings found;
  const auto fates = journal.fates();
  std::unordered_map<ClientMsgId, const StoredRow*> row_of;
  std::map<ConversationId, std::uint64_t> last_seq;
  std::map<std::pair<ConversationId, Uid>, std::uint64_t> last_number;
  for (const StoredRow& row : rows.messages) {
    const std::string id = row.client_msg_id.to_hex();
    auto& last = last_seq[row.conversation];
    if (row.seq.value() != last + 1) {
      found.add("HOLE", "seq " + std::to_string(row.seq.value()) + " follows " +
                            std::to_string(last) + " in one conversation");
    }
    last = row.seq.value();
    if (!row_of.emplace(row.client_msg_id, &row).second) found.add("STORED TWICE", id);
    const auto fate = fates.find(row.client_msg_id);
    if (fate == fates.end() || fate->second.sender < 0) {
      found.add("STRANGER", "row " + id + " was sent by nobody");
      continue;
    }
    if (fate->second.body != row.body) found.add("BODY", name_of(row.client_msg_id, fate->second));
    auto& number = last_number[{row.conversation, row.sender}];
    if (fate->second.number < number) {
      found.add("SENDER ORDER", name_of(row.client_msg_id, fate->second) +
                                    " stands behind number " + std::to_string(number));
    }
    number = std::max(number, fate->second.number);
  }
  for (const auto& [conversation, head] : rows.heads) {
    const auto last = last_seq.find(conversation);
    const std::uint64_t highest = last == last_seq.end() ? 0 : last->second;
    if (head.value() != highest) {
      found.add("HEAD", "head " + std::to_string(head.value()) + " but the last row is " +
                            std::to_string(highest));
    }
  }
  for (const auto& [id, fate] : fates) {
    if (fate.sender < 0) {
      found.add("STRANGER", "shown or answered, but sent by nobody: " + id.to_hex());
      continue;
    }
    const std::string name = name_of(id, fate);
    const auto row = row_of.find(id);
    const bool has_row = row != row_of.end();
    if (fate.stored_at && !has_row) found.add("LOST", name + " was STORED and has no row");
    if (fate.stored_at && has_row && fate.acked_seq != row->second->seq) {
      found.add("ACKED SEQ", name + ": acked " + std::to_string(fate.acked_seq.value()) +
                                 ", stored " + std::to_string(row->second->seq.value()));
    }
    if (fate.stored_at && fate.shown == 0) found.add("LOST", name + " was STORED and never shown");
    if (!fate.stored_at && fate.relayed_at) found.add("RELAYED ONLY", name);
    if (!fate.stored_at && fate.refused == Errc::kOk)
      found.add("NO ANSWER", name + (has_row ? " has a row" : " has no row"));
    if (fate.refused != Errc::kOk) found.add("REFUSED", name + ": " + error_text(fate.refused));
    if (fate.shown > 1) found.add("SHOWN TWICE", name);
    if (fate.stored_at && fate.shown_provisional && !fate.moved)
      found.add("NOT MOVED", name + " is still provisional at its receiver");
  }
  for (const std::string& line : journal.faults()) {
    const std::size_t colon = line.find(':');
    found.add("seen: " + line.substr(0, colon), line.substr(std::min(colon + 2, line.size())));
  }
  return found.lines();
}

}  // namespace hy::chaos
