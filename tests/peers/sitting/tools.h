#pragma once

#include <filesystem>
#include <stdexcept>
#include <string>
#include <type_traits>

#include "client/cli/supervisor.h"
#include "common/base/result.h"

namespace hy::peers {

inline constexpr Millis kReadyWithin{120'000};

/// The value, or std::runtime_error with the reason.
template <class T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(error_text(result.error().code, result.error().detail));
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

/// -1: no such service, or it is not running.
pid_t pid_of(const cli::Supervisor& supervisor, const std::string& name);
void write_file(const std::filesystem::path& path, const std::string& text);
/// A password file's content without its line end.
std::string read_password(const std::filesystem::path& path);
/// True when somebody listens on this port of 127.0.0.1.
bool accepts(int port);

}  // namespace hy::peers
