#pragma once

#include <string>

#include "common/obs/metrics.h"

namespace hy::obs {

/// The registry in Prometheus text format 0.0.4. Any thread.
std::string prometheus_text(const Registry& registry);

}  // namespace hy::obs
