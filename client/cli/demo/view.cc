#include "client/cli/demo/view.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "client/cli/text_width.h"

namespace hy::cli {
namespace {

constexpr int kThreePanes = 110;
constexpr int kMiddleWidth = 45;
constexpr const char* kBold = "\x1b[1m";
constexpr const char* kDim = "\x1b[2m";
constexpr const char* kRed = "\x1b[31;1m";
constexpr const char* kBlue = "\x1b[34m";
constexpr const char* kPlain = "\x1b[0m";

std::string repeat(std::string_view piece, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += piece;
  return out;
}

/// A box's edge with a title: "┌ alice · entry a ─────┐".
std::string top_edge(const std::string& title, int width, bool is_active) {
  const std::string shown = clip(title, width - 4);
  return "┌ " + std::string(is_active ? kBold : "") + shown + (is_active ? kPlain : "") + " " +
         repeat("─", width - 4 - display_width(shown)) + "┐";
}

std::string bottom_edge(int width) {
  return "└" + repeat("─", width - 2) + "┘";
}

/// Text in a box's row. `text` has no colours.
std::string row(const std::string& text, int width) {
  return "│ " + fit(text, width - 4) + " │";
}

std::string chat_row(const ChatLine& line, const std::string& peer_width_from, int width) {
  const int inside = width - 4;
  const std::string mark = line.is_mine ? tick(line.step) : "";
  const std::string from = fit(line.from, std::max(5, display_width(peer_width_from)));
  const std::string left = fit(line.when + " " + from + " " + line.text, inside - 3) + " ";
  const std::string shown_mark = fit(mark, 2);
  const bool is_read = line.step == Step::kRead && line.is_mine;
  return "│ " + left + (is_read ? kBlue : "") + shown_mark + (is_read ? kPlain : "") + " │";
}

std::vector<std::string> chat_box(const View::Pane& pane, const std::string& peer, int width,
                                  int height) {
  std::vector<std::string> out{top_edge(pane.name + " · " + pane.link, width, pane.is_active)};
  const int lines_max = height - 3;
  const auto& lines = pane.lines;
  const std::size_t first = lines.size() > static_cast<std::size_t>(lines_max)
                                ? lines.size() - static_cast<std::size_t>(lines_max)
                                : 0;
  for (std::size_t i = first; i < lines.size(); ++i) out.push_back(chat_row(lines[i], peer, width));
  while (static_cast<int>(out.size()) < height - 2) out.push_back(row("", width));
  out.push_back(pane.is_active && !pane.input.empty() ? "│ > " + pane.input + " │"
                                                      : row("", width));
  out.push_back(bottom_edge(width));
  return out;
}

std::vector<std::string> text_box(const std::string& title, const std::vector<std::string>& lines,
                                  int width, int height) {
  std::vector<std::string> out{top_edge(title, width, false)};
  for (const std::string& line : lines) {
    if (static_cast<int>(out.size()) < height - 1) out.push_back(row(line, width));
  }
  while (static_cast<int>(out.size()) < height - 1) out.push_back(row("", width));
  out.push_back(bottom_edge(width));
  return out;
}

std::vector<std::string> beside(std::vector<std::vector<std::string>> boxes) {
  std::vector<std::string> out = std::move(boxes.front());
  for (std::size_t b = 1; b < boxes.size(); ++b) {
    for (std::size_t i = 0; i < out.size(); ++i) out[i] += boxes[b][i];
  }
  return out;
}

std::string latency_line(const Latency& l, int columns) {
  if (l.count == 0) return fit(" delivered  nothing yet", columns);
  const std::string text = fmt::format(" delivered  p50 {:.1f}   p99 {:.1f}   max {:.0f} ms   ",
                                       l.p50_ms, l.p99_ms, l.max_ms);
  const int room = columns - display_width(text);
  return fit(text + sparkline(l.seconds, static_cast<std::size_t>(std::clamp(room, 0, 30))),
             columns);
}

}  // namespace

std::string tick(Step step) {
  switch (step) {
    case Step::kQueued:
    case Step::kSent: return "◷";
    case Step::kRelayed: return "◌";
    case Step::kStored: return "✓";
    case Step::kDelivered:
    case Step::kRead: return "✓✓";
    case Step::kRefused:
    case Step::kUnsure: return "!";
  }
  return "";
}

std::string sparkline(const std::vector<double>& values, std::size_t width) {
  static constexpr std::array<const char*, 8> kBlocks = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  const std::size_t first = values.size() > width ? values.size() - width : 0;
  double largest = 1.0;
  for (std::size_t i = first; i < values.size(); ++i) largest = std::max(largest, values[i]);
  std::string out;
  for (std::size_t i = first; i < values.size(); ++i) {
    out += kBlocks[static_cast<std::size_t>(values[i] / largest * 7.0)];
  }
  return out;
}

std::vector<std::string> compose(const View& view, int columns, int rows) {
  constexpr int kAround = 7;  // two lines above the boxes, five below
  constexpr int kLadderLines = 8;
  std::vector<std::string> out;
  out.push_back(kBold + fit(" " + view.head, columns) + kPlain);
  out.push_back(fit(" " + view.entries, columns));
  if (columns >= kThreePanes) {
    const int side = (columns - kMiddleWidth) / 2;
    const int height = std::max(8, rows - kAround);
    for (auto& line :
         beside({chat_box(view.left, view.right.name, side, height),
                 text_box(view.middle_title, view.middle, kMiddleWidth, height),
                 chat_box(view.right, view.left.name, columns - kMiddleWidth - side, height)})) {
      out.push_back(std::move(line));
    }
  } else {
    const int side = columns / 2;
    const int height = std::max(6, rows - kAround - kLadderLines);
    for (auto& line : beside({chat_box(view.left, view.right.name, side, height),
                              chat_box(view.right, view.left.name, columns - side, height)})) {
      out.push_back(std::move(line));
    }
    for (auto& line : text_box(view.middle_title, view.middle, columns, kLadderLines)) {
      out.push_back(std::move(line));
    }
  }
  const std::string ledger = fit(ledger_on_screen(view.ledger, columns), columns);
  out.push_back(view.ledger.is_clean() ? ledger : kRed + ledger + kPlain);
  out.push_back(latency_line(view.latency, columns));
  out.push_back(kDim + fit(" " + view.caption, columns) + kPlain);
  out.push_back(fit(" " + view.keys, columns));
  if (static_cast<int>(out.size()) > rows) out.resize(static_cast<std::size_t>(rows));
  return out;
}

}  // namespace hy::cli
