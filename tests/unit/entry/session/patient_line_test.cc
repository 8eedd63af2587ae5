#include "entry/session/patient_line.h"

#include <gtest/gtest.h>

#include <vector>

namespace hy::entry {
namespace {

struct Line {
  PatientLine line{Millis{50}};
  std::vector<std::uint64_t> gone;
  void release(std::uint32_t now_ms, bool all = false) {
    line.release(now_ms, all, [this](ConnId conn, std::uint32_t) { gone.push_back(conn.value()); });
  }
};

TEST(PatientLine, EachLeavesAfterItsOwnPatienceInItsOrder) {
  Line l;
  l.line.add(ConnId{1}, 100);
  l.line.add(ConnId{2}, 120);
  l.release(149);
  EXPECT_TRUE(l.gone.empty());
  l.release(150);
  EXPECT_EQ(l.gone, (std::vector<std::uint64_t>{1}));
  l.release(170);
  EXPECT_EQ(l.gone, (std::vector<std::uint64_t>{1, 2}));
  EXPECT_TRUE(l.line.empty());
}

TEST(PatientLine, AllLeaveAtOnceWhereThereIsNoNeedToWait) {
  Line l;
  l.line.add(ConnId{1}, 100);
  l.line.add(ConnId{2}, 101);
  l.release(101, true);
  EXPECT_EQ(l.gone.size(), 2U);
}

TEST(PatientLine, TheClockMayWrapAround) {
  Line l;
  l.line.add(ConnId{1}, 0xFFFF'FFF0U);
  l.release(0xFFFF'FFFFU);
  EXPECT_TRUE(l.gone.empty());
  l.release(40);
  EXPECT_EQ(l.gone.size(), 1U);
}

}  // namespace
}  // namespace hy::entry
