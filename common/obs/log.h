#pragma once

#include <atomic>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>

#include "common/base/bytes.h"
#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/ids.h"
#include "common/base/secret.h"

/// Structured log: one event name, fields as key and value. JSON lines on stderr when that is not a
/// terminal: {"ts":…,"level":…,"daemon":…,"name":…,"event":…, fields…}.
///
/// Events are snake_case and fixed; those of failures end in "_failed" and carry "code". Levels:
/// debug = of interest to a developer; info = a person may want to know later; warn = degraded,
/// goes on by itself; error = a person must act. Message bodies, tokens and keys are never logged:
/// raw bytes and Secret do not convert to a Value.
namespace hy::log {

enum class Level : std::uint8_t { kDebug, kInfo, kWarn, kError, kOff };

/// One field's value. Holds views: it lives as long as the log call.
class Value {
 public:
  template <std::signed_integral T>
  Value(T v) : data_(static_cast<std::int64_t>(v)) {}  // NOLINT: implicit by intent
  template <std::unsigned_integral T>
    requires(!std::same_as<T, bool>)
  Value(T v) : data_(static_cast<std::uint64_t>(v)) {}  // NOLINT
  template <std::same_as<bool> T>
  Value(T v) : data_(v) {}                                     // NOLINT
  Value(double v) : data_(v) {}                                // NOLINT
  Value(std::string_view v) : data_(v) {}                      // NOLINT
  Value(const char* v) : data_(std::string_view(v)) {}         // NOLINT
  Value(const std::string& v) : data_(std::string_view(v)) {}  // NOLINT
  template <class Tag, class Rep>
  Value(StrongId<Tag, Rep> id) : data_(static_cast<std::uint64_t>(id.value())) {}  // NOLINT
  Value(const ConversationId& conv);                                               // NOLINT
  Value(const ClientMsgId& id) : data_(id.to_hex()) {}                             // NOLINT
  Value(Errc code) : data_(error_code_text(code)) {}                               // NOLINT
  Value(Slot slot) : data_(slot_name(slot)) {}                                     // NOLINT
  /// Milliseconds; name the key …_ms.
  template <class Rep, class Period>
  Value(std::chrono::duration<Rep, Period> d)  // NOLINT
      : data_(std::chrono::duration<double, std::milli>(d).count()) {}
  Value(const Secret&) = delete;
  Value(ByteView) = delete;
  Value(const void*) = delete;

  using Data =
      std::variant<bool, std::int64_t, std::uint64_t, double, std::string_view, std::string>;
  [[nodiscard]] const Data& data() const { return data_; }

 private:
  Data data_;
};

struct Field {
  std::string_view key;
  Value value;
};
using Fields = std::initializer_list<Field>;

struct Options {
  std::string daemon{};  ///< "entry"
  std::string name{};    ///< "a"
  Level level = Level::kInfo;
  enum class Form : std::uint8_t { kAuto, kJson, kText } form = Form::kAuto;
  /// true: a background thread writes; a full queue drops the oldest line and counts it.
  bool async = true;
};

/// Before threads start. Until then lines go out at once, as text or JSON, from info up.
void init(const Options& options);
/// Writes what is queued and ends the background thread. Later lines are written at once.
void shutdown();
/// Any thread, live.
void set_level(Level level);
[[nodiscard]] Level level();
/// "debug" … "error"; anything else is kInfo.
[[nodiscard]] Level level_from_name(std::string_view name);
[[nodiscard]] bool enabled(Level level);
/// Lines dropped because the queue was full, since init().
[[nodiscard]] std::uint64_t dropped_lines();

/// Any thread. One line is at most 8 KiB; longer texts are cut.
void write(Level level, std::string_view event, Fields fields);
inline void debug(std::string_view event, Fields fields = {}) {
  if (enabled(Level::kDebug)) write(Level::kDebug, event, fields);
}
inline void info(std::string_view event, Fields fields = {}) {
  if (enabled(Level::kInfo)) write(Level::kInfo, event, fields);
}
inline void warn(std::string_view event, Fields fields = {}) {
  if (enabled(Level::kWarn)) write(Level::kWarn, event, fields);
}
inline void error(std::string_view event, Fields fields = {}) {
  if (enabled(Level::kError)) write(Level::kError, event, fields);
}
/// The level of the error table.
[[nodiscard]] Level level_of(Errc code);

/// At most one line a period for one kind of event; the next line that goes out carries
/// "suppressed". A member of the object that logs, any thread; time is an argument.
class Throttle {
 public:
  explicit Throttle(Millis period) : period_(period) {}
  void write(MonoTime now, Level level, std::string_view event, Fields fields = {});
  void info(MonoTime now, std::string_view event, Fields fields = {}) {
    write(now, Level::kInfo, event, fields);
  }
  void warn(MonoTime now, std::string_view event, Fields fields = {}) {
    write(now, Level::kWarn, event, fields);
  }
  [[nodiscard]] std::uint64_t suppressed() const {
    return suppressed_.load(std::memory_order_relaxed);
  }

 private:
  const Millis period_;
  std::atomic<std::int64_t> next_ns_{INT64_MIN};
  std::atomic<std::uint64_t> suppressed_{0};
};

/// For tests: the line that write() would produce, without time stamp rules of the terminal form.
[[nodiscard]] std::string json_line(const Options& options, std::int64_t wall_ms, Level level,
                                    std::string_view event, Fields fields,
                                    std::uint64_t suppressed = 0);

}  // namespace hy::log
