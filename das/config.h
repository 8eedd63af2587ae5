#pragma once

#include <span>

#include "common/config/command_line.h"
#include "das/engines/factory.h"
#include "das/lane/workers.h"

namespace hy::das {

/// Flags and keys of hy-das: [das], and --schema.
const config::DaemonSpec& daemon_spec();

StoreOptions store_options(const config::Start& start);
/// lanes: what the engine can use, das.mysql.lanes at most.
WorkerOptions worker_options(const config::Start& start, unsigned writers_max);

}  // namespace hy::das
