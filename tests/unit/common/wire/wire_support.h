#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

#include "common/wire/hello.h"
#include "common/wire/inner.h"
#include "common/wire/noise_session.h"

namespace hy::wire {

/// Reaches the counters and keys that no production code may set.
struct TransportTestAccess {
  static void set_send(Transport& t, std::uint64_t n) { t.send_n_ = n; }
  static void set_receive(Transport& t, std::uint64_t n) { t.receive_n_ = n; }
  static crypto::View32 send_key(const Transport& t) { return t.send_key_.reveal(); }
  static crypto::View32 receive_key(const Transport& t) { return t.receive_key_.reveal(); }
};

namespace test {

inline Bytes unhex(std::string_view text) {
  return from_hex(text).value();
}
inline std::span<std::uint8_t> writable(Bytes& bytes) {
  return {reinterpret_cast<std::uint8_t*>(bytes.data()), bytes.size()};
}
inline crypto::Bytes32 key32(std::string_view hex) {
  crypto::Bytes32 out;
  const Bytes raw = unhex(hex);
  std::copy(raw.begin(), raw.end(), out.begin());
  return out;
}

/// Both ends of one channel after a handshake made from a seed.
struct Channel {
  Transport client;
  Transport server;
};

inline Channel make_channel(std::uint8_t suite_number, std::uint64_t seed = 1) {
  SeededRandom random(seed);
  const ChannelSuite& suite = *find_suite(suite_number);
  const auto server_key = crypto::X25519KeyPair::generate(random);
  Bytes hello;
  append_hello({.suite = suite_number, .key_id = key_id(server_key.public_key())}, hello);
  NkInitiator initiator(suite, as_bytes(hello), server_key.public_key(),
                        crypto::X25519KeyPair::generate(random));
  NkResponder responder(suite, as_bytes(hello), server_key);
  Bytes one;
  Bytes two;
  Bytes payload;
  EXPECT_TRUE(initiator.write_1({}, one));
  EXPECT_TRUE(responder.read_1(as_bytes(one), payload));
  auto server = responder.write_2(crypto::X25519KeyPair::generate(random), {}, two);
  auto client = initiator.read_2(as_bytes(two), payload);
  EXPECT_TRUE(server && client);
  EXPECT_EQ(initiator.handshake_hash(), responder.handshake_hash());
  return {std::move(*client), std::move(*server)};
}

/// Feeds `bytes` as one piece to a fresh decoder and opens the one frame in it.
inline Result<Inner> open_bytes(Transport& transport, Bytes& bytes, Bytes& scratch,
                                Compression compression = Compression::kAllowed,
                                ReadState state = ReadState::kServerOpen) {
  FrameDecoder decoder;
  auto rest = writable(bytes);
  HY_TRY(const auto frame, decoder.next(rest, state));
  if (!frame || !rest.empty()) return fail(Errc::kBadFrame, "not one whole frame");
  return open_frame(transport, *frame, compression, scratch);
}

}  // namespace test
}  // namespace hy::wire
