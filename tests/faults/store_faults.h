#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "client/cli/private_store.h"
#include "common/base/clock.h"
#include "common/base/result.h"

namespace hy::faults {

/// Faults of a private Redis, by its own commands. kill, stop and continue go by pid (Pauses,
/// Supervisor). Each call opens a connection of its own; any thread. Errors: kUnreachableServer,
/// kChildFailed with Redis' answer.
class RedisFaults {
 public:
  explicit RedisFaults(std::filesystem::path socket) : socket_(std::move(socket)) {}
  Status flush_all() const;
  /// Every command of every client waits so long (CLIENT PAUSE … ALL).
  Status pause_clients(Millis duration) const;
  Status end_pause() const;
  /// Writes answer OOM at once: maxmemory below what is in use, noeviction. false: no limit.
  Status out_of_memory(bool on) const;
  /// Writes answer READONLY, reads serve what is there: a replica of a master that is not.
  Status read_only(bool on) const;
  Status heal() const;  ///< ends all of these
  /// One command, its answer in short ("+OK", "-ERR …", ":3", bulk text).
  [[nodiscard]] Result<std::string> command(const std::vector<std::string>& words) const;

 private:
  std::filesystem::path socket_;
};

/// Faults of a private MariaDB that need an administrator, who is let in by admit().
class MariadbFaults {
 public:
  /// Call on the store's "mariadb" ServiceSpec before it starts: its init file gains an
  /// administrator account of ours.
  static Status admit(cli::ServiceSpec& mariadb);

  /// `socket`: the server's. `database`: the product's.
  MariadbFaults(std::filesystem::path socket, std::string database);
  ~MariadbFaults();
  MariadbFaults(const MariadbFaults&) = delete;
  MariadbFaults& operator=(const MariadbFaults&) = delete;

  /// SET GLOBAL read_only: writers without SUPER get 1290.
  Status read_only(bool on);
  /// The server has no connection left: ends those of the product and takes every place (1040).
  Status too_many_connections(bool on);
  /// Ends every connection of the product's user once (KILL).
  Status kill_connections();
  /// Locks the rows that `select` names (without FOR UPDATE) until release_rows() or `at_most`.
  /// Returns when the lock is held, with the number of rows.
  Result<std::uint64_t> hold_rows(const std::string& select, Millis at_most);
  Status release_rows();
  /// LOCK TABLES … WRITE on every given table until unlock_tables().
  Status lock_tables(const std::vector<std::string>& tables);
  Status unlock_tables();
  /// Any statement without rows.
  Status run(const std::string& sql);
  /// First column of the first row as text.
  Result<std::string> ask(const std::string& sql);
  Status heal();  ///< ends all of these; after a restart of the server too

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hy::faults
