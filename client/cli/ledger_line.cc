#include "client/cli/ledger_line.h"

#include <fmt/format.h>

namespace hy::cli {
namespace {

constexpr int kWideLine = 110;

}  // namespace

judge::Shown ledger_step(Step step) {
  switch (step) {
    case Step::kQueued:
    case Step::kSent: return judge::Shown::kOutbox;
    case Step::kRelayed: return judge::Shown::kRelayed;
    case Step::kStored: return judge::Shown::kStored;
    case Step::kDelivered: return judge::Shown::kDelivered;
    case Step::kRead: return judge::Shown::kRead;
    case Step::kRefused: return judge::Shown::kRefused;
    case Step::kUnsure: return judge::Shown::kUnsure;
  }
  return judge::Shown::kOutbox;
}

std::string ledger_text(const LedgerCounts& c) {
  return fmt::format(
      "ledger  sent {}  stored {}  delivered {}  in flight {}  relayed {}  LOST {}  SHOWN TWICE {} "
      " "
      "OUT OF ORDER {}",
      c.sent, c.stored, c.delivered, c.in_flight(), c.relayed, c.lost, c.shown_twice,
      c.out_of_order);
}

std::string ledger_on_screen(const LedgerCounts& c, int columns) {
  if (columns >= kWideLine) {
    return fmt::format(
        " sent {}   stored {}   delivered {}   in flight {}   relayed {}      LOST {}   SHOWN "
        "TWICE "
        "{}   OUT OF ORDER {}",
        c.sent, c.stored, c.delivered, c.in_flight(), c.relayed, c.lost, c.shown_twice,
        c.out_of_order);
  }
  return fmt::format(" sent {} stored {} deliv. {} flying {} relay {} LOST {} TWICE {} DISORDER {}",
                     c.sent, c.stored, c.delivered, c.in_flight(), c.relayed, c.lost, c.shown_twice,
                     c.out_of_order);
}

}  // namespace hy::cli
