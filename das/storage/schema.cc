#include "das/storage/schema.h"

#include <algorithm>

namespace hy::das {

Status judge_schema(std::span<const Migration> known, std::span<const AppliedMigration> applied) {
  std::uint32_t highest = 0;
  for (const AppliedMigration& row : applied) highest = std::max(highest, row.version);
  for (std::uint32_t version = 1; version <= highest; ++version) {
    const auto row = std::ranges::find(applied, version, &AppliedMigration::version);
    if (row == applied.end())
      return fail(Errc::kSchemaBroken, "step " + std::to_string(version) + " is missing below " +
                                           std::to_string(highest));
    const auto step = std::ranges::find(known, version, &Migration::version);
    if (step != known.end() && step->sha256 != row->sha256)
      return fail(Errc::kSchemaBroken, "checksum of " + std::string(step->name));
  }
  const auto expected = static_cast<std::uint32_t>(known.size());
  const std::string versions =
      "store has version " + std::to_string(highest) + ", das knows " + std::to_string(expected);
  if (highest > expected) return fail(Errc::kSchemaTooNew, versions);
  if (highest < expected) return fail(Errc::kSchemaTooOld, versions);
  return {};
}

SchemaStatus schema_status(std::span<const Migration> known,
                           std::span<const AppliedMigration> applied) {
  SchemaStatus status;
  for (const AppliedMigration& row : applied)
    status.current = std::max(status.current, row.version);
  for (const Migration& step : known) {
    status.expected = std::max(status.expected, step.version);
    if (step.version > status.current) status.pending.emplace_back(step.name);
  }
  return status;
}

std::vector<std::string> split_statements(std::string_view sql) {
  std::vector<std::string> statements;
  std::string current;
  while (!sql.empty()) {
    const std::size_t end = std::min(sql.find('\n'), sql.size());
    std::string_view line = sql.substr(0, end);
    sql.remove_prefix(std::min(end + 1, sql.size()));
    while (!line.empty() && (line.back() == ' ' || line.back() == '\r')) line.remove_suffix(1);
    const std::size_t first = line.find_first_not_of(' ');
    if (first == std::string_view::npos || line.substr(first).starts_with("--")) continue;
    if (!current.empty()) current += '\n';
    current += line;
    if (current.back() != ';') continue;
    current.pop_back();
    statements.push_back(std::move(current));
    current.clear();
  }
  if (!current.empty()) statements.push_back(std::move(current));
  return statements;
}

}  // namespace hy::das
