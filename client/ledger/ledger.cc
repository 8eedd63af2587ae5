#include "client/ledger/ledger.h"

#include <algorithm>

namespace hy::client {
namespace {

constexpr std::size_t kFaultsKept = 100;

std::string place(std::string_view what, ConversationId conversation, std::uint64_t seq) {
  return std::string(what) + ": conversation " + to_hex(as_bytes(conversation.to_bytes())) +
         " seq " + std::to_string(seq);
}

std::string render(const LedgerCounts& c, std::string_view start, std::string_view gap,
                   std::string_view wide_gap) {
  std::string out(start);
  const auto add = [&](std::string_view name, std::uint64_t value, std::string_view before) {
    out += before;
    out += name;
    out += ' ';
    out += std::to_string(value);
  };
  add("sent", c.sent, "");
  add("stored", c.stored, gap);
  add("delivered", c.delivered, gap);
  add("in flight", c.in_flight, gap);
  add("relayed", c.relayed, gap);
  add("LOST", c.lost, wide_gap);
  add("SHOWN TWICE", c.shown_twice, gap);
  add("OUT OF ORDER", c.out_of_order, gap);
  return out;
}

}  // namespace

void Ledger::expect(std::uint64_t receiver, ConversationId conversation) {
  views_[conversation].try_emplace(receiver);
}

void Ledger::relayed(const ClientMsgId& id) {
  relayed_.insert(id);
}

void Ledger::stored(std::uint64_t writer, ConversationId conversation, Seq seq,
                    const ClientMsgId& id) {
  relayed_.erase(id);
  if (!stored_[conversation].insert(seq.value())) return;
  ++counts_.stored;
  for (auto& [receiver, view] : views_[conversation]) {
    if (receiver != writer) view.due.insert(seq.value());
  }
}

void Ledger::shown(std::uint64_t receiver, ConversationId conversation, Seq seq,
                   const ClientMsgId& id, bool moved) {
  Ids& ids = ids_[receiver];
  const bool is_new_id = ids.known.insert(id).second;
  if (is_new_id) {
    ids.order.push_back(id);
    if (ids.order.size() > ids_max_) {
      ids.known.erase(ids.order.front());
      ids.order.pop_front();
    }
  }
  if (seq.value() == 0) {
    if (!is_new_id) fault("shown twice", conversation, 0, id);
    return;
  }
  View& view = views_[conversation][receiver];
  const bool is_new_seq = view.shown.insert(seq.value());
  if (!is_new_seq || (!is_new_id && !moved)) {
    fault("shown twice", conversation, seq.value(), id);
    return;
  }
  if (seq.value() < view.largest) fault("out of order", conversation, seq.value(), id);
  view.largest = std::max(view.largest, seq.value());
}

void Ledger::fault(std::string_view what, ConversationId conversation, std::uint64_t seq,
                   const ClientMsgId& id) {
  ++(what == "shown twice" ? counts_.shown_twice : counts_.out_of_order);
  if (faults_.size() < kFaultsKept) {
    faults_.push_back(place(what, conversation, seq) + " id " + id.to_hex());
  }
}

LedgerCounts Ledger::counts(bool healed) const {
  LedgerCounts out = counts_;
  out.relayed = relayed_.size();
  for (const auto& [conversation, views] : views_) {
    for (const auto& [receiver, view] : views) {
      const std::uint64_t missing = view.due.missing_in(view.shown, [](std::uint64_t) {});
      out.in_flight += missing;
      out.delivered += view.due.count() - missing;
    }
  }
  if (healed) out.lost = std::exchange(out.in_flight, 0);
  return out;
}

std::vector<std::string> Ledger::faults(bool healed, std::size_t max) const {
  std::vector<std::string> out = faults_;
  if (healed) {
    for (const auto& [conversation, views] : views_) {
      for (const auto& [receiver, view] : views) {
        view.due.missing_in(view.shown, [&](std::uint64_t seq) {
          if (out.size() < max) {
            out.push_back(place("lost", conversation, seq) + " at receiver " +
                          std::to_string(receiver));
          }
        });
      }
    }
  }
  if (out.size() > max) out.resize(max);
  return out;
}

std::string ledger_line(const LedgerCounts& counts) {
  return render(counts, " ", "   ", "      ");
}

std::string ledger_text(const LedgerCounts& counts) {
  return render(counts, "ledger  ", "  ", "  ");
}

}  // namespace hy::client
