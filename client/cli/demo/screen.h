#pragma once

#include "client/cli/demo/load.h"
#include "client/cli/demo/stage.h"
#include "client/cli/demo/view.h"
#include "client/cli/exit_code.h"
#include "client/cli/terminal.h"

namespace hy::cli {

/// The interactive demo: two people, the ladder between them, the ledger below, and keys that break
/// things. Runs until `q`; the terminal is put back by `terminal`'s owner.
Exit run_screen(Stage& stage, RawTerminal& terminal, const std::string& head,
                const std::string& entries, int load_per_second);

}  // namespace hy::cli
