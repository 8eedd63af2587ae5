#pragma once

#include <cppconn/exception.h>

#include "common/base/result.h"

namespace hy::das::mysql {

/// What an error of the server or of the connection means for the work at hand.
enum class Failure : std::uint8_t {
  kDuplicate,  ///< 1062: the statement is undone, the transaction is open
  kRetry,      ///< lock wait, deadlock, statement stopped: roll back, try again
  kLost,       ///< the connection is of no more use; what COMMIT did is unknown
  kReadOnly,   ///< not a primary (any more)
  kFull,       ///< the server's disk
  kOther,      ///< a defect of ours or of the server's settings
};

/// The one place that knows the server's error numbers.
Failure classify(const sql::SQLException& e);

/// The session is of no more use: whoever holds it must open another.
constexpr bool ends_session(Failure failure) {
  return failure == Failure::kLost || failure == Failure::kReadOnly;
}

/// For everything but COMMIT: kOverloaded, kStoreDown, kStoreFull or kInternal, with number and
/// SQLSTATE in the detail (the server's text may quote values of rows, so it stays out).
Error to_error(const sql::SQLException& e);

}  // namespace hy::das::mysql
