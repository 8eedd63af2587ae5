// The life of a connection under every order of events that its driver can bring: no event makes a
// state that is not on the way, an unauthenticated connection has an end, PING keeps nothing alive.
#include "entry/session/conn_fsm.h"

#include "entry/ports/traffic.h"
#include "tests/fuzz/target.h"

namespace hy::fuzz {
namespace {

using entry::ConnFsm;
using entry::ConnState;
using entry::HelloAction;
using entry::InnerAction;

bool takes(ConnState state, wire::Outer command, bool after_notice) {
  switch (state) {
    case ConnState::kHello:
      return command == wire::Outer::kHello ||
             (after_notice && command == wire::Outer::kHandshake1);
    case ConnState::kHandshake: return command == wire::Outer::kHandshake1;
    case ConnState::kClosed: return false;
    default: return command == wire::Outer::kData;
  }
}

/// What the entry's I/O thread does with a frame, without sockets and keys.
class Connection {
 public:
  void frame(wire::Outer command, Reader& reader) {
    if (fsm_.state() == ConnState::kClosed) return;
    const auto number = static_cast<std::uint32_t>(command);
    const bool legal = wire::body_bytes_max(fsm_.read_state(), number).has_value();
    law(legal == takes(fsm_.state(), command, awaits_discarded_), "a state takes its own frames");
    if (!legal) return close();
    if (command == wire::Outer::kHello) return hello(reader);
    if (command == wire::Outer::kHandshake1) return handshake(reader);
    inner(reader);
  }
  void hello(Reader& reader) {
    const std::uint8_t flags = reader.u8();
    const auto action = fsm_.on_hello((flags & 1) != 0, (flags & 2) != 0);
    if (action == HelloAction::kProceed) {
      law((flags & 1) != 0 && fsm_.state() == ConnState::kHandshake, "a known key proceeds");
      awaits_discarded_ = false;
    } else if (action == HelloAction::kNotice) {
      law(++notices_ == 1, "one KEY_NOTICE a connection");
      awaits_discarded_ = true;
    } else {
      close();
    }
  }
  void handshake(Reader& reader) {
    const bool expected_discard = awaits_discarded_;
    awaits_discarded_ = false;
    if (!fsm_.on_handshake()) {
      law(expected_discard, "exactly one HANDSHAKE_1 is discarded, behind a KEY_NOTICE");
      return;
    }
    law(!expected_discard, "the one behind a KEY_NOTICE is discarded");
    if ((reader.u8() & 1) == 0) return close();  // the tag was wrong
    fsm_.on_channel_up();
    law(fsm_.channel_is_up() && fsm_.is_unauthenticated(), "a channel is no login");
  }
  void inner(Reader& reader) {
    const ConnState before = fsm_.state();
    const std::uint16_t type = reader.u16();
    const auto verdict = fsm_.on_inner(type, reader.u8());
    switch (verdict.action) {
      case InnerAction::kLogin:
        law(before == ConnState::kLogin && type == entry::inner_type::kLogin,
            "one LOGIN at a time");
        break;
      case InnerAction::kForward:
      case InnerAction::kPushAck:
        law(before == ConnState::kOpen || before == ConnState::kDraining,
            "nothing is forwarded before a login");
        law((type & 0xC000) == 0, "answers and notifications do not come from clients");
        break;
      case InnerAction::kRefuse: law(verdict.code != Errc::kOk, "a refusal has a code"); break;
      case InnerAction::kClose:
        law(verdict.code != Errc::kOk, "a close has a code");
        close();
        break;
    }
  }
  /// Answers of logic and the hub come only while a LOGIN is under way.
  void login_answer(Reader& reader) {
    if (fsm_.state() != ConnState::kLoggingIn) return;
    if ((reader.u8() & 1) != 0) {
      fsm_.on_opened();
      law(fsm_.is_open() && !fsm_.is_unauthenticated(), "opened is open");
      return;
    }
    const bool stays = fsm_.on_login_refused();
    ++refused_;
    law(stays == (refused_ < 3), "three refused logins end a connection");
    if (!stays) close();
  }
  void time(Reader& reader) {
    const entry::ConnTimes times;
    age_ = std::max(age_, Millis{reader.u16()});
    const Errc code = fsm_.overdue(age_, times);
    if (fsm_.state() == ConnState::kClosed) return;
    law((code != Errc::kOk) ==
            (fsm_.next_check(times).count() > 0 && age_ >= fsm_.next_check(times)),
        "overdue says the same as next_check");
    if (fsm_.is_unauthenticated() && age_ >= times.login_within) {
      law(code != Errc::kOk, "an unauthenticated connection has an end");
    }
    if (fsm_.is_open()) law(code == Errc::kOk, "a login has no age here");
    if (code != Errc::kOk) close();
  }
  void drain() { fsm_.on_draining(); }
  void close() { fsm_.on_closed(); }

 private:
  ConnFsm fsm_;
  Millis age_{0};
  int notices_ = 0;
  int refused_ = 0;
  bool awaits_discarded_ = false;
};

void run(ByteView input) {
  Reader reader(input);
  Connection connection;
  while (!reader.empty()) {
    const std::uint8_t event = reader.u8() % 10;
    if (event < 6)
      connection.frame(static_cast<wire::Outer>(event), reader);
    else if (event == 6)
      connection.login_answer(reader);
    else if (event == 7)
      connection.time(reader);
    else if (event == 8)
      connection.drain();
    else
      connection.frame(wire::Outer::kData, reader);
  }
}

std::vector<Seed> seeds() {
  using namespace std::string_literals;
  const Bytes hello = "\1\1"s;
  const Bytes up = hello + "\3\1"s;
  const Bytes login = "\5\0\1\0"s;
  const Bytes open = up + login + "\6\1"s;
  return {{"hello", hello},
          {"login", open},
          {"forward", open + "\5\1\1\0\5\2\1\0"s},
          {"push-ack", open + "\5\1\2\0"s},
          {"login-twice", open + login},
          {"ping-before-login", up + "\5\0\3\0"s},
          {"ping-during-login", up + login + "\5\0\3\0"s},
          {"refused-thrice", up + login + "\6\0"s + login + "\6\0"s + login + "\6\0"s},
          {"notice", "\1\2\3\1\1\1\3\1"s + login},
          {"notice-without-pipeline", "\1\2\1\1\3\1"s + login},
          {"notice-twice", "\1\2\3\1\1\2"s},
          {"no-notice", "\1\0"s},
          {"late-hello", "\7\x13\x88"s + hello},
          {"late-login", up + "\7\x27\x10"s + login},
          {"drain", open + "\x08\5\1\1\0"s},
          {"answer-bit", open + "\5\x80\3\0"s},
          {"notification-bit", open + "\5\x40\1\0"s},
          {"data-first", "\5\0\1\0"s},
          {"handshake-first", "\3\1"s}};
}

HY_FUZZ_TARGET(conn_fsm, run, seeds, 512);

}  // namespace
}  // namespace hy::fuzz
