#include "common/obs/log.h"

#include <spdlog/async.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cmath>
#include <ctime>
#include <memory>
#include <mutex>

namespace hy::log {
namespace {

constexpr std::size_t kLineBytesMax = 8 * 1'024;
constexpr std::size_t kQueueLinesMax = 8'192;
constexpr std::string_view kLevelNames[] = {"debug", "info", "warn", "error", "off"};

/// What is configured once per process. The only static of the log: a log line may come from any
/// place, also before init() and after shutdown().
struct State {
  std::mutex mutex;  // guards options, pool and logger
  Options options;
  bool json = false;
  std::shared_ptr<spdlog::details::thread_pool> pool;
  std::shared_ptr<spdlog::logger> logger;
  std::atomic<std::uint64_t> dropped_before{0};
};
State& state() {
  static State instance;
  return instance;
}
std::atomic<Level> current_level{Level::kInfo};

void append_escaped(std::string& out, std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  if (text.size() > kLineBytesMax) text = text.substr(0, kLineBytesMax);
  if (!is_valid_utf8(text)) {
    // Whatever it is, it is no text: shown as hex, so that the line stays valid JSON.
    out += to_hex(as_bytes(text.substr(0, 64)));
    return;
  }
  for (const char c : text) {
    const auto u = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (u < 0x20 || u == 0x7f) {
      out += "\\u00";
      out += kHex[u >> 4];
      out += kHex[u & 15];
    } else {
      out += c;
    }
  }
}

void append_number(std::string& out, double v) {
  // JSON has no infinity and no NaN.
  if (std::isfinite(v))
    fmt::format_to(std::back_inserter(out), "{:.6g}", v);
  else
    out += "null";
}

void append_value(std::string& out, const Value& value, bool json) {
  std::visit(
      [&](const auto& v) {
        using T = std::decay_t<decltype(v)>;
        if constexpr (std::is_same_v<T, bool>) {
          out += v ? "true" : "false";
        } else if constexpr (std::is_same_v<T, double>) {
          append_number(out, v);
        } else if constexpr (std::is_integral_v<T>) {
          fmt::format_to(std::back_inserter(out), "{}", v);
        } else {
          const std::string_view text = v;
          const bool quote = json || text.empty() || text.find_first_of(" =\"") != text.npos;
          if (quote) out += '"';
          append_escaped(out, text);
          if (quote) out += '"';
        }
      },
      value.data());
}

void append_time(std::string& out, std::int64_t wall_ms, bool date) {
  const std::time_t seconds = wall_ms / 1'000;
  std::tm tm{};
  gmtime_r(&seconds, &tm);
  if (date)
    fmt::format_to(std::back_inserter(out), "{:04}-{:02}-{:02}T", tm.tm_year + 1900, tm.tm_mon + 1,
                   tm.tm_mday);
  fmt::format_to(std::back_inserter(out), "{:02}:{:02}:{:02}.{:03}", tm.tm_hour, tm.tm_min,
                 tm.tm_sec, wall_ms % 1'000);
  out += 'Z';
}

std::string text_line(const Options& options, std::int64_t wall_ms, Level at,
                      std::string_view event, Fields fields, std::uint64_t suppressed) {
  std::string out;
  append_time(out, wall_ms, false);
  fmt::format_to(std::back_inserter(out), " {:<5} ", kLevelNames[static_cast<std::size_t>(at)]);
  if (!options.daemon.empty())
    fmt::format_to(std::back_inserter(out), "{}-{} ", options.daemon, options.name);
  out += event;
  for (const auto& field : fields) {
    out.append(" ").append(field.key).append("=");
    append_value(out, field.value, false);
  }
  if (suppressed > 0) fmt::format_to(std::back_inserter(out), " suppressed={}", suppressed);
  return out;
}

void emit(Level at, std::string_view event, Fields fields, std::uint64_t suppressed) {
  auto& s = state();
  const auto wall_ms = SystemClock().wall_ms();
  std::shared_ptr<spdlog::logger> logger;
  bool json = false;
  Options options;
  {
    const std::lock_guard lock(s.mutex);
    logger = s.logger;
    options = s.options;
    json = s.logger ? s.json : isatty(STDERR_FILENO) == 0;
  }
  auto line = json ? json_line(options, wall_ms, at, event, fields, suppressed)
                   : text_line(options, wall_ms, at, event, fields, suppressed);
  if (logger) {
    logger->log(spdlog::level::critical, line);  // our own level was checked before
    return;
  }
  line += '\n';
  [[maybe_unused]] const auto n = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace

Value::Value(const ConversationId& conv)
    : data_(conv.is_group() ? fmt::format("g{}", conv.lo)
                            : fmt::format("{}:{}", conv.hi, conv.lo)) {}

std::string json_line(const Options& options, std::int64_t wall_ms, Level at,
                      std::string_view event, Fields fields, std::uint64_t suppressed) {
  std::string out = "{\"ts\":\"";
  append_time(out, wall_ms, true);
  out.append("\",\"level\":\"").append(kLevelNames[static_cast<std::size_t>(at)]).append("\"");
  const auto text = [&](std::string_view key, std::string_view value) {
    out.append(",\"").append(key).append("\":\"");
    append_escaped(out, value);
    out += '"';
  };
  text("daemon", options.daemon);
  text("name", options.name);
  text("event", event);
  for (const auto& field : fields) {
    if (out.size() > kLineBytesMax) {
      out += ",\"cut\":true";
      break;
    }
    out.append(",\"").append(field.key).append("\":");
    append_value(out, field.value, true);
  }
  if (suppressed > 0) fmt::format_to(std::back_inserter(out), ",\"suppressed\":{}", suppressed);
  return out + "}";
}

void init(const Options& options) {
  auto& s = state();
  const std::lock_guard lock(s.mutex);
  s.options = options;
  s.json = options.form == Options::Form::kJson ||
           (options.form == Options::Form::kAuto && isatty(STDERR_FILENO) == 0);
  auto sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  if (options.async) {
    // Overrun-oldest: a slow reader of stderr costs old lines, never the daemon's time.
    s.pool = std::make_shared<spdlog::details::thread_pool>(kQueueLinesMax, 1);
    s.logger = std::make_shared<spdlog::async_logger>(
        "hy", std::move(sink), s.pool, spdlog::async_overflow_policy::overrun_oldest);
  } else {
    s.logger = std::make_shared<spdlog::logger>("hy", std::move(sink));
  }
  s.logger->set_pattern("%v");
  s.logger->set_level(spdlog::level::trace);
  s.logger->flush_on(options.async ? spdlog::level::off : spdlog::level::trace);
  current_level.store(options.level, std::memory_order_relaxed);
}

void shutdown() {
  auto& s = state();
  std::shared_ptr<spdlog::logger> logger;
  std::shared_ptr<spdlog::details::thread_pool> pool;
  {
    const std::lock_guard lock(s.mutex);
    logger = std::move(s.logger);
    pool = std::move(s.pool);
    s.logger = nullptr;
    s.pool = nullptr;
  }
  if (pool) s.dropped_before += pool->overrun_counter();
  if (logger) logger->flush();
  logger.reset();
  pool.reset();  // joins the writer after the queue is empty
}

void set_level(Level to) {
  current_level.store(to, std::memory_order_relaxed);
}
Level level() {
  return current_level.load(std::memory_order_relaxed);
}
bool enabled(Level at) {
  return at >= current_level.load(std::memory_order_relaxed);
}
Level level_from_name(std::string_view name) {
  for (std::size_t i = 0; i < 4; ++i)
    if (kLevelNames[i] == name) return static_cast<Level>(i);
  return Level::kInfo;
}
std::uint64_t dropped_lines() {
  auto& s = state();
  const std::lock_guard lock(s.mutex);
  return s.dropped_before + (s.pool ? s.pool->overrun_counter() : 0);
}

void write(Level at, std::string_view event, Fields fields) {
  emit(at, event, fields, 0);
}

Level level_of(Errc code) {
  return static_cast<Level>(error_info(code).level);
}
static_assert(static_cast<int>(Level::kDebug) == static_cast<int>(ErrorLevel::kDebug) &&
              static_cast<int>(Level::kError) == static_cast<int>(ErrorLevel::kError));

void Throttle::write(MonoTime now, Level at, std::string_view event, Fields fields) {
  if (!enabled(at)) return;
  const auto now_ns = now.time_since_epoch().count();
  auto next = next_ns_.load(std::memory_order_relaxed);
  // One thread wins the period; the losers count themselves as suppressed.
  if (now_ns < next ||
      !next_ns_.compare_exchange_strong(next, now_ns + std::chrono::nanoseconds(period_).count(),
                                        std::memory_order_relaxed)) {
    suppressed_.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  emit(at, event, fields, suppressed_.exchange(0, std::memory_order_relaxed));
}

}  // namespace hy::log
