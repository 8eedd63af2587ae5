#pragma once

#include "common/base/error.h"

namespace hy::cli {

/// What `hy` returns to the shell: one table for every verb (`hy --help` shows it).
enum class Exit : int {
  kOk = 0,
  kFailed = 1,
  kUsage = 2,        ///< usage, configuration, or a package that is not installed
  kNotFound = 3,     ///< the named thing does not exist
  kLedger = 4,       ///< a message was lost, shown twice or shown out of order
  kRefused = 5,      ///< the server said no; nothing was done
  kPartly = 6,       ///< RELAYED only, or a part of a list
  kUnreachable = 7,  ///< no answer; the message stays in the outbox
  kNoVerdict = 8,    ///< a measurement that proves nothing
  kStopped = 130,    ///< by a signal or a key
};

/// The exit code of a verb that failed with `code`.
Exit exit_for(Errc code);

}  // namespace hy::cli
