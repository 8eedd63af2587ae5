// The decompressor: never more out than the cap and the ratio allow, whatever a bomb claims.
#include "common/base/limits.h"
#include "common/base/random.h"
#include "common/wire/compression.h"
#include "tests/fuzz/target.h"

namespace hy::fuzz {
namespace {

/// "It stops within 16 KiB of the bound that was broken" (common/wire/compression.h).
constexpr std::size_t kSlack = 16 * 1'024;

void run(ByteView input) {
  Bytes out;
  const auto done = wire::decompress_body(input, out);
  const std::size_t ratio_cap = input.size() * limits::kDecompressRatioMax;
  const std::size_t cap = std::min<std::size_t>(ratio_cap, limits::kDecompressedBytesMax);
  law(out.size() <= cap + kSlack && out.capacity() <= limits::kDecompressedBytesMax + 2 * kSlack,
      "no more memory than the cap");
  if (done) {
    law(out.size() >= limits::kCompressFromBytes && out.size() <= cap,
        "what is accepted is within cap and ratio");
  }
  // The other way round: what we compress, we take.
  Bytes compressed;
  if (wire::compress_body(input, compressed)) {
    law(compressed.size() < input.size(), "compressed is smaller");
    Bytes back;
    law(wire::decompress_body(as_bytes(compressed), back).has_value() && as_text(input) == back,
        "what was compressed comes back");
  }
}

std::vector<Seed> seeds() {
  std::vector<Seed> out;
  SeededRandom random(3);
  const auto add = [&](const std::string& name, const Bytes& text) {
    Bytes compressed;
    if (wire::compress_body(as_bytes(text), compressed)) out.emplace_back(name, compressed);
  };
  Bytes words;
  while (words.size() < 6'000) {
    words += "word" + std::to_string(random.below(50)) + " ";
  }
  add("words", words.substr(0, 1'500));
  add("words-long", words);
  Bytes half;
  for (int i = 0; i < 1'200; ++i) half += static_cast<char>(random.below(16) + 'a');
  add("letters", half);
  out.emplace_back("plain-text", words.substr(0, 1'100));
  // RLE blocks of zstd (RFC 8878 §3.1.1.2): the cheapest bomb, 4 bytes for up to 128 KiB.
  const Bytes head{'\x28', '\xb5', '\x2f', '\xfd', '\x00', '\x38'};
  Bytes bomb = head;
  for (int i = 0; i < 20; ++i) bomb += Bytes{'\x02', '\x00', '\x10', 'A'};
  out.emplace_back("rle-bomb", bomb);
  out.emplace_back("rle-last", head + Bytes{'\x03', '\x20', '\x00', 'A'});
  // A frame that claims 2^62 bytes of content.
  out.emplace_back("size-claim", Bytes{'\x28', '\xb5', '\x2f', '\xfd', '\xe0', '\0', '\0', '\0',
                                       '\0', '\0', '\0', '\0', '\x40', '\x01', '\0', '\0'});
  // A window of 2 GiB.
  out.emplace_back("window",
                   Bytes{'\x28', '\xb5', '\x2f', '\xfd', '\x00', '\xa8', '\x01', '\0', '\0'});
  // Two frames, a skippable frame.
  if (!out.empty()) out.emplace_back("two-frames", out[0].second + out[0].second);
  out.emplace_back("skippable", Bytes{'\x50', '\x2a', '\x4d', '\x18', '\4', '\0', '\0', '\0', 'a',
                                      'b', 'c', 'd'});
  return out;
}

HY_FUZZ_TARGET(decompress, run, seeds, 16'384);

}  // namespace
}  // namespace hy::fuzz
