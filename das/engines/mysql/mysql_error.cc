#include "das/engines/mysql/mysql_error.h"

#include <string>

namespace hy::das::mysql {

// Numbers: MariaDB and MySQL server error reference (1xxx, 3xxx), client error reference (2xxx).
Failure classify(const sql::SQLException& e) {
  switch (e.getErrorCode()) {
    case 1062: return Failure::kDuplicate;
    case 1205:  // lock wait: undoes only the statement, hence always ROLLBACK
    case 1213:  // deadlock
    case 1317:  // query interrupted
    case 1969:  // max_statement_time (MariaDB)
    case 3024:  // max_execution_time (MySQL)
      return Failure::kRetry;
    case 1290:  // --read-only
    case 1836:  // read-only mode
      return Failure::kReadOnly;
    case 1021:  // disk full
    case 1026:  // error writing file
    case 1114:  // table is full
      return Failure::kFull;
    case 1040:  // too many connections
    case 1053:  // shutdown in progress
    case 1077:
    case 1079:
    case 1152:  // aborted connection
    case 1158:
    case 1159:
    case 1160:
    case 1161:  // network read and write errors of the server
    case 1927:  // connection was killed (MariaDB)
    case 4031:  // disconnected by the server because of inactivity (MySQL)
      return Failure::kLost;
    default: break;
  }
  return e.getErrorCode() >= 2000 && e.getErrorCode() < 3000 ? Failure::kLost : Failure::kOther;
}

Error to_error(const sql::SQLException& e) {
  const std::string detail =
      "server error " + std::to_string(e.getErrorCode()) + " (" + e.getSQLStateCStr() + ")";
  switch (classify(e)) {
    case Failure::kRetry: return {Errc::kOverloaded, detail, std::chrono::milliseconds(100)};
    case Failure::kLost:
    case Failure::kReadOnly: return {Errc::kStoreDown, detail, std::chrono::milliseconds(1'000)};
    case Failure::kFull: return {Errc::kStoreFull, detail, std::chrono::milliseconds(5'000)};
    case Failure::kDuplicate:
    case Failure::kOther: break;
  }
  return {Errc::kInternal, detail, {}};
}

}  // namespace hy::das::mysql
