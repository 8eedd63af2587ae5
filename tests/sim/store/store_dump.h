#pragma once

#include "client/judge/evidence.h"
#include "tests/sim/store/model_store.h"

namespace hy::sim {

/// The committed rows as the judge reads them, by conversation and seq; `unread` as das computes
/// it. phash = the first 8 bytes of payload_hash, big-endian: histories must do the same.
judge::StoreDump dump(const ModelStore& store);

}  // namespace hy::sim
