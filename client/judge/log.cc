#include "client/judge/log.h"

#include <fmt/format.h>

namespace hy::judge {
namespace {

void check_density(const Case& c, Report& out) {
  for (const Conversation& conversation : c.conversations()) {
    std::uint64_t next = conversation.kept_from;
    for (const std::uint32_t r : conversation.rows) {
      const MessageRow& row = c.row(r);
      ++out.looked_at;
      if (row.seq > next) {
        out.add({"",
                 fmt::format("the log has a hole: seq {} follows {}", row.seq, next - 1),
                 {},
                 row.conv,
                 next,
                 {}});
      }
      next = std::max(next, row.seq + 1);
    }
    if (conversation.head + 1 != next) {
      out.add({"",
               fmt::format("the head is {} and the last row {}", conversation.head, next - 1),
               {},
               conversation.conv,
               conversation.head,
               {}});
    }
  }
}

/// Rows of people whose devices were recorded, that none of them wrote.
void check_writers(const Case& c, Report& out) {
  for (const MessageRow& row : c.evidence.store.messages) {
    if (row.by_server || c.devices_of(row.sender).empty()) continue;
    ++out.looked_at;
    if (c.send_of({row.conv, row.sender, row.cmid}) != nullptr) continue;
    out.add({"",
             fmt::format("message {} of {} is in the log and nobody wrote it", row.cmid.to_hex(),
                         row.sender.value()),
             {},
             row.conv,
             row.seq,
             row.cmid});
  }
}

/// Where the judged part of a device's file begins, per conversation: behind the last reset.
class Resets {
 public:
  explicit Resets(const History& history) {
    const auto& events = history.events();
    for (std::size_t i = 0; i < events.size(); ++i) {
      if (events[i].ev != Ev::kReset) continue;
      if (events[i].conv == ConversationId{})
        all_ = i;
      else
        one_[events[i].conv] = i;
    }
  }
  [[nodiscard]] bool is_before(std::size_t i, const ConversationId& conv) const {
    if (i < all_) return true;
    const auto at = one_.find(conv);
    return at != one_.end() && i < at->second;
  }

 private:
  std::size_t all_ = 0;
  FlatMap<ConversationId, std::size_t> one_;
};

void check_device(const Case& c, std::uint32_t h, Report& out) {
  const History& history = c.history(h);
  const Resets resets(history);
  const auto compare = [&](const Event& e, std::uint64_t seq, Uid sender, bool has_sender,
                           const ClientMsgId& cmid) {
    if (c.has_expired(e.conv, seq)) return;
    ++out.looked_at;
    const std::uint32_t r = c.row_at({e.conv, seq});
    const auto fault = [&](std::string what) {
      out.add({"",
               fmt::format("{} ({}): seq {} is {} here, {}", c.name(h), event_name(e.ev), seq,
                           cmid.to_hex(), what),
               history.device(), e.conv, seq, cmid});
    };
    if (r == kNone) {
      fault("and the log has nothing there");
    } else if (c.row(r).cmid != cmid || (has_sender && c.row(r).sender != sender)) {
      fault("and " + c.row(r).cmid.to_hex() + " in the log");
    } else if (e.ev == Ev::kRecv && e.phash != 0 && c.row(r).phash != 0 &&
               e.phash != c.row(r).phash) {
      fault("with another content than in the log");
    }
  };
  for (std::size_t i = 0; i < history.events().size(); ++i) {
    const Event& e = history.events()[i];
    switch (e.ev) {
      case Ev::kRecv:
      case Ev::kPersist:
      case Ev::kShow:
      case Ev::kMove:
        if (e.seq > 0 && !resets.is_before(i, e.conv)) compare(e, e.seq, e.uid, true, e.cmid);
        break;
      case Ev::kSendOk:
        if (!e.has(kRelayed) && !resets.is_before(i, e.conv))
          compare(e, e.seq, history.device().uid, true, e.cmid);
        break;
      case Ev::kPullOk:
        if (resets.is_before(i, e.conv)) break;
        for (const Item& row : history.items(e)) compare(e, row.seq, {}, false, row.cmid);
        break;
      default: break;
    }
  }
}

}  // namespace

Report check_agree(const Case& c) {
  Report out("C-AGREE", "positions");
  check_density(c, out);
  check_writers(c, out);
  for (std::uint32_t h = 0; h < c.histories(); ++h) check_device(c, h, out);
  return out;
}

Report check_fifo(const Case& c) {
  struct Last {
    std::uint64_t seq = 0;
    ClientMsgId cmid{};
  };
  Report out("C-FIFO", "stored messages");
  FlatMap<InConv, Last> last;
  for (const Send& send : c.sends()) {
    const std::uint32_t r = c.row_of(send.key);
    if (r == kNone) continue;
    ++out.looked_at;
    const std::uint64_t seq = c.row(r).seq;
    const DeviceKey& device = c.history(send.history).device();
    if (send.quoted >= seq && send.quoted != 0) {
      out.add({"",
               fmt::format("message {} at seq {} quotes seq {}", send.key.cmid.to_hex(), seq,
                           send.quoted),
               device, send.key.conv, seq, send.key.cmid});
    }
    if (send.is_refused() || send.is_unsure() || send.invokes > 1) continue;
    Last& before = last[InConv{send.history, send.key.conv}];
    if (seq < before.seq) {
      out.add({"",
               fmt::format("{} wrote {} (seq {}) before {} (seq {})", c.name(send.history),
                           before.cmid.to_hex(), before.seq, send.key.cmid.to_hex(), seq),
               device, send.key.conv, seq, send.key.cmid});
    } else {
      before = {seq, send.key.cmid};
    }
  }
  return out;
}

}  // namespace hy::judge
