#include "client/bench/histogram.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include "common/base/bytes.h"

namespace hy::bench {
namespace {

// HdrHistogram's layout for 3 significant digits and a unit of 1: 2,048
// sub-buckets.
constexpr int kSubBucketBits = 11;
constexpr std::int64_t kSubBuckets = 1 << kSubBucketBits;
constexpr std::int64_t kHalf = kSubBuckets / 2;
constexpr int kDigits = 3;

constexpr int bucket_count() {
  int buckets = 1;
  for (std::int64_t smallest = kSubBuckets; smallest <= Histogram::kHighest; smallest <<= 1)
    ++buckets;
  return buckets;
}
constexpr auto kCounts = static_cast<std::size_t>((bucket_count() + 1) * kHalf);

// org.HdrHistogram.AbstractHistogram: V2EncodingCookieBase,
// V2CompressedEncodingCookieBase.
constexpr std::uint32_t kCookie = 0x1c84'9313;
constexpr std::uint32_t kCompressedCookie = 0x1c84'9314;
constexpr std::size_t kHeaderBytes = 40;

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

std::string to_base64(const Bytes& in) {
  std::string out;
  out.reserve((in.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < in.size(); i += 3) {
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 3; ++k)
      group = group << 8 | (i + k < in.size() ? static_cast<std::uint8_t>(in[i + k]) : 0U);
    for (std::size_t k = 0; k < 4; ++k)
      out += i + k > in.size() ? '=' : kAlphabet[group >> (18 - 6 * k) & 63];
  }
  return out;
}

bool from_base64(const std::string& in, Bytes& out) {
  std::uint32_t bits = 0;
  int have = 0;
  for (const char c : in) {
    if (c == '=') break;
    const std::size_t value = kAlphabet.find(c);
    if (value == std::string_view::npos) return false;
    bits = bits << 6 | static_cast<std::uint32_t>(value);
    have += 6;
    if (have >= 8) out.push_back(static_cast<char>(bits >> (have -= 8)));
  }
  return true;
}

/// ZigZag LEB128 in at most 9 bytes, the last of which is whole (HdrHistogram's
/// ZigZagEncoding).
void put_zigzag(Bytes& out, std::int64_t value) {
  auto v = static_cast<std::uint64_t>(value) << 1 ^ static_cast<std::uint64_t>(value >> 63);
  for (int i = 0; i < 8 && v >= 0x80; ++i, v >>= 7) out.push_back(static_cast<char>(v | 0x80));
  out.push_back(static_cast<char>(v));
}

bool get_zigzag(const Bytes& in, std::size_t& at, std::int64_t& value) {
  std::uint64_t v = 0;
  for (int i = 0; i < 9; ++i) {
    if (at >= in.size()) return false;
    const auto byte = static_cast<std::uint8_t>(in[at++]);
    if (i == 8) {
      v |= static_cast<std::uint64_t>(byte) << 56;
      break;
    }
    v |= static_cast<std::uint64_t>(byte & 0x7F) << (7 * i);
    if (byte < 0x80) break;
  }
  value = static_cast<std::int64_t>(v >> 1) ^ -static_cast<std::int64_t>(v & 1);
  return true;
}

template <class T>
void put(Bytes& out, T value) {
  std::uint8_t bytes[sizeof value];
  put_be(bytes, value);
  out.append(reinterpret_cast<const char*>(bytes), sizeof value);
}

template <class T>
T get(const Bytes& in, std::size_t at) {
  return get_be<T>(reinterpret_cast<const std::uint8_t*>(in.data()) + at);
}

Bytes deflate_all(const Bytes& in) {
  uLongf size = compressBound(in.size());
  Bytes out(size, '\0');
  compress2(reinterpret_cast<Bytef*>(out.data()), &size, reinterpret_cast<const Bytef*>(in.data()),
            in.size(), Z_BEST_SPEED);
  out.resize(size);
  return out;
}

bool inflate_all(const Bytes& in, std::size_t from, Bytes& out) {
  // 9 bytes a count at the most: what does not fit is no histogram of this
  // layout.
  uLongf size = kHeaderBytes + 9 * kCounts;
  out.resize(size);
  const int code = uncompress(reinterpret_cast<Bytef*>(out.data()), &size,
                              reinterpret_cast<const Bytef*>(in.data()) + from, in.size() - from);
  out.resize(size);
  return code == Z_OK;
}

}  // namespace

Histogram::Histogram() : counts_(kCounts, 0) {}

std::size_t Histogram::index_of(std::int64_t us) {
  const int bucket =
      static_cast<int>(std::bit_width(static_cast<std::uint64_t>(us) | (kSubBuckets - 1))) -
      kSubBucketBits;
  const std::int64_t sub = us >> bucket;
  return static_cast<std::size_t>((static_cast<std::int64_t>(bucket) + 1) * kHalf + sub - kHalf);
}

std::int64_t Histogram::highest_of(std::size_t index) {
  const auto i = static_cast<std::int64_t>(index);
  if (i < kSubBuckets) return i;
  const auto bucket = i / kHalf - 1;
  const std::int64_t sub = i % kHalf + kHalf;
  return ((sub + 1) << bucket) - 1;
}

void Histogram::record(std::int64_t us, std::uint64_t times) {
  const std::int64_t value = std::clamp<std::int64_t>(us, 0, kHighest);
  counts_[index_of(value)] += times;
  total_ += times;
  sum_ += static_cast<double>(value) * static_cast<double>(times);
  min_ = std::min(min_, value);
  max_ = std::max(max_, value);
}

void Histogram::merge(const Histogram& other) {
  if (other.total_ == 0) return;
  for (std::size_t i = 0; i < kCounts; ++i) counts_[i] += other.counts_[i];
  total_ += other.total_;
  sum_ += other.sum_;
  min_ = std::min(min_, other.min_);
  max_ = std::max(max_, other.max_);
}

void Histogram::clear() {
  if (total_ > 0) std::ranges::fill(counts_, 0);
  total_ = 0;
  sum_ = 0;
  min_ = kHighest;
  max_ = 0;
}

double Histogram::mean() const {
  return total_ == 0 ? 0 : sum_ / static_cast<double>(total_);
}

std::int64_t Histogram::at(double percentile) const {
  if (total_ == 0) return 0;
  const double exact = std::clamp(percentile, 0.0, 100.0) / 100 * static_cast<double>(total_);
  // Rounded up, but not for the dust of the division: 99.9 % of 1,000 is the
  // 999th.
  const auto rank = std::max<std::uint64_t>(1, static_cast<std::uint64_t>(std::ceil(exact - 1e-6)));
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < kCounts; ++i) {
    seen += counts_[i];
    if (seen >= rank) return std::min(highest_of(i), max_);
  }
  return max_;
}

