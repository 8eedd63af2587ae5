#include "client/judge/durability.h"

#include <fmt/format.h>

#include "client/judge/seq_set.h"

namespace hy::judge {
namespace {

/// What one device displayed, by the numbers of rows. One for all devices: marks of an earlier one
/// are told by their stamp.
class Displayed {
 public:
  explicit Displayed(std::size_t rows) : persisted_(rows, 0), shown_(rows, 0) {}

  void read(const Case& c, std::uint32_t h) {
    forget();
    born_ = std::numeric_limits<Nanos>::min();
    for (const Event& e : c.history(h).events()) {
      if (e.ev == Ev::kShow || e.ev == Ev::kPersist) {
        const std::uint32_t row = c.row_of({e.conv, e.uid, e.cmid});
        if (row == kNone) continue;
        if (e.ev == Ev::kShow) {
          shown_[row] = stamp_;
        } else {
          persisted_[row] = stamp_;
          fresh_.push_back(row);
        }
      } else if (e.ev == Ev::kGap) {
        gaps_[e.conv].insert(e.low, e.seq);
      } else if (e.ev == Ev::kRestart) {
        for (const std::uint32_t row : fresh_) shown_[row] = stamp_;
        fresh_.clear();
      } else if (e.ev == Ev::kNewStore) {
        forget();
        born_ = e.at;
      }
    }
  }
  /// When the device's store was made, if it was made anew.
  [[nodiscard]] Nanos born() const { return born_; }
  [[nodiscard]] bool has(std::uint32_t row) const { return shown_[row] == stamp_; }
  [[nodiscard]] bool is_announced(const ConversationId& conv, std::uint64_t seq) const {
    const auto at = gaps_.find(conv);
    return at != gaps_.end() && at->second.contains(seq);
  }

