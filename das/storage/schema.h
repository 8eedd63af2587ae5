#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace hy::das {

/// One numbered step, built into the binary from das/engines/<engine>/schema/NNNN_name.sql. A
/// merged file is never edited: its checksum is in every store that applied it.
struct Migration {
  std::uint32_t version;    ///< 1, 2, 3 …
  std::string_view name;    ///< "0001_initial"
  std::string_view sha256;  ///< hex, of the file
  std::string_view sql;
};

/// A row of schema_version.
struct AppliedMigration {
  std::uint32_t version = 0;
  std::string sha256;
  std::int64_t applied_ms = 0;
};

struct SchemaStatus {
  std::uint32_t current = 0;         ///< highest applied; 0 = empty store
  std::uint32_t expected = 0;        ///< highest that this binary knows
  std::vector<std::string> pending;  ///< names, in order
};

/// ok, or kSchemaTooOld (steps are missing, also: empty), kSchemaTooNew (the store knows more),
/// kSchemaBroken (a checksum differs, or a hole in the applied steps). Broken wins over new over
/// old.
Status judge_schema(std::span<const Migration> known, std::span<const AppliedMigration> applied);
SchemaStatus schema_status(std::span<const Migration> known,
                           std::span<const AppliedMigration> applied);

/// Single statements of a migration: split at ';' at the end of a line, `--` comment lines dropped.
std::vector<std::string> split_statements(std::string_view sql);

}  // namespace hy::das
