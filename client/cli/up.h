#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "client/cli/cluster_layout.h"
#include "client/cli/exit_code.h"

namespace hy::cli {

struct UpOptions {
  std::filesystem::path folder;  ///< empty: dev in the home folder
  StoreKind store = StoreKind::kEmbedded;
  std::vector<std::string> settings;  ///< "table.key=value" for the daemons
  int ready_fd = -1;  ///< set in the background process: where to report "ready" or the error
};

/// `hy up`: the demo's cluster in the background, in a folder that stays.
Exit run_up(const UpOptions& options);
/// The background process itself.
Exit run_up_background(const UpOptions& options);
/// `hy down`: ends the cluster's supervisor by its process id and waits for it.
Exit run_down(const std::string& name);
Exit run_ps(const std::string& name, int format);
Exit run_logs(const std::string& cluster, const std::string& daemon, bool follow, int lines);

}  // namespace hy::cli
