#include "common/wire/hello.h"

#include <algorithm>

#include "common/wire/channel_suite.h"

namespace hy::wire {
namespace {

constexpr std::size_t kHelloBytes = 16;
constexpr std::size_t kHelloWithTicketBytes = 32;

}  // namespace

void append_hello(const Hello& hello, Bytes& out) {
  std::array<std::uint8_t, kHelloWithTicketBytes> body{};
  body[0] = hello.suite;
  body[1] = hello.pattern;
  put_be(body.data() + 2, hello.flags);
  put_be(body.data() + 4, hello.sdk);
  std::copy(hello.key_id.begin(), hello.key_id.end(), body.begin() + 8);
  if (hello.ticket) std::copy(hello.ticket->begin(), hello.ticket->end(), body.begin() + 16);
  append_frame(Outer::kHello,
               ByteView(body).first(hello.ticket ? kHelloWithTicketBytes : kHelloBytes), out);
}

Result<Hello> parse_hello(ByteView body) {
  if (body.size() != kHelloBytes && body.size() < kHelloWithTicketBytes)
    return fail(Errc::kBadFrame, "HELLO of " + std::to_string(body.size()) + " bytes");
  Hello hello{.suite = body[0],
              .pattern = body[1],
              .flags = get_be<std::uint16_t>(body.data() + 2),
              .sdk = get_be<std::uint32_t>(body.data() + 4)};
  std::copy_n(body.begin() + 8, hello.key_id.size(), hello.key_id.begin());
  if (find_suite(hello.suite) == nullptr || hello.pattern != kPatternNk)
    return fail(Errc::kUnsupportedSuite);
  if (body.size() >= kHelloWithTicketBytes) {
    hello.ticket.emplace();
    std::copy_n(body.begin() + 16, hello.ticket->size(), hello.ticket->begin());
  }
  return hello;
}

Bytes hello_prologue(ByteView header, ByteView body) {
  Bytes out(as_text(header));
  out.append(as_text(body));
  return out;
}

}  // namespace hy::wire
