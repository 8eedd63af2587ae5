// HELLO and HANDSHAKE_1 at the responder, with real keys: only what a client made for this key and
// this HELLO is accepted.
#include "tests/fuzz/channel.h"

namespace hy::fuzz {
namespace {

/// The HANDSHAKE_1 bodies that were issued: everything else has to be refused.
const Bytes& issued(std::uint8_t suite, bool with_payload) {
  static const std::vector<Bytes> all = [] {
    std::vector<Bytes> out;
    for (const std::uint8_t s : {wire::kSuiteAesGcm, wire::kSuiteChaChaPoly}) {
      for (const std::string_view payload : {"", "early"}) {
        Bytes body;
        auto initiator = initiator_of(s, s);
        law(initiator.write_1(as_bytes(payload), body).has_value(), "HANDSHAKE_1 can be written");
        out.push_back(std::move(body));
      }
    }
    return out;
  }();
  return all[(suite - 1U) * 2U + (with_payload ? 1U : 0U)];
}

/// mode: 0, 1 = input is the body, behind the HELLO of suite 1 or 2; 2, 3 = input is xored onto an
/// issued body; 4 = input is HELLO and HANDSHAKE_1, each with its length.
void run(ByteView input) {
  Reader reader(input);
  const std::uint8_t mode = reader.u8() % 5;
  Bytes hello = hello_of(mode % 2 == 0 ? 1 : 2);
  Bytes body;
  if (mode < 2) {
    body = copy_of(reader.rest());
  } else if (mode < 4) {
    body = issued(mode % 2 == 0 ? 1 : 2, (reader.u8() & 1) != 0);
    for (std::size_t at = reader.u8(); !reader.empty(); ++at) {
      body[at % body.size()] = static_cast<char>(body[at % body.size()] ^ reader.u8());
    }
  } else {
    hello = copy_of(reader.take(reader.u8() % 160));
    body = copy_of(reader.rest());
  }
  const auto head = as_bytes(hello).size() >= limits::kHeaderBytes
                        ? as_bytes(hello).subspan(limits::kHeaderBytes)
                        : ByteView{};
  const auto parsed = wire::parse_hello(head);
  if (!parsed) return;
  law(parsed->pattern == wire::kPatternNk, "no pattern but NK");
  const wire::ChannelSuite* suite = wire::find_suite(parsed->suite);
  law(suite != nullptr, "a HELLO that parses names a suite that exists");
  wire::NkResponder responder(*suite, as_bytes(hello), server_key());
  Bytes payload;
  if (!responder.read_1(as_bytes(body), payload)) {
    law(payload.empty(), "nothing is handed out of a HANDSHAKE_1 that failed");
    return;
  }
  law(hello == hello_of(suite->number), "accepted only behind the HELLO that it was made for");
  law(body == issued(suite->number, false) || body == issued(suite->number, true),
      "accepted only what was issued");
}

std::vector<Seed> seeds() {
  std::vector<Seed> out;
  for (const std::uint8_t suite : {wire::kSuiteAesGcm, wire::kSuiteChaChaPoly}) {
    const char mode = static_cast<char>(suite - 1);
    const std::string name = std::to_string(suite);
    out.emplace_back("whole-" + name, Bytes{mode} + issued(suite, false));
    out.emplace_back("payload-" + name, Bytes{mode} + issued(suite, true));
    out.emplace_back("flip-e-" + name, Bytes{static_cast<char>(suite + 1), '\0', '\0', '\1'});
    out.emplace_back("flip-tag-" + name, Bytes{static_cast<char>(suite + 1), '\1', '\x30', '\x80'});
    const Bytes hello = hello_of(suite);
    out.emplace_back("both-" + name,
                     Bytes{'\4', static_cast<char>(hello.size())} + hello + issued(suite, false));
  }
  // Low-order points: zero, one, and two of order eight (Curve25519, RFC 7748 §6.1 on zero checks).
  const auto low = [&](const std::string& name, const std::string& hex) {
    out.emplace_back(name, Bytes{'\0'} + *from_hex(hex) + Bytes(16, '\0'));
  };
  low("low-0", std::string(64, '0'));
  low("low-1", "01" + std::string(62, '0'));
  low("low-8a", "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800");
  low("low-8b", "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157");
  return out;
}

HY_FUZZ_TARGET(handshake, run, seeds, 1'024);

}  // namespace
}  // namespace hy::fuzz
