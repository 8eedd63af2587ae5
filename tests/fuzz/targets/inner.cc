// The inner header, its padding and its flags, as a logged-in client that does what it likes can
// send them: sealed correctly, content at will.
#include "tests/fuzz/channel.h"

namespace hy::fuzz {
namespace {

void round_trip(Reader& reader) {
  Channel c = channel(1);
  const wire::SealOptions options{
      .padding = (reader.u8() & 1) != 0 ? wire::Padding::kOn : wire::Padding::kOff,
      .compression =
          (reader.u8() & 1) != 0 ? wire::Compression::kAllowed : wire::Compression::kForbidden};
  wire::Inner sent;
  sent.type = reader.u16();
  sent.request_id = reader.u32();
  // Repeated, so that bodies become long enough to be compressed.
  Bytes body;
  const std::size_t times = 1 + reader.u8() % 64U;
  const ByteView piece = reader.rest();
  for (std::size_t i = 0; i < times; ++i) body += as_text(piece);
  sent.body = as_bytes(body);
  Bytes bytes;
  const auto sealed = wire::seal_frame(c.client, sent, options, bytes);
  if (!sealed) {
    law(bytes.empty() && c.client.sent_frames() == 0, "a refused seal leaves no trace");
    return;
  }
  law(bytes.size() <= limits::kHeaderBytes + limits::kBodyBytesMax, "a frame fits the wire");
  wire::FrameDecoder decoder;
  auto rest = writable(bytes);
  const auto frame = decoder.next(rest, wire::ReadState::kServerOpen);
  law(frame.has_value() && frame->has_value() && rest.empty(), "what was sealed is one frame");
  Bytes scratch;
  const auto got = wire::open_frame(c.server, **frame, wire::Compression::kAllowed, scratch);
  law(got.has_value(), "what was sealed opens");
  law(got->type == sent.type && got->request_id == sent.request_id && as_text(got->body) == body &&
          (got->flags & (wire::kFlagCompressed | wire::kFlagPadded)) == 0,
      "it says what was sealed");
}

void run(ByteView input) {
  Reader reader(input);
  if ((reader.u8() & 1) == 0) return round_trip(reader);
  const ByteView text = reader.rest();
  const auto parsed = wire::parse_inner(text);
  // The same text through the whole way: sealed as it is, and opened.
  Channel c = channel(2);
  Bytes bytes(limits::kHeaderBytes + text.size() + limits::kTagBytes, '\0');
  auto* out = reinterpret_cast<std::uint8_t*>(bytes.data());
  wire::pack_header(
      out, {wire::Outer::kData, static_cast<std::uint32_t>(text.size() + limits::kTagBytes)});
  law(c.client.seal(as_bytes(bytes).first(limits::kHeaderBytes), text, out + limits::kHeaderBytes)
          .has_value(),
      "any text can be sealed");
  wire::FrameDecoder decoder;
  auto rest = writable(bytes);
  const auto frame = decoder.next(rest, wire::ReadState::kServerOpen);
  law(frame.has_value() && frame->has_value(), "a sealed text is one frame");
  Bytes scratch;
  const auto opened = wire::open_frame(c.server, **frame, wire::Compression::kForbidden, scratch);
  law(c.server.received_frames() == 1, "its tag was right");
  if (!parsed) {
    law(!opened, "what does not parse does not open");
    return;
  }
  law(parsed->body.size() + limits::kInnerHeaderBytes <= text.size(), "a body lies in its text");
  law((parsed->flags & ~wire::kFlagsKnown) == 0, "unknown flags are refused");
  if ((parsed->flags & wire::kFlagCompressed) != 0) {
    law(!opened, "before login nothing is decompressed");
    return;
  }
  law(opened && opened->type == parsed->type && as_text(opened->body) == as_text(parsed->body),
      "both ways of reading agree");
}

Bytes raw(std::uint16_t type, std::uint16_t flags, std::uint32_t id, const Bytes& rest) {
  Bytes out(1 + limits::kInnerHeaderBytes, '\1');
  auto* p = reinterpret_cast<std::uint8_t*>(out.data()) + 1;
  put_be(p, type);
  put_be(p + 2, flags);
  put_be(p + 4, id);
  return out + rest;
}

std::vector<Seed> seeds() {
  using namespace std::string_literals;
  return {{"plain", raw(0x0101, 0, 1, "body")},
          {"empty", raw(0x0003, 0, 2, "")},
          {"padded", raw(0x0101, 2, 3, "body\0\0\0\0\0\6"s)},
          {"pad-count-0", raw(0x0101, 2, 3, "body\0\0"s)},
          {"pad-count-1", raw(0x0101, 2, 3, "body\0\1"s)},
          {"pad-all", raw(0x0101, 2, 3, "body\0\6"s)},
          {"pad-beyond", raw(0x0101, 2, 3, "body\0\7"s)},
          {"pad-ffff", raw(0x0101, 2, 3, "body\xff\xff"s)},
          {"pad-nothing", raw(0x0101, 2, 3, "")},
          {"pad-one-byte", raw(0x0101, 2, 3, "\2")},
          {"compressed", raw(0x0101, 1, 4, "\x28\xb5\x2f\xfd")},
          {"both", raw(0x0101, 3, 4, "\x28\xb5\x2f\xfd\0\2"s)},
          {"unknown-flag", raw(0x0101, 8, 5, "body")},
          {"short", "\1\1\1\0\0\0\0"s},
          {"trip-plain", "\0\0\0\1\1\0\0\0\7\0hello"s},
          {"trip-padded", "\0\1\0\1\1\0\0\0\7\0hello"s},
          {"trip-compressed", "\0\1\1\1\1\0\0\0\7\x3fhello hello hello hello hello hello"s},
          {"trip-large", "\0\0\1\1\1\0\0\0\7\x3f"s + Bytes(2'000, 'z')}};
}

HY_FUZZ_TARGET(inner, run, seeds, 4'096);

}  // namespace
}  // namespace hy::fuzz
