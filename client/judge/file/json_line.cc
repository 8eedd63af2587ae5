#include "client/judge/file/json_line.h"

#include <fmt/format.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

namespace hy::judge {
namespace {

using Json = nlohmann::json;

std::optional<ClientMsgId> cmid_from(std::string_view hex) {
  const auto bytes = from_hex(hex);
  if (!bytes || bytes->size() != 16) return std::nullopt;
  return ClientMsgId::from_bytes(*bytes);
}
std::optional<ConversationId> conv_from(std::string_view hex) {
  const auto bytes = from_hex(hex);
  if (!bytes || bytes->size() != 16) return std::nullopt;
  return ConversationId::from_bytes(*bytes);
}
std::optional<std::uint64_t> number_from(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

struct JsonLine::Impl {
  Json json;
};

JsonLine::JsonLine(std::string_view text) : impl_(std::make_unique<Impl>()) {
  impl_->json = Json::parse(text, nullptr, false);
  if (!impl_->json.is_object()) refuse("no JSON object");
}
JsonLine::JsonLine(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
JsonLine::~JsonLine() = default;

void JsonLine::refuse(std::string why) {
  if (error_.empty()) error_ = std::move(why);
}

namespace {

const Json* find(const Json& json, std::string_view key) {
  if (!json.is_object()) return nullptr;
  const auto at = json.find(key);
  return at == json.end() ? nullptr : &*at;
}

}  // namespace

bool JsonLine::has(std::string_view key) const {
  return find(impl_->json, key) != nullptr;
}

bool JsonLine::is_set(std::string_view key) {
  const Json* const value = find(impl_->json, key);
  if (value == nullptr) return false;
  if (!value->is_boolean()) refuse(fmt::format("{} is no boolean", key));
  return value->is_boolean() && value->get<bool>();
}

std::uint64_t JsonLine::number(std::string_view key, std::uint64_t max) {
  const Json* const value = find(impl_->json, key);
  if (value == nullptr || !value->is_number_unsigned() || value->get<std::uint64_t>() > max) {
    refuse(fmt::format("{} is no number from 0 to {}", key, max));
    return 0;
  }
  return value->get<std::uint64_t>();
}

std::int64_t JsonLine::signed_number(std::string_view key) {
  const Json* const value = find(impl_->json, key);
  const bool is_too_large = value != nullptr && value->is_number_unsigned() &&
                            value->get<std::uint64_t>() > static_cast<std::uint64_t>(INT64_MAX);
  if (value == nullptr || !value->is_number_integer() || is_too_large) {
    refuse(fmt::format("{} is no number of 64 bits", key));
    return 0;
  }
  return value->get<std::int64_t>();
}

std::string JsonLine::text(std::string_view key) {
  const Json* const value = find(impl_->json, key);
  if (value == nullptr || !value->is_string()) {
    refuse(fmt::format("{} is no text", key));
    return "";
  }
  return value->get<std::string>();
}

std::uint8_t JsonLine::one_of(std::string_view key, std::span<const std::string_view> words) {
  const std::string word = text(key);
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i] == word) return static_cast<std::uint8_t>(i);
  }
  refuse(fmt::format("{} cannot be \"{}\"", key, word));
  return 0;
}

ClientMsgId JsonLine::cmid(std::string_view key) {
  const auto id = cmid_from(text(key));
  if (!id) refuse(fmt::format("{} is no message id", key));
  return id.value_or(ClientMsgId{});
}

ConversationId JsonLine::conv(std::string_view key) {
  const auto id = conv_from(text(key));
  if (!id) refuse(fmt::format("{} is no conversation", key));
  return id.value_or(ConversationId{});
}

DeviceKey JsonLine::device(std::string_view key) {
  const std::string all = text(key);
  const std::size_t first = all.find('.');
  const std::size_t last = all.rfind('.');
  if (first == std::string::npos || first == last) {
    refuse(fmt::format("{} is no device", key));
    return {};
  }
  const auto uid = number_from(std::string_view(all).substr(0, first));
  const Slot slot = slot_from_name(std::string_view(all).substr(first + 1, last - first - 1));
  const auto number = number_from(std::string_view(all).substr(last + 1));
  if (!uid || slot == Slot::kNone || !number || *number > UINT32_MAX) {
    refuse(fmt::format("{} is no device", key));
    return {};
  }
  return {Uid{*uid}, slot, static_cast<std::uint32_t>(*number)};
}

Slot JsonLine::slot(std::string_view key) {
  const Slot slot = slot_from_name(text(key));
  if (slot == Slot::kNone) refuse(fmt::format("{} is no slot", key));
  return slot;
}

void JsonLine::each(std::string_view key, const std::function<void(JsonLine&)>& f) {
  const Json* const list = find(impl_->json, key);
  if (list == nullptr || !list->is_array()) {
    refuse(fmt::format("{} is no list", key));
    return;
  }
  for (const Json& element : *list) {
    auto impl = std::make_unique<Impl>();
    impl->json = element;
    JsonLine line(std::move(impl));
    if (!element.is_array()) line.refuse("no list");
    f(line);
    if (!line.error().empty()) refuse(fmt::format("{}: {}", key, line.error()));
  }
}

std::uint64_t JsonLine::number_at(std::size_t i) {
  const Json& json = impl_->json;
  if (!json.is_array() || i >= json.size() || !json[i].is_number_unsigned()) {
    refuse(fmt::format("element {} is no number", i));
    return 0;
  }
  return json[i].get<std::uint64_t>();
}

ClientMsgId JsonLine::cmid_at(std::size_t i) {
  const Json& json = impl_->json;
  const bool is_text = json.is_array() && i < json.size() && json[i].is_string();
  const auto id = is_text ? cmid_from(json[i].get<std::string>()) : std::nullopt;
  if (!id) refuse(fmt::format("element {} is no message id", i));
  return id.value_or(ClientMsgId{});
}

ConversationId JsonLine::conv_at(std::size_t i) {
  const Json& json = impl_->json;
  const bool is_text = json.is_array() && i < json.size() && json[i].is_string();
  const auto id = is_text ? conv_from(json[i].get<std::string>()) : std::nullopt;
  if (!id) refuse(fmt::format("element {} is no conversation", i));
  return id.value_or(ConversationId{});
}

std::string conv_text(const ConversationId& conv) {
  return fmt::format("{:016x}{:016x}", conv.hi, conv.lo);
}

Status each_line(const std::filesystem::path& file,
                 const std::function<void(JsonLine&, std::uint64_t)>& f) {
  std::ifstream in(file, std::ios::binary);
  if (!in) return fail(Errc::kInternal, file.string() + ": " + std::strerror(errno));
  std::string text;
  for (std::uint64_t n = 1; std::getline(in, text); ++n) {
    if (in.eof()) break;  // no newline: its writer died in the middle
    JsonLine line(text);
    if (line.error().empty()) f(line, n);
    if (!line.error().empty())
      return fail(Errc::kMalformedBody, fmt::format("{}:{}: {}", file.string(), n, line.error()));
  }
  if (in.bad()) return fail(Errc::kInternal, file.string() + ": " + std::strerror(errno));
  return {};
}

}  // namespace hy::judge
