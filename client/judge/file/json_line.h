#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "client/judge/history.h"
#include "common/base/result.h"

namespace hy::judge {

/// One parsed line. The only face of the JSON library. A field that is missing or has another type
/// gives a zero and is remembered as the line's error; the first one wins.
class JsonLine {
 public:
  struct Impl;
  explicit JsonLine(std::string_view text);
  explicit JsonLine(std::unique_ptr<Impl> impl);
  ~JsonLine();
  JsonLine(const JsonLine&) = delete;
  JsonLine& operator=(const JsonLine&) = delete;

  [[nodiscard]] const std::string& error() const { return error_; }
  void refuse(std::string why);

  [[nodiscard]] bool has(std::string_view key) const;
  /// Missing means false.
  bool is_set(std::string_view key);
  std::uint64_t number(std::string_view key, std::uint64_t max = UINT64_MAX);
  std::uint32_t small(std::string_view key) {
    return static_cast<std::uint32_t>(number(key, UINT32_MAX));
  }
  std::int64_t signed_number(std::string_view key);
  std::string text(std::string_view key);
  std::uint8_t one_of(std::string_view key, std::span<const std::string_view> words);
  ClientMsgId cmid(std::string_view key);
  ConversationId conv(std::string_view key);
  DeviceKey device(std::string_view key);
  Slot slot(std::string_view key);
  /// Each element of an array of arrays.
  void each(std::string_view key, const std::function<void(JsonLine&)>& f);
  std::uint64_t number_at(std::size_t i);
  ClientMsgId cmid_at(std::size_t i);
  ConversationId conv_at(std::size_t i);

 private:
  std::unique_ptr<Impl> impl_;
  std::string error_;
};

/// 32 hex digits.
std::string conv_text(const ConversationId& conv);

/// Calls `f` with each line and its number from 1; a last line without newline is left out. Errors:
/// kInternal when the file cannot be read; kMalformedBody with file, line and reason when a line is
/// no JSON object or `f` refused it.
Status each_line(const std::filesystem::path& file,
                 const std::function<void(JsonLine&, std::uint64_t)>& f);

}  // namespace hy::judge
