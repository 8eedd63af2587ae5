#pragma once

#include <termios.h>

#include <optional>
#include <string>
#include <vector>

#include "common/base/clock.h"

namespace hy::cli {

struct TerminalSize {
  int columns = 80;
  int rows = 24;
};
TerminalSize terminal_size();
/// Both stdin and stdout are a terminal.
bool is_interactive();
bool stdout_is_terminal();

/// A key or a character that was typed.
struct Key {
  enum class Kind : std::uint8_t {
    kText,
    kEnter,
    kBackspace,
    kTab,
    kEscape,
    kLeft,
    kRight,
    kHome,
    kEnd,
    kControl,
    kClosed
  };
  Kind kind = Kind::kText;
  std::string text;  ///< one UTF-8 character; for kControl the letter: "c"
};

/// Cuts typed bytes into keys; an unfinished UTF-8 character or escape sequence waits for its rest.
class KeyReader {
 public:
  std::vector<Key> feed(std::string_view bytes);
  /// A lone Escape, when nothing followed.
  std::vector<Key> flush();

 private:
  std::string rest_;
};

/// Raw mode on stdin, and on request the other screen without a cursor. The destructor puts
/// everything back; restore() does it from a signal's path too.
class RawTerminal {
 public:
  explicit RawTerminal(bool full_screen);
  ~RawTerminal();
  RawTerminal(const RawTerminal&) = delete;
  RawTerminal& operator=(const RawTerminal&) = delete;
  void restore();
  /// Waits for keys; an empty list when nothing came.
  std::vector<Key> read(Millis within);

 private:
  bool full_screen_;
  bool is_raw_ = false;
  termios before_{};
  KeyReader reader_;
};

/// A line being typed.
class LineEditor {
 public:
  /// True when Enter ended the line: take it with take().
  bool key(const Key& key);
  [[nodiscard]] const std::string& text() const { return text_; }
  [[nodiscard]] std::size_t cursor() const { return cursor_; }
  std::string take();
  /// Screen text of the last `columns` columns around the cursor, with the cursor shown inverse.
  [[nodiscard]] std::string on_screen(int columns) const;

 private:
  std::string text_;
  std::size_t cursor_ = 0;
};

}  // namespace hy::cli
