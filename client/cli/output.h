#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "client/cli/exit_code.h"
#include "common/base/result.h"

namespace hy::cli {

enum class Format : std::uint8_t { kTable, kJson, kJsonl };

/// A list of rows with named columns, printed as a person or a program wants it. Field names are an
/// interface: scripts read them.
class Table {
 public:
  /// `fields`: JSON names; a table shows them in capitals.
  explicit Table(std::vector<std::string> fields) : fields_(std::move(fields)) {}
  /// A cell that is a number or a truth value stays one in JSON.
  struct Cell {
    std::string text;
    bool is_bare = false;
    Cell(std::string t) : text(std::move(t)) {}  // NOLINT: cells are written as values
    Cell(const char* t) : text(t) {}             // NOLINT
    Cell(std::string_view t) : text(t) {}        // NOLINT
    Cell(bool b) : text(b ? "true" : "false"), is_bare(true) {}  // NOLINT
    template <class Int>
      requires std::is_integral_v<Int>
    Cell(Int n) : text(std::to_string(n)), is_bare(true) {}  // NOLINT
  };
  void add(std::vector<Cell> row) { rows_.push_back(std::move(row)); }
  [[nodiscard]] bool empty() const { return rows_.empty(); }
  [[nodiscard]] std::string text(Format format) const;
  /// One row as a JSON object, without a line end.
  [[nodiscard]] std::string json_row(std::size_t row) const;

 private:
  std::vector<std::string> fields_;
  std::vector<std::vector<Cell>> rows_;
};

/// A JSON string with its quotes. Bytes that are no UTF-8 become U+FFFD.
std::string json_string(std::string_view text);

/// stdout, flushed.
void print(std::string_view text);
/// One line to stderr.
void note(std::string_view text);
/// An error to stderr: code, text, detail and what to do. Returns its exit code.
Exit complain(const Error& error);
Exit complain(Errc code, std::string_view detail = {});

/// "1.2 s", "870 ms".
std::string duration_text(std::chrono::milliseconds d);
/// "148 MB".
std::string size_text(std::size_t bytes);

}  // namespace hy::cli
