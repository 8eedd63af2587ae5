#pragma once

#include <string>

#include "das/engines/mysql/connection.h"

namespace hy::das::mysql {

/// What the server's settings mean for the word STORED (guarantees.md §8).
struct Durability {
  bool durable = false;
  std::string why_not;  ///< "sync_binlog = 0: STORED would not mean on disk"
};

/// Reads back the settings that STORED rests on. replicated: profile R, a semi-sync primary; else
/// S, one server. Throws sql::SQLException.
Durability read_durability(Connection& connection, bool replicated);

/// Settings that must fit whatever the durability: character set of the database, size of a packet.
/// kStoreSettings. Throws sql::SQLException.
Status check_settings(Connection& connection);

/// True on a server that may not be written (a replica, or an old primary after a failover).
bool is_read_only(Connection& connection);

}  // namespace hy::das::mysql
