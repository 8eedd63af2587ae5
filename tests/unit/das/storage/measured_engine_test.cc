#include "das/storage/measured_engine.h"

#include <gtest/gtest.h>

#include <map>

#include "tests/unit/das/fake_engine.h"

namespace hy::das {
namespace {

class Counts final : public OpObserver {
 public:
  void op_done(StoreOp op, Errc code, std::chrono::nanoseconds) override {
    ++ops[op];
    if (code != Errc::kOk) ++failures[op];
  }
  void counters_read(std::size_t known_now, std::size_t) override { known += known_now; }
  std::map<StoreOp, int> ops;
  std::map<StoreOp, int> failures;
  std::size_t known = 0;
};

TEST(MeasuredEngine, CountsAndPassesEverythingThrough) {
  fake::Store store;
  fake::ManualClock clock;
  Counts counts;
  MeasuredEngine engine(std::make_unique<fake::FakeEngine>(store), clock, counts);
  auto session = engine.open_writer();
  ASSERT_TRUE(session.has_value());
  const AppendItem one = fake::item(1);
  EXPECT_EQ((*session)->messages().append_one(one)->stored.seq.value(), 1U);
  const AppendItem* pointer = &one;
  EXPECT_EQ((*session)->messages().append_fast({&pointer, 1}).result, FastResult::kRolledBack);
  EXPECT_EQ(counts.ops[StoreOp::kAppendOne], 1);
  EXPECT_EQ(counts.failures[StoreOp::kAppendFast], 1);
  EXPECT_EQ(counts.ops[StoreOp::kOpenSession], 1);
  const Uid uid{1};
  EXPECT_EQ(engine.cache().change_counters({&uid, 1}).front(), 9U);
  EXPECT_EQ(counts.known, 1U);
  store.open_failures.push_back({Errc::kStoreDown, {}, {}});
  EXPECT_FALSE(engine.open_reader().has_value());
  EXPECT_EQ(counts.failures[StoreOp::kOpenSession], 1);
}

TEST(MeasuredEngine, EveryOperationHasItsOwnName) {
  std::map<std::string_view, int> names;
  for (std::size_t i = 0; i < kStoreOps; ++i) ++names[op_name(static_cast<StoreOp>(i))];
  EXPECT_EQ(names.size(), kStoreOps);
  EXPECT_FALSE(names.contains("unknown"));
}

}  // namespace
}  // namespace hy::das
