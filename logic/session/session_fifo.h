#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "common/base/ids.h"
#include "common/flat/flat_map.h"

namespace hy::logic {

/// Lets the commands of one session start one after another: the next one starts when the one
/// before it has issued its write (or ended). That is all that order needs: from there on one
/// stream and one lane keep it. Sessions do not wait for each other.
class SessionFifo {
 public:
  struct Key {
    std::uint64_t stream = 0;
    ConnId conn;
    friend bool operator==(const Key&, const Key&) = default;
  };

  /// Being first in the line of one session. Given back by release() or on destruction, once.
  class Turn {
   public:
    Turn() = default;
    Turn(SessionFifo* fifo, Key key) : fifo_(fifo), key_(key) {}
    Turn(Turn&& other) noexcept : fifo_(std::exchange(other.fifo_, nullptr)), key_(other.key_) {}
    Turn& operator=(Turn&& other) noexcept {
      if (this != &other) {
        release();
        fifo_ = std::exchange(other.fifo_, nullptr);
        key_ = other.key_;
      }
      return *this;
    }
    ~Turn() { release(); }
    void release() {
      if (fifo_ != nullptr) std::exchange(fifo_, nullptr)->next(key_);
    }

   private:
    SessionFifo* fifo_ = nullptr;
    Key key_;
  };
  using Job = std::move_only_function<void(Turn)>;

  explicit SessionFifo(std::size_t waiting_max) : waiting_max_(waiting_max) {}

  /// The turn itself when nobody of this session is before: no job has to be made for it. Nothing:
  /// enter() with a job.
  std::optional<Turn> enter_now(Key key);
  /// Runs `job` now, or when its turn comes. False: `waiting_max` are waiting already; `job` is
  /// untouched.
  bool enter(Key key, Job& job);
  /// The end: whoever waits is dropped, later turns start nobody.
  void close();
  /// Sessions with something running or waiting.
  [[nodiscard]] std::size_t sessions() const { return lines_.size(); }

 private:
  struct KeyHash {
    std::size_t operator()(const Key& k) const noexcept {
      return mix64(k.stream ^ mix64(k.conn.value()));
    }
  };
  struct Line {
    std::unique_ptr<std::deque<Job>> waiting;  ///< made when somebody has to wait: most never do
    bool is_running = false;  ///< a job of this line is on the stack: its release only marks
    bool is_free = false;
  };

  [[nodiscard]] static std::optional<Job> take_next(Line& line);
  void next(Key key);
  void run(Key key, Job job);

  std::size_t waiting_max_;
  bool is_closed_ = false;
  FlatMap<Key, Line, KeyHash, std::equal_to<Key>> lines_;
};

}  // namespace hy::logic
