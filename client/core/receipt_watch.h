#pragma once

#include <deque>
#include <map>
#include <vector>

#include "client/core/turn.h"

namespace hy::client {

/// Which of the own stored messages a cumulative receipt speaks of. Kept in memory and bounded:
/// after a restart a message stays at `stored` until somebody asks for its state.
class ReceiptWatch {
 public:
  /// An own message got its seq. Receipts may have come before the answer.
  void stored(Turn& turn, ConversationId conversation, Seq seq, const ClientMsgId& id) {
    Line& line = lines_[conversation];
    if (seq <= line.read_to) {
      turn.notices.emplace_back(StepChanged{id, Step::kRead, Errc::kOk, seq});
    } else if (seq <= line.delivered_to) {
      turn.notices.emplace_back(StepChanged{id, Step::kDelivered, Errc::kOk, seq});
      keep(line.unread, {seq, id}, kUnreadMax);
    } else {
      keep(line.undelivered, {seq, id}, kUndeliveredMax);
    }
  }
  /// Everything up to `up_to` was delivered, or read. Returns the id at exactly `up_to`, if known.
  ClientMsgId receipt(Turn& turn, ConversationId conversation, Seq up_to, bool read) {
    Line& line = lines_[conversation];
    ClientMsgId at{};
    line.delivered_to = std::max(line.delivered_to, up_to);
    if (read) {
      line.read_to = std::max(line.read_to, up_to);
      pass(turn, line.unread, up_to, Step::kRead, nullptr, at);
      pass(turn, line.undelivered, up_to, Step::kRead, nullptr, at);
    } else {
      pass(turn, line.undelivered, up_to, Step::kDelivered, &line.unread, at);
    }
    return at;
  }

 private:
  static constexpr std::size_t kUndeliveredMax = 4'096;
  static constexpr std::size_t kUnreadMax = 256;
  struct Own {
    Seq seq;
    ClientMsgId id;
  };
  struct Line {
    std::deque<Own> undelivered;  // ascending, but for answers that came late
    std::deque<Own> unread;
    Seq delivered_to{};
    Seq read_to{};
  };
  static void keep(std::deque<Own>& list, Own own, std::size_t max) {
    auto at = list.end();
    while (at != list.begin() && (at - 1)->seq > own.seq) --at;
    list.insert(at, own);
    if (list.size() > max) list.pop_front();
  }
  static void pass(Turn& turn, std::deque<Own>& from, Seq up_to, Step step, std::deque<Own>* next,
                   ClientMsgId& at) {
    while (!from.empty() && from.front().seq <= up_to) {
      const Own own = from.front();
      from.pop_front();
      turn.notices.emplace_back(StepChanged{own.id, step, Errc::kOk, own.seq});
      if (own.seq == up_to) at = own.id;
      if (next != nullptr) keep(*next, own, kUnreadMax);
    }
  }

  std::map<ConversationId, Line> lines_;
};

}  // namespace hy::client
