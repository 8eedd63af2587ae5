#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "client/cli/unique_fd.h"
#include "common/base/bytes.h"
#include "common/base/random.h"
#include "common/base/result.h"

/// Folders and files that belong to one person alone.
namespace hy::cli {

/// Where this user's running clusters are found: $XDG_RUNTIME_DIR/hongyan, else
/// $TMPDIR/hongyan-UID, else /tmp/hongyan-UID. Mode 0700. Errors: kUnsafeStart when it belongs to
/// somebody else or others may write there.
Result<std::filesystem::path> runtime_folder();
/// $HY_HOME, else $XDG_DATA_HOME/hongyan, else ~/.local/share/hongyan. Created with mode 0700.
Result<std::filesystem::path> home_folder();

/// Makes `path` with mode 0700 (parents too); fine when it is there and ours.
Status make_private(const std::filesystem::path& path);
/// Writes a file with mode 0600, replacing it as a whole.
Status write_private(const std::filesystem::path& path, std::string_view content);
/// A whole file. Errors: kConfigUnreadable.
Result<std::string> read_file(const std::filesystem::path& path);
/// `count` random bytes in lower-case hex.
std::string random_hex(Random& random, std::size_t count);

/// Removes files and folders when this process is gone, however it went: a small child process
/// waits for the end of a pipe, so even SIGKILL leaves nothing behind. Make it before any thread
/// starts.
class Janitor {
 public:
  /// `paths` are removed with everything in them; parents in `prune` afterwards, when empty.
  static Result<std::unique_ptr<Janitor>> start(std::vector<std::filesystem::path> paths,
                                                std::vector<std::filesystem::path> prune);
  ~Janitor();  ///< removes now, and waits for it
  Janitor(const Janitor&) = delete;
  Janitor& operator=(const Janitor&) = delete;

 private:
  Janitor(pid_t pid, UniqueFd pipe) : pid_(pid), pipe_(std::move(pipe)) {}
  pid_t pid_;
  UniqueFd pipe_;
};

}  // namespace hy::cli
