#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/base/secret.h"

namespace hy::config {

/// How a value is written, and which getter of Values reads it.
enum class Kind : std::uint8_t {
  kBool,         ///< true or false                                   -> flag()
  kInteger,      ///< 200, "200k" (x 1000), "2M" (x 1 000 000)        -> integer()
  kDuration,     ///< "250ms", "5s", "10m", "24h", "90d"              -> duration()
  kSize,         ///< "512B", "64KiB", "1MiB", "2GiB"                 -> bytes()
  kRate,         ///< "20/s burst 50"; per s, min or h                -> rate()
  kText,         ///< any text                                        -> text()
  kPath,         ///< a path; relative ones start at the file's folder -> text(), made absolute
  kTextList,     ///< ["a", "b"]                                      -> list()
  kEnum,         ///< one of `choices`                                -> text()
  kSecret,       ///< { file = … }, { env = … }, { credential = … }   -> secret()
  kAddress,      ///< "IP:PORT", "host:port", "unix:/path"            -> text()
  kAddressList,  ///< a list of those                                 -> list()
};

/// Whether a changed value is taken over by a reload or only by the next start.
enum class Apply : std::uint8_t { kLive, kRestart };

/// One key. Everything that is known about it comes from here: parser, --print-config, the
/// commented default file and docs/reference/config.md.
struct Property {
  std::string_view key{};       ///< "entry.max_connections", "entry.push_window.frames"
  Kind kind{Kind::kText};       ///< form of the value
  std::string_view fallback{};  ///< default, written as in the file without quotes; lists: "a, b"
  std::string_view min{};       ///< smallest value in the same form; empty = none
  std::string_view max{};       ///< largest value; for texts and lists the largest length
  Apply apply{Apply::kRestart};
  std::string_view sentence{};  ///< one sentence for a person
  std::string_view choices{};   ///< kEnum: "mysql|embedded"
  bool required{false};         ///< the file, environment or flags must give it
  std::uint32_t hex_bytes{0};   ///< kSecret: > 0 = the text is that many bytes in hex
};

/// A token-bucket rate as written: `count` per `period`, `burst` at once.
struct Rate {
  std::uint32_t count = 0;
  Millis period{1000};
  std::uint32_t burst = 0;
  [[nodiscard]] double per_second() const {
    return static_cast<double>(count) * 1000.0 / static_cast<double>(period.count());
  }
  friend bool operator==(const Rate&, const Rate&) = default;
};

/// Where a value came from, strongest first.
enum class Source : std::uint8_t { kFlag, kEnvironment, kFile, kDefault };

/// A parsed value: what the getters return, and how it is shown again ("***" for secrets).
struct Value {
  std::variant<bool, std::int64_t, Millis, std::uint64_t, Rate, std::string,
               std::vector<std::string>, Secret>
      data;
  std::string shown;
  Source source = Source::kDefault;
  std::string origin;  ///< "hongyan.toml:9", "HY_ENTRY_LISTEN", "--set", "default"
};

/// All values of one daemon. Immutable after loading; copies are cheap enough for a reload. Asking
/// for a key that is not declared, or by the wrong getter, is a bug of ours and ends the process.
class Values {
 public:
  [[nodiscard]] bool flag(std::string_view key) const;
  [[nodiscard]] std::int64_t integer(std::string_view key) const;
  /// Milliseconds.
  [[nodiscard]] Millis duration(std::string_view key) const;
  /// Bytes.
  [[nodiscard]] std::uint64_t bytes(std::string_view key) const;
  [[nodiscard]] Rate rate(std::string_view key) const;
  [[nodiscard]] const std::string& text(std::string_view key) const;
  [[nodiscard]] const std::vector<std::string>& list(std::string_view key) const;
  /// Empty when not set. With Property::hex_bytes: the decoded bytes.
  [[nodiscard]] const Secret& secret(std::string_view key) const;

  [[nodiscard]] bool has(std::string_view key) const { return values_.contains(key); }
  [[nodiscard]] const std::map<std::string, Value, std::less<>>& all() const { return values_; }
  void set(std::string_view key, Value value) {
    values_.insert_or_assign(std::string(key), std::move(value));
  }
  /// 16 hex digits over keys and shown values; secrets count as "***".
  [[nodiscard]] std::string hash() const;
  /// {"key":{"value":…,"origin":…},…} for /config.
  [[nodiscard]] std::string to_json() const;

 private:
  [[nodiscard]] const Value& at(std::string_view key) const;
  std::map<std::string, Value, std::less<>> values_;
};

/// Keys that every daemon has: [host], [log], [tls].
std::span<const Property> common_properties();
/// common_properties() and the daemon's own, in that order.
std::vector<Property> with_common(std::span<const Property> own);

std::string_view kind_name(Kind kind);
std::string_view source_name(Source source);
/// "HY_ENTRY_MAX_CONNECTIONS" for "entry.max_connections".
std::string env_name(std::string_view key);
/// 'from "1s" to "1h"', 'at least 1', '"mysql" or "embedded"'; empty = no bound.
std::string allowed_range(const Property& property);

/// FNV-1a, 64 bit, as 16 hex digits: tells two configurations apart, protects nothing.
std::string fingerprint(std::string_view text);

}  // namespace hy::config
