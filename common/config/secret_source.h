#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/base/secret.h"

namespace hy::config {

/// Where a secret is kept: exactly one of the three is set.
struct SecretSource {
  std::string file;        ///< a path
  std::string env;         ///< a variable's name
  std::string credential;  ///< a file of $CREDENTIALS_DIRECTORY (systemd LoadCredential=)
};

/// Reads the secret; one line end at the end is cut. A file must be a regular one of at most 4 KiB
/// that neither group nor others can read (HY-8032; credentials are exempt: systemd guards their
/// folder). hex_bytes > 0: decodes that many bytes of hex. Errors: kConfigUnreadable,
/// kSecretReadable, kConfigMissing, kConfigWrongType. The error never holds the content.
Result<Secret> read_secret(const SecretSource& source, const std::filesystem::path& folder,
                           const std::vector<std::string>& environment, std::uint32_t hex_bytes);

/// "NAME=value" list lookup; nullptr when there is no such name.
const std::string* find_variable(const std::vector<std::string>& environment,
                                 std::string_view name);

}  // namespace hy::config