std::uint64_t Histogram::count_above(std::int64_t us) const {
  std::uint64_t out = 0;
  for (std::size_t i = index_of(std::clamp<std::int64_t>(us, 0, kHighest)) + 1; i < kCounts; ++i)
    out += counts_[i];
  return out;
}

std::string Histogram::encode() const {
  Bytes counts;
  const std::size_t end = total_ == 0 ? 0 : index_of(max_) + 1;
  for (std::size_t i = 0; i < end;) {
    if (counts_[i] != 0) {
      put_zigzag(counts, static_cast<std::int64_t>(counts_[i++]));
      continue;
    }
    std::int64_t zeros = 0;
    for (; i < end && counts_[i] == 0; ++i) ++zeros;
    put_zigzag(counts, zeros == 1 ? 0 : -zeros);
  }
  Bytes plain;
  put(plain, kCookie);
  put(plain, static_cast<std::uint32_t>(counts.size()));
  put(plain, std::uint32_t{0});  // normalizing index offset
  put(plain, std::uint32_t{kDigits});
  put(plain, std::uint64_t{1});  // lowest discernible value
  put(plain, static_cast<std::uint64_t>(kHighest));
  put(plain,
      std::bit_cast<std::uint64_t>(1.0));  // integer-to-double conversion ratio
  plain += counts;
  const Bytes packed = deflate_all(plain);
  Bytes out;
  put(out, kCompressedCookie);
  put(out, static_cast<std::uint32_t>(packed.size()));
  return to_base64(out + packed);
}

Result<Histogram> Histogram::decode(const std::string& text) {
  Bytes packed;
  Bytes plain;
  if (!from_base64(text, packed) || packed.size() < 8 ||
      get<std::uint32_t>(packed, 0) != kCompressedCookie || !inflate_all(packed, 8, plain) ||
      plain.size() < kHeaderBytes || get<std::uint32_t>(plain, 0) != kCookie)
    return fail(Errc::kMalformedBody, "not a compressed V2 histogram");
  if (get<std::uint32_t>(plain, 12) != kDigits || get<std::uint64_t>(plain, 16) != 1)
    return fail(Errc::kMalformedBody, "a histogram of another precision");
  Histogram out;
  std::size_t index = 0;
  for (std::size_t at = kHeaderBytes; at < plain.size();) {
    std::int64_t value = 0;
    if (!get_zigzag(plain, at, value))
      return fail(Errc::kMalformedBody, "the histogram ends within a number");
    if (value < 0) {
      index += static_cast<std::size_t>(-value);
      continue;
    }
    if (index >= kCounts) return fail(Errc::kMalformedBody, "more counts than values");
    if (value > 0) out.record(highest_of(index), static_cast<std::uint64_t>(value));
    ++index;
  }
  return out;
}

std::string log_head(double start_unix_s) {
  return fmt::format(
      "#[Histogram log format version 1.3]\n#[StartTime: {:.3f} "
      "(seconds since epoch)]\n"
      "#[values are microseconds]\n"
      "\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\","
      "\"Interval_Compressed_Histogram\"\n",
      start_unix_s);
}

std::string log_line(const std::string& tag, double start_s, double length_s, const Histogram& h) {
  return fmt::format("Tag={},{:.3f},{:.3f},{:.3f},{}\n", tag, start_s, length_s,
                     static_cast<double>(h.max()) / 1'000, h.encode());
}

}  // namespace hy::bench
