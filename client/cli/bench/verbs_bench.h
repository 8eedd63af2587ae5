#pragma once

#include "client/cli/verbs.h"

namespace hy::cli {

void add_bench_verbs(CLI::App& app, Root& root);  // bench SCENARIO|run|compare

}  // namespace hy::cli
