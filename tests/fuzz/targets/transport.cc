// Streams of records that somebody on the way has changed: the first record that is not the next
// one, unchanged, is refused, and a refusal moves neither counter nor key.
#include "tests/fuzz/channel.h"

namespace hy::fuzz {
namespace {

constexpr std::size_t kRecords = 6;

struct Recorded {
  wire::Transport receiver;  ///< before the first record
  wire::Transport wrong_way;
  std::vector<Bytes> frames;
};

Recorded record(std::uint8_t suite) {
  Channel c = channel(suite);
  Recorded out{c.server, c.client, {}};
  for (std::size_t i = 0; i < kRecords; ++i) {
    Bytes frame;
    const Bytes body(i * 40, static_cast<char>('a' + i));
    law(wire::seal_frame(
            c.client,
            {.type = 0x0101, .request_id = static_cast<std::uint32_t>(i), .body = as_bytes(body)},
            {.padding = i % 2 == 0 ? wire::Padding::kOn : wire::Padding::kOff}, frame)
            .has_value(),
        "a frame can be sealed");
    out.frames.push_back(std::move(frame));
  }
  return out;
}

const Recorded& recorded(std::uint8_t suite) {
  static const Recorded gcm = record(1);
  static const Recorded chacha = record(2);
  return suite == 1 ? gcm : chacha;
}

Result<std::uint32_t> open(wire::Transport& transport, Bytes bytes) {
  wire::FrameDecoder decoder;
  auto rest = writable(bytes);
  HY_TRY(const auto frame, decoder.next(rest, wire::ReadState::kServerOpen));
  if (!frame || !rest.empty()) return fail(Errc::kBadFrame, {});
  Bytes scratch;
  HY_TRY(const auto inner,
         wire::open_frame(transport, *frame, wire::Compression::kAllowed, scratch));
  return inner.request_id;
}

/// Each two bytes are a deed: take the next record, or another one, flipped, cut or joined.
void run(ByteView input) {
  Reader reader(input);
  const std::uint8_t suite = reader.u8() % 2 == 0 ? 1 : 2;
  const Recorded& r = recorded(suite);
  const bool is_right_way = (reader.u8() & 1) == 0;
  wire::Transport receiver = is_right_way ? r.receiver : r.wrong_way;
  std::size_t next = 0;
  while (!reader.empty()) {
    const std::uint8_t what = reader.u8();
    const std::size_t which = reader.u8() % kRecords;
    Bytes bytes = r.frames[which];
    switch (what % 5) {
      case 0: break;  // replayed, reordered, dropped, or just the next one
      case 1: bytes[reader.u8() % bytes.size()] ^= static_cast<char>(1 << reader.u8() % 8); break;
      case 2: bytes.resize(bytes.size() - 1 - reader.u8() % bytes.size()); break;
      case 3: bytes += r.frames[reader.u8() % kRecords]; break;
      default: bytes = copy_of(reader.take(reader.u8())); break;
    }
    const std::uint64_t before = receiver.received_frames();
    const auto opened = open(receiver, bytes);
    if (!opened) {
      law(receiver.received_frames() == before, "n does not move when a record is refused");
      // The stricter rule of TCP: the connection is over. The state is still the one before.
      if (is_right_way && next < kRecords) {
        law(open(receiver, r.frames[next]).has_value(), "a refusal has not moved the key");
      }
      return;
    }
    law(is_right_way, "a direction has its own keys");
    law(next < kRecords && bytes == r.frames[next], "only the next record, unchanged, is accepted");
    law(*opened == next, "it says what was sealed");
    ++next;
    law(receiver.received_frames() == before + 1, "n counts records");
  }
}

std::vector<Seed> seeds() {
  std::vector<Seed> out;
  for (const char suite : {'\0', '\1'}) {
    const std::string name = suite == 0 ? "gcm" : "chacha";
    const Bytes start{suite, '\0'};
    Bytes orderly = start;
    for (char i = 0; i < static_cast<char>(kRecords); ++i) orderly += Bytes{'\0', i};
    out.emplace_back("orderly-" + name, orderly);
    out.emplace_back("replay-" + name, start + Bytes{'\0', '\0', '\0', '\0'});
    out.emplace_back("reorder-" + name, start + Bytes{'\0', '\1', '\0', '\0'});
    out.emplace_back("drop-" + name, start + Bytes{'\0', '\0', '\0', '\2'});
    out.emplace_back("flip-" + name, start + Bytes{'\1', '\0', '\x11', '\3'});
    out.emplace_back("flip-header-" + name, start + Bytes{'\1', '\0', '\x0f', '\0'});
    out.emplace_back("cut-" + name, start + Bytes{'\2', '\0', '\0'});
    out.emplace_back("join-" + name, start + Bytes{'\3', '\0', '\1'});
    out.emplace_back("wrong-way-" + name, Bytes{suite, '\1', '\0', '\0'});
  }
  return out;
}

HY_FUZZ_TARGET(transport, run, seeds, 256);

}  // namespace
}  // namespace hy::fuzz