 private:
  void forget() {
    ++stamp_;
    fresh_.clear();
    gaps_.clear();
  }
  std::uint32_t stamp_ = 0;
  Nanos born_ = 0;
  std::vector<std::uint32_t> persisted_;
  std::vector<std::uint32_t> shown_;
  std::vector<std::uint32_t> fresh_;  // persisted since the last restart
  FlatMap<ConversationId, SeqSet> gaps_;
};

void check_device(const Case& c, std::uint32_t h, const Displayed& displayed, Report& out) {
  const DeviceKey& device = c.history(h).device();
  for (const std::uint32_t number : c.conversations_of(device.uid)) {
    const Conversation& conversation = c.conversations()[number];
    for (const std::uint32_t r : conversation.rows) {
      const MessageRow& row = c.row(r);
      if (!c.sees(device.uid, row.conv, row.seq)) continue;
      if (row.sender == device.uid) {
        const Send* const send = c.send_of({row.conv, row.sender, row.cmid});
        // On screen since it was written, unless the store of then is gone.
        if (send != nullptr && send->history == h && send->invoked_at >= displayed.born()) continue;
      }
      ++out.looked_at;
      if (displayed.has(r) || displayed.is_announced(row.conv, row.seq)) continue;
      out.add({"",
               fmt::format("message {} (seq {}) is in the log and {} never showed it",
                           row.cmid.to_hex(), row.seq, c.name(h)),
               device, row.conv, row.seq, row.cmid});
    }
  }
}

/// Events of one device against G2.
void check_states(const Case& c, std::uint32_t h, Report& out) {
  const History& history = c.history(h);
  const Uid uid = history.device().uid;
  FlatMap<ClientMsgId, std::uint64_t> stored;
  const auto fault = [&](const Event& e, std::string what) {
    out.add({"", fmt::format("{}: message {} {}", c.name(h), e.cmid.to_hex(), what),
             history.device(), e.conv, e.seq, e.cmid});
  };
  for (const Event& e : history.events()) {
    if (e.ev == Ev::kSendOk && e.has(kRelayed)) {
      ++out.looked_at;
      if (stored.contains(e.cmid)) fault(e, "is RELAYED after it was STORED");
      if (c.persisted_elsewhere({e.conv, uid, e.cmid}) > e.at + c.rules.clock_error)
        fault(e, "is RELAYED and no receiver had it");
    } else if (e.ev == Ev::kSendOk) {
      ++out.looked_at;
      const auto [at, is_new] = stored.try_emplace(e.cmid, e.seq);
      if (!is_new && at->second != e.seq)
        fault(e, fmt::format("is STORED at seq {} and at seq {}", at->second, e.seq));
    } else if (e.ev == Ev::kPersist && e.uid == uid && e.seq > 0) {
      stored.try_emplace(e.cmid, e.seq);
    } else if (e.ev == Ev::kState) {
      ++out.looked_at;
      const Shown to = e.to_state();
      const bool is_tick = to == Shown::kStored || to == Shown::kDelivered || to == Shown::kRead;
      if (is_tick && !stored.contains(e.cmid)) fault(e, "is shown as saved before STORED");
      if (!is_tick && stored.contains(e.cmid)) fault(e, "was saved and is shown as not saved");
    }
  }
}

}  // namespace

Report check_loss(const Case& c) {
  Report out("C-LOSS", "acknowledged messages, and messages to be shown");
  for (const Send& send : c.sends()) {
    if (!send.is_stored()) continue;
    ++out.looked_at;
    if (c.row_of(send.key) != kNone || c.has_expired(send.key.conv, send.seq)) continue;
    out.add({"",
             fmt::format("message {} of {} was STORED at seq {} and is not in the log",
                         send.key.cmid.to_hex(), c.name(send.history), send.seq),
             c.history(send.history).device(), send.key.conv, send.seq, send.key.cmid});
  }
  Displayed displayed(c.evidence.store.messages.size());
  for (std::uint32_t h = 0; h < c.histories(); ++h) {
    if (!c.history(h).is_drained()) continue;
    displayed.read(c, h);
    check_device(c, h, displayed, out);
  }
  return out;
}

Report check_honest(const Case& c) {
  Report out("C-HONEST", "answers, states and outcomes");
  for (std::uint32_t h = 0; h < c.histories(); ++h) check_states(c, h, out);
  for (const Send& send : c.sends()) {
    ++out.looked_at;
    const auto fault = [&](std::string what) {
      out.add(
          {"",
           fmt::format("message {} of {} {}", send.key.cmid.to_hex(), c.name(send.history), what),
           c.history(send.history).device(), send.key.conv, send.seq, send.key.cmid});
    };
    const std::uint32_t r = c.row_of(send.key);
    if (send.is_stored()) {
      if (r == kNone && c.has_expired(send.key.conv, send.seq)) continue;
      if (r == kNone) {
        fault(fmt::format("was STORED at seq {} and is not in the log", send.seq));
      } else if (c.row(r).seq != send.seq) {
        fault(fmt::format("was STORED at seq {}, the log has it at {}", send.seq, c.row(r).seq));
      }
    }
    if (r != kNone && send.phash != 0 && c.row(r).phash != 0 && c.row(r).phash != send.phash)
      fault("is in the log with another content");
    // Also where the device met it in the log afterwards: the person was told that it is not sent.
    const bool is_refused_first =
        send.is_refused() && send.refused_at < send.stored_at && send.refused_at < send.logged_at;
    if (is_refused_first && !send.has_unknown_try && send.invokes == 1 && r != kNone)
      fault("was refused for good and is in the log");
    const bool has_outcome = send.is_stored() || send.is_logged() || send.is_refused() ||
                             (send.is_unsure() && send.relayed_at == kNanosMax);
    if (c.rules.needs_settled && c.history(send.history).is_drained() && !has_outcome)
      fault(send.relayed_at == kNanosMax ? "has no outcome after the drain"
                                         : "was RELAYED and not stored after the drain");
  }
  return out;
}

}  // namespace hy::judge
