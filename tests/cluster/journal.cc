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

std::optional<Fate> Journal::fate(const ClientMsgId& id) const {
  const std::lock_guard lock(mutex_);
  const auto at = fates_.find(id);
  return at == fates_.end() ? std::nullopt : std::optional(at->second);
}

std::vector<std::string> Journal::faults() const {
  const std::lock_guard lock(mutex_);
  return faults_;
}

void Journal::keep(judge::History history) {
  const std::lock_guard lock(mutex_);
  histories_.push_back(std::move(history));
}

std::vector<judge::History> Journal::histories() const {
  const std::lock_guard lock(mutex_);
  return histories_;
}

judge::StoreDump dump_of(const StoredRows& rows) {
  judge::StoreDump out;
  for (const auto& [conversation, head] : rows.heads)
    out.conversations.push_back({conversation, head.value(), 1, 0});
  for (const StoredRow& row : rows.messages) {
    out.messages.push_back({row.conversation, row.seq.value(), row.sender, row.client_msg_id,
                            judge::short_hash(row.payload_hash), row.server_ms, row.countable,
                            false});
  }
  for (const StoredMember& m : rows.members) {
    out.members.push_back(
        {m.uid, m.conversation, m.joined.value(), m.left.value(), m.read.value(), -1});
  }
  return out;
}

judge::Verdict verdict_of(const Journal& journal, const StoredRows& rows, const RunFacts& facts) {
  judge::Evidence evidence;
  evidence.histories = journal.histories();
  evidence.has_store = true;
  evidence.store = dump_of(rows);
  evidence.faults = facts.faults;
  evidence.routers = facts.routers;
  evidence.sessions = facts.sessions;
  evidence.has_placement = !facts.routers.empty();
  evidence.wire = facts.wire;
  evidence.healed_at = facts.healed_at.time_since_epoch().count();
  evidence.dumped_at = facts.dumped_at.time_since_epoch().count();
  judge::Rules rules;
  rules.judges_speed = false;
  return judge::judge(evidence, rules);
}

std::vector<std::string> judge(const Journal& journal, const StoredRows& rows,
                               const RunFacts& facts) {
  const judge::Verdict verdict = verdict_of(journal, rows, facts);
  std::vector<std::string> out;
  for (const judge::Gap& gap : verdict.missing) out.push_back("NO VERDICT: " + gap.text);
  for (const judge::Violation& v : verdict.violations()) {
    if (out.size() < kFaultsMax) out.push_back(std::string(v.checker) + ": " + v.text);
  }
  Findings found;
  for (const StoredRow& row : rows.messages) {
    const auto fates = journal.fate(row.client_msg_id);
    if (fates && fates->sender >= 0 && fates->body != row.body)
      found.add("BODY", name_of(row.client_msg_id, *fates));
  }
  for (const std::string& line : journal.faults()) {
    const std::size_t colon = line.find(':');
    found.add("seen: " + line.substr(0, colon), line.substr(std::min(colon + 2, line.size())));
  }
  const std::vector<std::string> more = found.lines();
  out.insert(out.end(), more.begin(), more.end());
  return out;
}

}  // namespace hy::chaos
