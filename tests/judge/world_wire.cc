// What the lines carry in a generated history, and what becomes of it when it is played again:
// nothing.
#include "tests/judge/world.h"

namespace hy::judge {
namespace {

using Kind = TappedFrame::Kind;
constexpr std::size_t kConnections = 4;
constexpr std::uint64_t kLogins = 11;

TappedFrame sealed(Kind kind, std::size_t least, SeededRandom& random) {
  TappedFrame out{kind, Bytes(least + random.below(80), '\0')};
  random.fill(std::span(reinterpret_cast<std::uint8_t*>(out.body.data()), out.body.size()));
  return out;
}

TappedConnection connection(std::size_t number, SeededRandom& random) {
  TappedConnection out{"line " + std::to_string(number), {}, {}};
  out.to_server.push_back({Kind::kHello, "HELLO, suite 1"});  // the same on every connection
  out.to_server.push_back(sealed(Kind::kHandshake, 48, random));
  out.to_client.push_back(sealed(Kind::kHandshake, 48, random));
  for (auto* const way : {&out.to_server, &out.to_client}) {
    const std::uint64_t records = 4 + random.below(6);
    for (std::uint64_t i = 0; i < records; ++i) way->push_back(sealed(Kind::kData, 24, random));
  }
  return out;
}

}  // namespace

WireEvidence wire_of(const Evidence& evidence, std::uint64_t seed) {
  SeededRandom random(seed);
  WireEvidence out;
  for (std::size_t i = 0; i < kConnections; ++i) {
    out.taps.push_back(connection(i, random));
    const TappedConnection& tap = out.taps.back();
    for (std::size_t n = 1; n <= tap.to_server.size(); ++n)
      out.playbacks.push_back({std::to_string(n) + " frames of " + tap.name, true, n > 1, 0});
  }
  for (const char* what : {"the text of a message", "a password", "a token"}) {
    Bytes word = what;
    for (int i = 0; i < 16; ++i) word += static_cast<char>('a' + random.below(26));
    out.canaries.push_back({what, std::move(word)});
  }
  out.before = {evidence.store, evidence.routers, evidence.sessions, kLogins};
  out.after = out.before;
  return out;
}

}  // namespace hy::judge
