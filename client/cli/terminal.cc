#include "client/cli/terminal.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <utility>

#include "client/cli/text_width.h"

namespace hy::cli {
namespace {

constexpr Millis kEscapeWithin{30};  // the rest of an escape sequence comes at once

std::size_t utf8_length(unsigned char lead) {
  if (lead >= 0xF0) return 4;
  if (lead >= 0xE0) return 3;
  if (lead >= 0xC0) return 2;
  return 1;
}

void write_all(std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(STDOUT_FILENO, text.data(), text.size());
    if (n <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(n));
  }
}

/// Length of the escape sequence at the start of `text`; 0: not complete yet.
std::size_t escape_length(std::string_view text) {
  if (text.size() < 2) return 0;
  if (text[1] != '[' && text[1] != 'O') return 1;
  for (std::size_t i = 2; i < text.size(); ++i) {
    if (text[i] >= 0x40 && text[i] <= 0x7E) return i + 1;
  }
  return 0;
}

Key escape_key(std::string_view sequence) {
  const char last = sequence.back();
  if (sequence.size() == 1) return {Key::Kind::kEscape, ""};
  if (last == 'D') return {Key::Kind::kLeft, ""};
  if (last == 'C') return {Key::Kind::kRight, ""};
  if (last == 'H') return {Key::Kind::kHome, ""};
  if (last == 'F') return {Key::Kind::kEnd, ""};
  return {Key::Kind::kText, ""};
}

}  // namespace

TerminalSize terminal_size() {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return {};
  return {size.ws_col, size.ws_row};
}

bool stdout_is_terminal() {
  return ::isatty(STDOUT_FILENO) == 1;
}
bool is_interactive() {
  return ::isatty(STDIN_FILENO) == 1 && stdout_is_terminal();
}

std::vector<Key> KeyReader::feed(std::string_view bytes) {
  rest_ += bytes;
  std::vector<Key> out;
  std::size_t at = 0;
  while (at < rest_.size()) {
    const auto c = static_cast<unsigned char>(rest_[at]);
    if (c == 0x1B) {
      const std::size_t length = escape_length(std::string_view(rest_).substr(at));
      if (length == 0) break;
      out.push_back(escape_key(std::string_view(rest_).substr(at, length)));
      at += length;
    } else if (c == '\r' || c == '\n') {
      out.push_back({Key::Kind::kEnter, ""});
      ++at;
    } else if (c == 0x7F || c == 0x08) {
      out.push_back({Key::Kind::kBackspace, ""});
      ++at;
    } else if (c == '\t') {
      out.push_back({Key::Kind::kTab, ""});
      ++at;
    } else if (c < 0x20) {
      out.push_back({Key::Kind::kControl, std::string(1, static_cast<char>('a' + c - 1))});
      ++at;
    } else {
      const std::size_t length = utf8_length(c);
      if (at + length > rest_.size()) break;
      out.push_back({Key::Kind::kText, rest_.substr(at, length)});
      at += length;
    }
  }
  rest_.erase(0, at);
  return out;
}

std::vector<Key> KeyReader::flush() {
  std::vector<Key> out;
  if (rest_.starts_with('\x1B')) out.push_back({Key::Kind::kEscape, ""});
  rest_.clear();
  return out;
}

RawTerminal::RawTerminal(bool full_screen) : full_screen_(full_screen) {
  if (::tcgetattr(STDIN_FILENO, &before_) != 0) return;
  termios raw = before_;
  ::cfmakeraw(&raw);
  raw.c_oflag |= OPOST;
  ::tcsetattr(STDIN_FILENO, TCSANOW, &raw);
  is_raw_ = true;
  if (full_screen_) write_all("\x1b[?1049h\x1b[?25l\x1b[2J");
}

RawTerminal::~RawTerminal() {
  restore();
}

void RawTerminal::restore() {
  if (!is_raw_) return;
  is_raw_ = false;
  if (full_screen_) write_all("\x1b[?25h\x1b[?1049l");
  ::tcsetattr(STDIN_FILENO, TCSANOW, &before_);
}

std::vector<Key> RawTerminal::read(Millis within) {
  pollfd p{STDIN_FILENO, POLLIN, 0};
  if (::poll(&p, 1, static_cast<int>(within.count())) <= 0) return {};
  char buffer[256];
  const ssize_t n = ::read(STDIN_FILENO, buffer, sizeof buffer);
  if (n <= 0) return {{Key::Kind::kClosed, ""}};
  std::vector<Key> keys = reader_.feed({buffer, static_cast<std::size_t>(n)});
  if (keys.empty() && ::poll(&p, 1, static_cast<int>(kEscapeWithin.count())) <= 0) {
    keys = reader_.flush();
  }
  return keys;
}

bool LineEditor::key(const Key& key) {
  const auto before = [this] {
    std::size_t at = cursor_;
    do {
      --at;
    } while (at > 0 && (static_cast<unsigned char>(text_[at]) & 0xC0) == 0x80);
    return at;
  };
  switch (key.kind) {
    case Key::Kind::kEnter: return true;
    case Key::Kind::kText:
      text_.insert(cursor_, key.text);
      cursor_ += key.text.size();
      break;
    case Key::Kind::kBackspace:
      if (cursor_ > 0) {
        const std::size_t from = before();
        text_.erase(from, cursor_ - from);
        cursor_ = from;
      }
      break;
    case Key::Kind::kLeft:
      if (cursor_ > 0) cursor_ = before();
      break;
    case Key::Kind::kRight:
      if (cursor_ < text_.size()) {
        cursor_ += utf8_length(static_cast<unsigned char>(text_[cursor_]));
      }
      break;
    case Key::Kind::kHome: cursor_ = 0; break;
    case Key::Kind::kEnd: cursor_ = text_.size(); break;
    case Key::Kind::kControl:
      if (key.text == "u") take();
      if (key.text == "a") cursor_ = 0;
      if (key.text == "e") cursor_ = text_.size();
      break;
    default: break;
  }
  return false;
}

std::string LineEditor::take() {
  cursor_ = 0;
  return std::exchange(text_, {});
}

std::string LineEditor::on_screen(int columns) const {
  std::size_t from = 0;
  while (from < cursor_ &&
         display_width(std::string_view(text_).substr(from, cursor_ - from)) > columns - 2) {
    from += utf8_length(static_cast<unsigned char>(text_[from]));
  }
  const std::string left = text_.substr(from, cursor_ - from);
  const std::size_t under_length =
      cursor_ < text_.size() ? utf8_length(static_cast<unsigned char>(text_[cursor_])) : 0;
  const std::string under = under_length > 0 ? text_.substr(cursor_, under_length) : " ";
  const int used = display_width(left) + display_width(under);
  const std::string right =
      cursor_ + under_length < text_.size() ? text_.substr(cursor_ + under_length) : "";
  return left + "\x1b[7m" + under + "\x1b[27m" + fit(right, columns - used);
}

}  // namespace hy::cli
