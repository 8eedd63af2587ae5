#include "client/cli/ledger_line.h"

#include <gtest/gtest.h>

#include "client/cli/text_width.h"

namespace hy::cli {
namespace {

TEST(LedgerLine, TheFormOfScripts) {
  LedgerCounts c;
  c.sent = c.stored = c.delivered = 1;
  EXPECT_EQ(ledger_text(c),
            "ledger  sent 1  stored 1  delivered 1  in flight 0  relayed 0  LOST 0  SHOWN TWICE 0  "
            "OUT OF ORDER 0");
}

TEST(LedgerLine, TheFormOfTheScreen) {
  LedgerCounts c;
  c.sent = c.stored = 1204;
  c.delivered = 1199;
  EXPECT_EQ(ledger_on_screen(c, 120),
            " sent 1204   stored 1204   delivered 1199   in flight 5   relayed 0      LOST 0   "
            "SHOWN TWICE 0   OUT OF ORDER 0");
}

TEST(LedgerLine, EveryStepHasItsPlace) {
  EXPECT_EQ(ledger_step(Step::kSent), judge::Shown::kOutbox);
  EXPECT_EQ(ledger_step(Step::kRelayed), judge::Shown::kRelayed);
  EXPECT_EQ(ledger_step(Step::kRead), judge::Shown::kRead);
}

TEST(LedgerLine, FitsEightyColumns) {
  LedgerCounts c;
  c.sent = c.stored = c.delivered = 12'345;
  use_utf8();
  EXPECT_LE(display_width(ledger_on_screen(c, 80)), 80);
  EXPECT_NE(ledger_on_screen(c, 120).find("SHOWN TWICE 0"), std::string::npos);
}

}  // namespace
}  // namespace hy::cli
