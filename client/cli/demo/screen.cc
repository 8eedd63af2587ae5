#include "client/cli/demo/screen.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>

#include "client/cli/operator_client.h"
#include "client/cli/output.h"

namespace hy::cli {
namespace {

constexpr Millis kFrame{100};
constexpr Millis kBackWithin{60'000};
constexpr Millis kTraceWithin{2'000};
constexpr int kLoadPerSecond = 200;
constexpr int kWide = 110;  // as compose() decides
constexpr int kMiddle = 45;

/// Slow things (stopping a daemon, waiting for it) one at a time beside the screen.
class Scene {
 public:
  ~Scene() { join(); }
  /// False while another one is under way.
  bool run(const std::string& caption, std::function<std::string()> work) {
    if (is_busy_) return false;
    join();
    is_busy_ = true;
    set_caption(caption);
    thread_ = std::thread([this, work = std::move(work)] {
      set_caption(work());
      is_busy_ = false;
    });
    return true;
  }
  void set_caption(std::string text) {
    const std::lock_guard lock(mutex_);
    caption_ = std::move(text);
  }
  std::string caption() {
    const std::lock_guard lock(mutex_);
    return caption_;
  }

 private:
  void join() {
    if (thread_.joinable()) thread_.join();
  }
  std::mutex mutex_;
  std::string caption_;
  std::atomic<bool> is_busy_{false};
  std::thread thread_;
};

class Screen {
 public:
  Screen(Stage& stage, RawTerminal& terminal, std::string head, std::string entries)
      : stage_(stage),
        terminal_(terminal),
        head_(std::move(head)),
        entries_(std::move(entries)),
        load_(stage, "alice", "bob") {}

  Exit run(int load_per_second) {
    if (load_per_second > 0) load_.start(load_per_second);
    scene_.set_caption("press Enter to write as alice, Tab to be bob");
    while (!is_quitting_) {
      draw();
      for (const Key& key : terminal_.read(kFrame)) take_key(key);
    }
    load_.stop();
    return stage_.counts().is_clean() ? Exit::kOk : Exit::kLedger;
  }

 private:
  const std::string& me() const { return is_bob_ ? bob_ : alice_; }
  const std::string& peer() const { return is_bob_ ? alice_ : bob_; }

  void take_key(const Key& key) {
    if (key.kind == Key::Kind::kClosed) is_quitting_ = true;
    if (key.kind == Key::Kind::kControl && (key.text == "c" || key.text == "d"))
      is_quitting_ = true;
    if (is_choosing_) return choose(key);
    if (key.kind == Key::Kind::kTab) {
      is_bob_ = !is_bob_;
    } else if (is_writing_) {
      write(key);
    } else if (key.kind == Key::Kind::kEnter) {
      is_writing_ = true;
    } else if (key.kind == Key::Kind::kText && key.text.size() == 1) {
      command(key.text.front());
    }
  }

  void write(const Key& key) {
    if (key.kind == Key::Kind::kEscape) {
      is_writing_ = false;
      return;
    }
    if (!editor_.key(key)) return;
    std::string text = editor_.take();
    if (text.empty()) {
      is_writing_ = false;
    } else if (const auto sent = stage_.say(me(), peer(), std::move(text)); !sent) {
      scene_.set_caption(error_text(sent.error().code, sent.error().detail));
    }
  }

  void command(char c) {
    switch (c) {
      case 'q': is_quitting_ = true; break;
      case 'k': is_choosing_ = true; break;
      case 's': toggle_store(); break;
      case 'b': toggle_plug(); break;
      case 'd': toggle_drain(); break;
      case 'l':
        if (load_.is_running()) {
          load_.stop();
          scene_.set_caption("the load is off");
        } else {
          load_.start(kLoadPerSecond);
          scene_.set_caption(fmt::format("{} messages a second, both ways", kLoadPerSecond));
        }
        break;
      case 't': is_tracing_ = !is_tracing_; break;
      default: break;
    }
  }

  void choose(const Key& key) {
    is_choosing_ = false;
    if (key.kind != Key::Kind::kText || key.text.size() != 1) return;
    const auto& daemons = stage_.cluster().layout().daemons;
    const auto index = static_cast<std::size_t>(key.text.front() - '1');
    if (index >= daemons.size()) return;
    const std::string name = daemons[index].name();
    scene_.run("killed " + name + "; the supervisor starts it again", [this, name] {
      Supervisor& s = stage_.cluster().supervisor();
      stage_.take_longest_gap();
      const MonoTime start = std::chrono::steady_clock::now();
      const int starts = s.starts(name);
      s.signal(name, SIGKILL);
      stage_.watch(kBackWithin, [&] { return s.starts(name) > starts; });
      const Status ready = stage_.cluster().wait_ready({name}, kBackWithin);
      if (!ready) return error_text(ready.error().code, ready.error().detail);
      const auto took =
          std::chrono::duration_cast<Millis>(std::chrono::steady_clock::now() - start);
      return fmt::format("{} is ready again after {}; nothing that was STORED is gone", name,
                         duration_text(took));
    });
  }

  void toggle_store() {
    const bool is_stopping = !is_store_stopped_;
    const bool is_started = scene_.run(
        is_stopping ? "stopping the store …" : "starting the store …", [this, is_stopping] {
          Cluster& c = stage_.cluster();
          const Status done = is_stopping ? c.stop_store() : c.start_store();
          if (!done) return error_text(done.error().code, done.error().detail);
          return std::string(
              is_stopping ? "the store is down: RELAYED (◌) reached the device, not saved; [s] "
                            "brings it back"
                          : "the store is back: the outbox sends the same ids, ◌ becomes ✓");
        });
    if (is_started) is_store_stopped_ = is_stopping;
  }

  void toggle_plug() {
    is_unplugged_ = !is_unplugged_;
    stage_.client("bob").unplug(is_unplugged_);
    scene_.set_caption(is_unplugged_ ? "bob is unplugged: no packet, no FIN; what alice writes is "
                                       "STORED and waits; [b] plugs him in"
                                     : "bob is back: SYNC and PULL bring what he missed");
    is_watching_sync_ = true;
  }

  void toggle_drain() {
    const bool is_draining = !is_drained_;
    const bool is_started = scene_.run(
        is_draining ? "entry a drains: its people are told to move" : "starting entry a …",
        [this, is_draining] {
          Supervisor& s = stage_.cluster().supervisor();
          const Status done = is_draining ? s.hold("entry-a") : s.release("entry-a");
          if (!done) return error_text(done.error().code, done.error().detail);
          return std::string(is_draining
                                 ? "entry a has left; alice is at the other entry; [d] brings "
                                   "it back"
                                 : "entry a serves again");
        });
    if (is_started) is_drained_ = is_draining;
  }

  void draw() {
    View view;
    view.head = head_ + " · " + size_text(stage_.cluster().resident_bytes());
    view.entries = entries_;
    const auto pane = [this](const std::string& who, bool is_active) {
      constexpr std::size_t kLines = 60;
      return View::Pane{who, stage_.link_of(who), stage_.lines_of(who, kLines), is_active, ""};
    };
    view.left = pane(alice_, !is_bob_);
    view.right = pane(bob_, is_bob_);
    const TerminalSize size = terminal_size();
    const int side = size.columns >= kWide ? (size.columns - kMiddle) / 2 : size.columns / 2;
    if (is_writing_) (is_bob_ ? view.right : view.left).input = editor_.on_screen(side - 6);
    view.middle = middle();
    if (is_tracing_) view.middle_title = "trace of the last message";
    view.ledger = stage_.counts();
    view.latency = stage_.latency();
    view.caption = is_choosing_ ? choices() : scene_.caption();
    view.keys = keys(size.columns);
    paint(compose(view, size.columns, size.rows), size);
  }

  std::string keys(int columns) const {
    if (is_writing_) return "[Enter] send  [Esc] stop writing  [Tab] be " + peer();
    const std::string plug = is_unplugged_ ? "plug" : "unplug";
    if (columns < kWide) {
      return "[Enter] write [Tab] " + peer() + " [k]ill [s]tore [b] " + plug +
             " [d]rain [l]oad [t]race [q]uit";
    }
    return "[Enter] write  [Tab] be " + peer() + "  [k] kill a daemon  [s] store  [b] " + plug +
           " bob  [d] drain a  [l] load  [t] trace  [q] quit";
  }

  std::vector<std::string> middle() {
    std::vector<std::string> out;
    if (is_tracing_) return trace_lines();
    for (const Rung& rung : stage_.latest_rungs()) out.push_back(rung_on_screen(rung));
    if (is_watching_sync_) {
      for (std::string& line : stage_.take_sync_lines("bob"))
        sync_lines_.push_back(std::move(line));
      constexpr std::size_t kSyncLines = 3;
      while (sync_lines_.size() > kSyncLines) sync_lines_.erase(sync_lines_.begin());
      for (const std::string& line : sync_lines_) out.push_back("bob   ·  " + line);
    }
    return out;
  }

  std::vector<std::string> trace_lines() {
    const auto now = std::chrono::steady_clock::now();
    if (now - traced_at_ < std::chrono::seconds(1)) return traced_;
    traced_at_ = now;
    traced_.clear();
    const std::string id = stage_.latest_id();
    auto door = OperatorClient::open(operator_access(stage_.cluster().layout()), kTraceWithin);
    if (!door) return traced_ = {error_text(door.error().code)};
    const auto rungs = (*door)->trace(id, {}, Seq{}, kTraceWithin);
    if (!rungs) return traced_ = {error_text(rungs.error().code)};
    for (const TraceRung& r : *rungs) {
      traced_.push_back(fmt::format("{:9} {:12} {:7.2f} ms  {}", r.hop, r.what,
                                    static_cast<double>(r.at_us) / 1'000.0, r.note));
    }
    if (traced_.empty()) traced_ = {"no hop keeps a trace of it any more"};
    return traced_;
  }

  std::string choices() {
    std::string out = "kill which?";
    int number = 1;
    for (const DaemonPlace& d : stage_.cluster().layout().daemons) {
      out += fmt::format("  [{}] {}", number++, d.name());
    }
    return out + "  [Esc] none";
  }

  void paint(const std::vector<std::string>& lines, TerminalSize size) {
    std::string out;
    if (size.columns != size_.columns || size.rows != size_.rows) {
      out += "\x1b[2J";
      shown_.clear();
      size_ = size;
    }
    for (std::size_t i = 0; i < lines.size(); ++i) {
      if (i < shown_.size() && shown_[i] == lines[i]) continue;
      out += fmt::format("\x1b[{};1H", i + 1) + lines[i];
    }
    shown_ = lines;
    if (!out.empty()) print(out);
  }

  Stage& stage_;
  RawTerminal& terminal_;
  std::string head_;
  std::string entries_;
  const std::string alice_ = "alice";
  const std::string bob_ = "bob";
  LineEditor editor_;
  bool is_quitting_ = false;
  bool is_bob_ = false;
  bool is_writing_ = false;
  bool is_choosing_ = false;
  bool is_tracing_ = false;
  bool is_watching_sync_ = false;
  bool is_store_stopped_ = false;
  bool is_unplugged_ = false;
  bool is_drained_ = false;
  std::vector<std::string> sync_lines_;
  std::vector<std::string> traced_;
  MonoTime traced_at_{};
  std::vector<std::string> shown_;
  TerminalSize size_{0, 0};
  Load load_;
  Scene scene_;
};

}  // namespace

Exit run_screen(Stage& stage, RawTerminal& terminal, const std::string& head,
                const std::string& entries, int load_per_second) {
  return Screen(stage, terminal, head, entries).run(load_per_second);
}

}  // namespace hy::cli
