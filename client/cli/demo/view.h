#pragma once

#include <string>
#include <vector>

#include "client/cli/demo/stage.h"

namespace hy::cli {

/// Everything that the demo's screen shows, as plain values.
struct View {
  struct Pane {
    std::string name;
    std::string link;  ///< "entry a", "backing off: …"
    std::vector<ChatLine> lines;
    bool is_active = false;  ///< this person's input line is shown
    std::string input;       ///< as LineEditor::on_screen gives it
  };
  std::string head;     ///< idc, daemons, store
  std::string entries;  ///< addresses, folder
  Pane left;
  Pane right;
  std::string middle_title = "last message";
  std::vector<std::string> middle;
  LedgerCounts ledger;
  Latency latency;
  std::string caption;  ///< one line about the scene, or a question
  std::string keys;
};

/// The screen as lines of exactly `columns` columns; colours are inside. Below 110 columns the
/// ladder moves under the two people.
std::vector<std::string> compose(const View& view, int columns, int rows);

/// ◷ ◌ ✓ ✓✓ !
std::string tick(Step step);
/// "▁▁▂▁▅": one block per value, scaled to the largest.
std::string sparkline(const std::vector<double>& values, std::size_t width);

}  // namespace hy::cli
