#pragma once

#include <string>

#include "client/cli/cluster_layout.h"
#include "client/cli/exit_code.h"

namespace hy::cli {

struct DemoOptions {
  StoreKind store = StoreKind::kEmbedded;
  std::string script;       ///< empty: the screen, or hello without a terminal
  std::string corpus_file;  ///< with script "corpus"
  std::string keep;         ///< folder to keep; empty: a private one that is removed
  int load_per_second = 0;  ///< 0: none (scripts that need one take 200)
};

/// `hy demo`: a whole cluster, two people, and nothing left afterwards.
Exit run_demo(const DemoOptions& options);

}  // namespace hy::cli
