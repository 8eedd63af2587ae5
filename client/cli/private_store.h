#pragma once

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

/// The `apt` line that installs what `--store mysql` needs; empty when nothing is missing.
std::string missing_store_packages();

}  // namespace hy::cli
