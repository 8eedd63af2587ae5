#pragma once

#include <expected>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/config/mistake.h"
#include "common/config/property.h"

namespace hy::config {

/// What to load. Nothing is read from the process: environment and flags are arguments.
struct LoadRequest {
  std::span<const Property> properties{};  ///< common_properties() and the daemon's own
  std::filesystem::path file{};            ///< empty = no file, defaults only
  std::vector<std::string>
      environment{};  ///< "NAME=value"; names that do not start with HY_ are skipped
  std::vector<std::string> overrides{};  ///< "key=value" of --set
};

/// Loads with flag > environment > file > default and reports ALL mistakes of one run, in file
/// order. Checked: the tables that `properties` names; [entry] [logic] [router] [das] [web] tables
/// of other daemons are skipped (their daemon judges them); any other table is a mistake. A secret
/// file that group or others can read is refused (HY-8032). The file is at most 1 MiB.
std::expected<Values, std::vector<Mistake>> load(const LoadRequest& request);

/// `load` on text instead of a file; `request.file` gives name and folder.
std::expected<Values, std::vector<Mistake>> load_text(const LoadRequest& request,
                                                      std::string_view text);

/// The process's environment as LoadRequest wants it.
std::vector<std::string> process_environment();

}  // namespace hy::config
