// Any bytes in any pieces, in each read state: the same frames for every split, and no memory
// beyond the cap of the state.
#include "common/wire/frame_decoder.h"

#include "common/base/random.h"

#include "tests/fuzz/target.h"

namespace hy::fuzz {
namespace {

using wire::ReadState;

struct Seen {
  std::vector<Bytes> frames;
  Errc end = Errc::kOk;
  std::size_t tail = 0;
  friend bool operator==(const Seen&, const Seen&) = default;
};

std::uint32_t cap_of(ReadState state) {
  std::uint32_t cap = 0;
  for (std::uint32_t command = 0; command < 8; ++command) {
    cap = std::max(cap, wire::body_bytes_max(state, command).value_or(0));
  }
  return cap;
}

Seen decode(ByteView input, ReadState state, SeededRandom* splits) {
  Seen seen;
  wire::FrameDecoder decoder;
  const std::size_t cap = cap_of(state) + limits::kHeaderBytes;
  while (!input.empty()) {
    const std::size_t size = splits == nullptr ? input.size() : 1 + splits->below(input.size());
    Bytes piece = copy_of(input.first(size));
    input = input.subspan(size);
    std::span<std::uint8_t> rest = writable(piece);
    for (;;) {
      const auto frame = decoder.next(rest, state);
      law(decoder.tail_bytes() <= cap, "the decoder keeps no more than one frame of its state");
      if (!frame) {
        seen.end = frame.error().code;
        return seen;
      }
      if (!*frame) break;
      law((*frame)->body.size() == (*frame)->header.length, "a frame is as long as it says");
      law((*frame)->body.size() <= cap, "a body is within the cap of its state");
      Bytes whole(as_text((*frame)->header_bytes));
      whole += as_text((*frame)->body);
      seen.frames.push_back(std::move(whole));
    }
    law(rest.empty(), "what is no frame is kept, not left");
  }
  seen.tail = decoder.tail_bytes();
  return seen;
}

void run(ByteView input) {
  Reader reader(input);
  const auto state = static_cast<ReadState>(reader.u8() % 9);
  SeededRandom splits(reader.u16());
  const ByteView bytes = reader.rest();
  const Seen whole = decode(bytes, state, nullptr);
  law(whole == decode(bytes, state, &splits), "every split gives the same frames");
  std::size_t used = 0;
  for (const Bytes& frame : whole.frames) {
    law(bytes.size() >= used + frame.size() && as_text(bytes.subspan(used, frame.size())) == frame,
        "frames are the stream's own bytes, in order");
    used += frame.size();
  }
}

std::vector<Seed> seeds() {
  std::vector<Seed> out;
  for (std::uint8_t state = 0; state < 9; ++state) {
    for (std::uint32_t command = 1; command <= 5; ++command) {
      const auto cap = wire::body_bytes_max(static_cast<ReadState>(state), command);
      if (!cap) continue;
      Bytes stream;
      for (const std::uint32_t size : {0U, 1U, std::min(*cap, 48U)}) {
        wire::append_frame(static_cast<wire::Outer>(command), as_bytes(Bytes(size, 'b')), stream);
      }
      const std::string name = std::to_string(state) + "-" + std::to_string(command);
      out.emplace_back(name, Bytes{static_cast<char>(state), '\0', '\7'} + stream);
    }
  }
  Bytes long_body{'\5', '\0', '\1'};
  wire::append_frame(wire::Outer::kData, as_bytes(Bytes(2'000, 'x')), long_body);
  out.emplace_back("long", long_body);
  return out;
}

HY_FUZZ_TARGET(frame_decoder, run, seeds, 8'192);

}  // namespace
}  // namespace hy::fuzz
