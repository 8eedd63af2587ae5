#include "entry/session/conn_fsm.h"

#include <gtest/gtest.h>

#include "entry/ports/traffic.h"

namespace hy::entry {
namespace {

using wire::Outer;

/// What the decoder would say to a header in the machine's present state.
Errc judged(const ConnFsm& fsm, std::uint32_t command, std::uint32_t length) {
  const auto header = wire::pack_header({.command = static_cast<Outer>(command), .length = length});
  const auto parsed = wire::parse_header(header, fsm.read_state());
  return parsed ? Errc::kOk : parsed.error().code;
}
Errc judged(const ConnFsm& fsm, Outer command, std::uint32_t length) {
  return judged(fsm, static_cast<std::uint32_t>(command), length);
}

ConnFsm channel_up() {
  ConnFsm fsm;
  EXPECT_EQ(judged(fsm, Outer::kHello, 16), Errc::kOk);
  EXPECT_EQ(fsm.on_hello(true, false), HelloAction::kProceed);
  EXPECT_EQ(judged(fsm, Outer::kHandshake1, 48), Errc::kOk);
  EXPECT_TRUE(fsm.on_handshake());
  fsm.on_channel_up();
  return fsm;
}

ConnFsm opened() {
  ConnFsm fsm = channel_up();
  EXPECT_EQ(fsm.on_inner(inner_type::kLogin, 0).action, InnerAction::kLogin);
  fsm.on_opened();
  return fsm;
}

TEST(ConnFsm, WalksFromHelloToOpen) {
  ConnFsm fsm = opened();
  EXPECT_TRUE(fsm.is_open());
  EXPECT_EQ(fsm.on_inner(0x0101, 0).action, InnerAction::kForward);
  EXPECT_EQ(fsm.on_inner(inner_type::kPing, 0).action, InnerAction::kForward);
  EXPECT_EQ(fsm.on_inner(inner_type::kPushAck, 0).action, InnerAction::kPushAck);
}

TEST(ConnFsm, OnlyHelloIsLegalFirst) {
  for (const std::uint32_t command : {0U, 2U, 3U, 4U, 5U, 6U, 0xFFFFFFFFU}) {
    EXPECT_EQ(judged(ConnFsm{}, command, 0), Errc::kWrongState) << command;
  }
}

TEST(ConnFsm, LengthIsCappedByState) {
  EXPECT_EQ(judged(ConnFsm{}, Outer::kHello, 129), Errc::kFrameTooLarge);
  EXPECT_EQ(judged(ConnFsm{}, Outer::kHello, 0xFFFFFFFF), Errc::kFrameTooLarge);
  EXPECT_EQ(judged(channel_up(), Outer::kData, 1'024), Errc::kOk);
  EXPECT_EQ(judged(channel_up(), Outer::kData, 1'025), Errc::kFrameTooLarge);
  EXPECT_EQ(judged(opened(), Outer::kData, 65'535), Errc::kOk);
  EXPECT_EQ(judged(opened(), Outer::kData, 65'536), Errc::kFrameTooLarge);
}

TEST(ConnFsm, UnknownKeyWithoutNoticeCloses) {
  ConnFsm fsm;
  EXPECT_EQ(fsm.on_hello(false, false), HelloAction::kClose);
}

TEST(ConnFsm, OneKeyNoticeThenOnePipelinedHandshakeIsDiscarded) {
  ConnFsm fsm;
  EXPECT_EQ(fsm.on_hello(false, true), HelloAction::kNotice);
  EXPECT_EQ(judged(fsm, Outer::kHandshake1, 48), Errc::kOk);
  EXPECT_FALSE(fsm.on_handshake()) << "discarded";
  EXPECT_EQ(judged(fsm, Outer::kHandshake1, 48), Errc::kWrongState);
  EXPECT_EQ(judged(fsm, Outer::kHello, 16), Errc::kOk);
  EXPECT_EQ(fsm.on_hello(true, true), HelloAction::kProceed);
  EXPECT_TRUE(fsm.on_handshake());

  ConnFsm twice;
  EXPECT_EQ(twice.on_hello(false, true), HelloAction::kNotice);
  EXPECT_EQ(twice.on_hello(false, true), HelloAction::kClose);
}

TEST(ConnFsm, NothingButLoginBeforeLogin) {
  for (const std::uint16_t type :
       std::initializer_list<std::uint16_t>{2, 3, 0x0101, 0x0102, 0x0201}) {
    ConnFsm fsm = channel_up();
    const InnerVerdict verdict = fsm.on_inner(type, 0);
    EXPECT_EQ(verdict.action, InnerAction::kClose) << type;
    EXPECT_EQ(verdict.code, Errc::kNotLoggedIn) << type;
  }
  ConnFsm waiting = channel_up();
  EXPECT_EQ(waiting.on_inner(inner_type::kLogin, 0).action, InnerAction::kLogin);
  EXPECT_EQ(waiting.on_inner(inner_type::kPing, 0).action, InnerAction::kClose);
}

TEST(ConnFsm, AnswersAndNotificationsFromAClientClose) {
  for (const std::uint16_t type : std::initializer_list<std::uint16_t>{0x8101, 0x4001, 0xC001}) {
    ConnFsm fsm = opened();
    EXPECT_EQ(fsm.on_inner(type, 0).action, InnerAction::kClose) << type;
  }
}

TEST(ConnFsm, SecondLoginIsRefusedAndLoginFailuresAreCounted) {
  ConnFsm fsm = opened();
  const InnerVerdict verdict = fsm.on_inner(inner_type::kLogin, 0);
  EXPECT_EQ(verdict.action, InnerAction::kRefuse);
  EXPECT_EQ(verdict.code, Errc::kAlreadyLoggedIn);

  ConnFsm failing = channel_up();
  for (const bool goes_on : {true, true, false}) {
    EXPECT_EQ(failing.on_inner(inner_type::kLogin, 0).action, InnerAction::kLogin);
    EXPECT_EQ(failing.on_login_refused(), goes_on);
  }
}

TEST(ConnFsm, TimersAreAbsoluteFromAccept) {
  const ConnTimes times;
  ConnFsm fsm;
  EXPECT_EQ(fsm.next_check(times), Millis{5'000});
  EXPECT_EQ(fsm.overdue(Millis{4'999}, times), Errc::kOk);
  EXPECT_EQ(fsm.overdue(Millis{5'000}, times), Errc::kHandshakeTimeout);
  ConnFsm up = channel_up();
  EXPECT_EQ(up.next_check(times), Millis{10'000});
  EXPECT_EQ(up.overdue(Millis{9'999}, times), Errc::kOk);
  EXPECT_EQ(up.overdue(Millis{10'000}, times), Errc::kLoginTimeout);
  // A failed login does not move the deadline.
  EXPECT_EQ(up.on_inner(inner_type::kLogin, 0).action, InnerAction::kLogin);
  EXPECT_TRUE(up.on_login_refused());
  EXPECT_EQ(up.overdue(Millis{10'000}, times), Errc::kLoginTimeout);
  EXPECT_EQ(opened().overdue(Millis{1'000'000}, times), Errc::kOk);
}

TEST(ConnFsm, ClosedTakesNothing) {
  ConnFsm fsm = opened();
  fsm.on_draining();
  EXPECT_TRUE(fsm.is_open());
  fsm.on_closed();
  EXPECT_FALSE(fsm.is_open());
  EXPECT_EQ(fsm.on_inner(0x0101, 0).action, InnerAction::kClose);
}

}  // namespace
}  // namespace hy::entry
