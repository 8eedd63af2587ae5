#include "entry/session/conn_fsm.h"

#include <gtest/gtest.h>

#include "entry/ports/traffic.h"

namespace hy::entry {
namespace {

constexpr std::uint32_t kFirstFrame = 1'024;
constexpr std::uint32_t kHello = 1;
constexpr std::uint32_t kNotice = 2;
constexpr std::uint32_t kHandshake1 = 3;
constexpr std::uint32_t kHandshake2 = 4;
constexpr std::uint32_t kData = 5;
using Kind = OuterVerdict::Kind;

ConnFsm channel_up() {
  ConnFsm fsm;
  EXPECT_EQ(fsm.on_header(kHello, 16, kFirstFrame).kind, Kind::kTake);
  EXPECT_EQ(fsm.on_hello(true, false), HelloAction::kProceed);
  EXPECT_EQ(fsm.on_header(kHandshake1, 48, kFirstFrame).kind, Kind::kTake);
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
  for (const std::uint32_t command :
       {0U, kNotice, kHandshake1, kHandshake2, kData, 6U, 0xFFFFFFFFU}) {
    ConnFsm fsm;
    const OuterVerdict verdict = fsm.on_header(command, 0, kFirstFrame);
    EXPECT_EQ(verdict.kind, Kind::kClose) << command;
    EXPECT_EQ(verdict.code, Errc::kWrongState) << command;
  }
}

TEST(ConnFsm, LengthIsCappedByStateBeforeBuffering) {
  ConnFsm fsm;
  EXPECT_EQ(fsm.on_header(kHello, 129, kFirstFrame).code, Errc::kFrameTooLarge);
  EXPECT_EQ(fsm.on_header(kHello, 0xFFFFFFFF, kFirstFrame).code, Errc::kFrameTooLarge);
  ConnFsm up = channel_up();
  EXPECT_EQ(up.on_header(kData, 1'024, kFirstFrame).kind, Kind::kTake);
  EXPECT_EQ(up.on_header(kData, 1'025, kFirstFrame).code, Errc::kFrameTooLarge);
  ConnFsm open = opened();
  EXPECT_EQ(open.on_header(kData, 65'535, kFirstFrame).kind, Kind::kTake);
  EXPECT_EQ(open.on_header(kData, 65'536, kFirstFrame).code, Errc::kFrameTooLarge);
}

TEST(ConnFsm, UnknownKeyWithoutNoticeCloses) {
  ConnFsm fsm;
  EXPECT_EQ(fsm.on_hello(false, false), HelloAction::kClose);
}

TEST(ConnFsm, OneKeyNoticeThenOnePipelinedHandshakeIsDiscarded) {
  ConnFsm fsm;
  EXPECT_EQ(fsm.on_hello(false, true), HelloAction::kNotice);
  EXPECT_EQ(fsm.on_header(kHandshake1, 48, kFirstFrame).kind, Kind::kDiscard);
  EXPECT_EQ(fsm.on_header(kHandshake1, 48, kFirstFrame).kind, Kind::kClose);

  ConnFsm again;
  EXPECT_EQ(again.on_hello(false, true), HelloAction::kNotice);
  EXPECT_EQ(again.on_header(kHandshake1, 48, kFirstFrame).kind, Kind::kDiscard);
  EXPECT_EQ(again.on_header(kHello, 16, kFirstFrame).kind, Kind::kTake);
  EXPECT_EQ(again.on_hello(true, true), HelloAction::kProceed);

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
  EXPECT_EQ(fsm.on_header(kData, 0, kFirstFrame).kind, Kind::kClose);
  EXPECT_EQ(fsm.on_inner(0x0101, 0).action, InnerAction::kClose);
}

}  // namespace
}  // namespace hy::entry
