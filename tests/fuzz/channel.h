#pragma once

#include "common/base/random.h"
#include "common/wire/hello.h"
#include "common/wire/inner.h"
#include "common/wire/noise_session.h"
#include "tests/fuzz/target.h"

/// Both ends of one channel, made by a real handshake from a seed.
namespace hy::fuzz {

struct Channel {
  wire::Transport client;
  wire::Transport server;
};

inline const crypto::X25519KeyPair& server_key() {
  static const crypto::X25519KeyPair key = [] {
    SeededRandom random(77);
    return crypto::X25519KeyPair::generate(random);
  }();
  return key;
}

inline Bytes hello_of(std::uint8_t suite) {
  Bytes hello;
  wire::append_hello({.suite = suite, .key_id = wire::key_id(server_key().public_key())}, hello);
  return hello;
}

/// HANDSHAKE_1 as a client with this seed sends it.
inline wire::NkInitiator initiator_of(std::uint8_t suite, std::uint64_t seed) {
  SeededRandom random(seed);
  return {*wire::find_suite(suite), as_bytes(hello_of(suite)), server_key().public_key(),
          crypto::X25519KeyPair::generate(random)};
}

inline Channel make_channel(std::uint8_t suite, std::uint64_t seed) {
  const Bytes hello = hello_of(suite);
  wire::NkInitiator initiator = initiator_of(suite, seed);
  wire::NkResponder responder(*wire::find_suite(suite), as_bytes(hello), server_key());
  SeededRandom random(seed + 1);
  Bytes one;
  Bytes two;
  Bytes payload;
  law(initiator.write_1({}, one).has_value(), "HANDSHAKE_1 can be written");
  law(responder.read_1(as_bytes(one), payload).has_value(), "HANDSHAKE_1 is accepted");
  auto server = responder.write_2(crypto::X25519KeyPair::generate(random), {}, two);
  auto client = initiator.read_2(as_bytes(two), payload);
  law(server.has_value() && client.has_value(), "HANDSHAKE_2 is accepted");
  return {std::move(*client), std::move(*server)};
}

/// The channels of both suites, made once: their keys are all that matters.
inline Channel channel(std::uint8_t suite) {
  static const Channel gcm = make_channel(1, 5);
  static const Channel chacha = make_channel(2, 6);
  return suite == 1 ? gcm : chacha;
}

}  // namespace hy::fuzz
