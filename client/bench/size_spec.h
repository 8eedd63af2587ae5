#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace hy::bench {

/// How long message bodies are: "100", "uniform:20-400" or "lognormal:120"
/// (median 120, as people write: sigma 1).
class SizeSpec {
 public:
  static constexpr std::uint32_t kMin = 8;  ///< a body begins with its number
  static constexpr std::uint32_t kMax = 16 * 1'024;

  SizeSpec() = default;
  /// Errors: kUsage.
  static Result<SizeSpec> parse(std::string_view text);
  /// Bytes of the body that `key` draws: the same for the same key, so that the
  /// receiver knows it.
  [[nodiscard]] std::uint32_t bytes(std::uint64_t key) const;
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  enum class Kind : std::uint8_t { kFixed, kUniform, kLogNormal };
  Kind kind_ = Kind::kFixed;
  std::uint32_t low_ = 100;
  std::uint32_t high_ = 100;
  std::string text_ = "100";
};

/// Bodies that cannot be mistaken for one another: eight hex digits of the
/// number, then a slice of one fixed printable text that does not compress to
/// nothing.
class BodyMaker {
 public:
  explicit BodyMaker(std::uint64_t run);
  /// Body of the n-th message of a person; valid until the next call.
  std::string_view make(std::uint64_t sender, std::uint32_t number, const SizeSpec& size);
  /// The number that a body begins with; 0: none.
  static std::uint32_t number_of(std::string_view body);
  /// The whole body is that of (sender, number).
  bool is_right(std::string_view body, std::uint64_t sender, const SizeSpec& size);

 private:
  [[nodiscard]] std::string_view filling(std::uint64_t key, std::uint32_t bytes) const;
  [[nodiscard]] std::uint64_t key_of(std::uint64_t sender, std::uint32_t number) const;
  std::uint64_t run_;
  std::string text_;
  std::string body_;
};

}  // namespace hy::bench
