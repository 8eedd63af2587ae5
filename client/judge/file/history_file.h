#pragma once

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "client/judge/evidence.h"
#include "common/base/result.h"

/// Histories and evidence as JSON lines: one object a line, appended, never rewritten
/// (docs/checkers.md lists the fields).
namespace hy::judge {

inline constexpr int kFileVersion = 1;

/// One line without its newline. `n`: 1, 2, 3 … in the file.
std::string event_line(const History& history, const Event& e, std::string_view run,
                       std::uint64_t n);

/// Appends one device's events to its file. The caller decides when bytes have to be on disk.
/// One thread.
class HistoryWriter {
 public:
  /// Creates the file. Errors: kInternal with the system's reason.
  static Result<HistoryWriter> open(const std::filesystem::path& file, std::string run);

  /// Writes `history`'s events and forgets them there: memory holds only what is not written.
  Status write(History& history);
  /// Everything written so far is handed to the system (survives the process, not the machine).
  Status flush();

 private:
  HistoryWriter(std::filesystem::path path, std::ofstream out, std::string run)
      : path_(std::move(path)), out_(std::move(out)), run_(std::move(run)) {}
  std::filesystem::path path_;
  std::ofstream out_;
  std::string run_;
  std::uint64_t n_ = 0;
};

/// A device's file. A last line without newline is dropped: its process died writing it. Errors:
/// kMalformedBody with file and line.
Result<History> read_history(const std::filesystem::path& file);

/// Everything in `folder`: device-*.jsonl, store.jsonl, router-*.jsonl, entries.jsonl and
/// faults.jsonl. What is not there is left out, and judge() says that it is missing.
Result<Evidence> read_evidence(const std::filesystem::path& folder);
/// Writes all of it into `folder`, which exists. A run that failed is kept so.
Status write_evidence(const Evidence& evidence, const std::filesystem::path& folder,
                      std::string_view run);
/// All but the histories, which their devices wrote themselves.
Status write_dumps(const Evidence& evidence, const std::filesystem::path& folder);

/// "device-7.phone.1.jsonl".
std::string history_file_name(const DeviceKey& device);

}  // namespace hy::judge
