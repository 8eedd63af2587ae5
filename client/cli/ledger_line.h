#pragma once

#include <string>

#include "client/judge/ledger.h"
#include "client/sdk/hongyan.hpp"

/// The ledger (client/judge/ledger.h) as the CLI feeds and shows it. No I/O.
namespace hy::cli {

using judge::Ledger;
using judge::LedgerCounts;

/// What the ledger takes for a step of the SDK.
judge::Shown ledger_step(Step step);

/// "ledger  sent 1  stored 1  delivered 1  in flight 0  relayed 0  LOST 0  SHOWN TWICE 0  OUT OF
/// ORDER 0"
std::string ledger_text(const LedgerCounts& counts);
/// One line for a screen of `columns`, shortened below 110.
std::string ledger_on_screen(const LedgerCounts& counts, int columns);

}  // namespace hy::cli
