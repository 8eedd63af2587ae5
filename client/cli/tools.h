#pragma once

#include <string>
#include <vector>

#include "client/cli/exit_code.h"
#include "client/cli/output.h"
#include "client/cli/session.h"

namespace hy::cli {

/// Runs the four daemons with --check-config on one pair of files; every mistake of each is shown.
Exit run_config_check(const std::string& config, const std::vector<std::string>& settings);
/// Runs hy-das --schema status|apply.
Exit run_schema(const std::string& profile, const std::string& config, const std::string& verb);
/// One code, or the whole table.
Exit run_errors(const std::string& code, Format format);
/// A new key file of 32 random bytes, 0600; prints the public key of a noise key.
Exit run_key_new(const std::string& kind, const std::string& file);
/// What became of a message: each hop that remembers it, then the log.
Exit run_trace(const Speaker& speaker, const std::string& id, Format format);

}  // namespace hy::cli
