#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "client/cli/supervisor.h"
#include "common/base/random.h"
#include "common/base/result.h"

namespace hy::cli {

/// A MariaDB and a Redis of our own on Unix sockets in a private folder: no root, no port, no
/// system service.
struct PrivateStore {
  std::filesystem::path folder;
  std::filesystem::path mysql_socket;
  std::filesystem::path redis_socket;
  std::string mysql_user = "hongyan";
  std::string mysql_database = "hongyan";
  std::filesystem::path mysql_password_file;
  std::vector<ServiceSpec> services;  ///< "mariadb", "redis"
};

/// Prepares the folder (data files, accounts, a random password) and tells how to start the
/// servers. A folder that was prepared before is used again. About half a second the first time.
/// Errors: kMissingPackage with the apt line; kChildFailed.
Result<PrivateStore> prepare_private_store(const std::filesystem::path& folder, Random& random);

/// What the private MariaDB gets of a machine with that much memory. Each conversation that is
/// being written to holds a page of 16 KiB: when these do not fit the pool, every batch reads and
/// writes pages, and a message costs four times as much. An eighth of the memory, 64 MiB .. 1 GiB;
/// the redo log an eighth of that again, 16 .. 128 MiB.
struct PrivatePool {
  std::uint64_t pool_mib = 0;
  std::uint64_t log_mib = 0;
};
[[nodiscard]] PrivatePool private_pool(std::uint64_t memory_bytes);

/// The `apt` line that installs what `--store mysql` needs; empty when nothing is missing.
std::string missing_store_packages();

}  // namespace hy::cli
