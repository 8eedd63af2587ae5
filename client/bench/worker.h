#pragma once

namespace hy::bench {

/// A worker process of `hy bench`: takes commands from the socket `fd` and
/// drives its share of the connections from one thread. Returns the exit code
/// of the process.
///
/// Commands ("do"): setup, dial, open, closed, stop, drop, judge, quit. Events
/// ("ev"): ready, dialled, settled, ledger, and a tick at each whole second of
/// the monotonic clock with counters, latencies since the last one, and what
/// the worker itself used.
int run_worker(int fd);

}  // namespace hy::bench
