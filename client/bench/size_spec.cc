#include "client/bench/size_spec.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numbers>

#include "common/base/ids.h"

namespace hy::bench {
namespace {

constexpr std::size_t kOffsets = 64 * 1'024;
constexpr std::size_t kNumberDigits = 8;

bool parse_count(std::string_view text, std::uint32_t& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size() && out <= SizeSpec::kMax;
}

/// In (0, 1], from 64 bits.
double unit(std::uint64_t bits) {
  return (static_cast<double>(bits >> 11) + 1) * 0x1p-53;
}

}  // namespace

Result<SizeSpec> SizeSpec::parse(std::string_view text) {
  SizeSpec out;
  out.text_ = text;
  const std::size_t colon = text.find(':');
  const std::string_view kind = text.substr(0, colon);
  if (colon == std::string_view::npos) {
    if (parse_count(text, out.low_) && out.low_ >= kMin) {
      out.high_ = out.low_;
      return out;
    }
  } else if (kind == "lognormal") {
    out.kind_ = Kind::kLogNormal;
    if (parse_count(text.substr(colon + 1), out.low_) && out.low_ >= kMin) return out;
  } else if (kind == "uniform") {
    out.kind_ = Kind::kUniform;
    const std::string_view range = text.substr(colon + 1);
    const std::size_t dash = range.find('-');
    if (dash != std::string_view::npos && parse_count(range.substr(0, dash), out.low_) &&
        parse_count(range.substr(dash + 1), out.high_) && out.low_ >= kMin && out.low_ <= out.high_)
      return out;
  }
  return fail(Errc::kUsage, "size is BYTES, uniform:LOW-HIGH or lognormal:MEDIAN, 8 to 16384: " +
                                std::string(text));
}

std::uint32_t SizeSpec::bytes(std::uint64_t key) const {
  if (kind_ == Kind::kFixed) return low_;
  const std::uint64_t first = mix64(key);
  if (kind_ == Kind::kUniform) return low_ + static_cast<std::uint32_t>(first % (high_ - low_ + 1));
  // Box and Muller (1958).
  const double normal =
      std::sqrt(-2 * std::log(unit(first))) * std::cos(2 * std::numbers::pi * unit(mix64(first)));
  const double drawn = static_cast<double>(low_) * std::exp(normal);
  return static_cast<std::uint32_t>(std::clamp(drawn, double{kMin}, double{kMax}));
}

BodyMaker::BodyMaker(std::uint64_t run) : run_(run) {
  constexpr std::string_view kLetters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 ,";
  static_assert(kLetters.size() == 64);
  text_.reserve(kOffsets + SizeSpec::kMax);
  for (std::uint64_t i = 0; text_.size() < kOffsets + SizeSpec::kMax; ++i) {
    std::uint64_t bits = mix64(run ^ i);
    for (int k = 0; k < 10; ++k, bits >>= 6) text_ += kLetters[bits & 63];
  }
}

std::uint64_t BodyMaker::key_of(std::uint64_t sender, std::uint32_t number) const {
  return mix64(run_ ^ sender) ^ number;
}

std::string_view BodyMaker::filling(std::uint64_t key, std::uint32_t bytes) const {
  return std::string_view(text_).substr(mix64(~key) % kOffsets, bytes - kNumberDigits);
}

std::string_view BodyMaker::make(std::uint64_t sender, std::uint32_t number, const SizeSpec& size) {
  constexpr std::string_view kHex = "0123456789abcdef";
  const std::uint64_t key = key_of(sender, number);
  body_.resize(kNumberDigits);
  for (std::size_t i = 0; i < kNumberDigits; ++i) body_[i] = kHex[number >> (28 - 4 * i) & 15];
  body_ += filling(key, size.bytes(key));
  return body_;
}

std::uint32_t BodyMaker::number_of(std::string_view body) {
  std::uint32_t number = 0;
  if (body.size() < kNumberDigits) return 0;
  const auto [end, error] = std::from_chars(body.data(), body.data() + kNumberDigits, number, 16);
  return error == std::errc() && end == body.data() + kNumberDigits ? number : 0;
}

bool BodyMaker::is_right(std::string_view body, std::uint64_t sender, const SizeSpec& size) {
  const std::uint32_t number = number_of(body);
  if (number == 0) return false;
  const std::uint64_t key = key_of(sender, number);
  const std::uint32_t bytes = size.bytes(key);
  return body.size() == bytes && body.substr(kNumberDigits) == filling(key, bytes);
}

}  // namespace hy::bench
