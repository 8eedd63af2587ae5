#include "tests/sim/store/sim_workers.h"

#include "tests/unit/das/model_bench.h"

/// das's lanes and readers on virtual time.
namespace hy::das {
namespace {

using sim::StoreFault;

/// A read that says what became of it.
class ReadHead final : public StoreCall {
 public:
  ReadHead(MonoTime deadline, Uid uid, ConversationId conv, std::vector<std::uint64_t>& seen)
      : StoreCall(deadline), seen_(seen) {
    query_.uid = uid;
    query_.conv = conv;
    query_.messages_max = query_.bytes_max = 1;
  }
  Status run(StoreSession& session) override {
    HY_TRY(const Slice slice, session.messages().pull(query_));
    head_ = slice.head.value();
    return {};
  }
  void refuse(const Error&) override { head_ = 999; }
  void finish() override { seen_.push_back(head_); }

 private:
  PullQuery query_;
  std::uint64_t head_ = 0;
  std::vector<std::uint64_t>& seen_;
};

class SimWorkersTest : public ModelBench {
 protected:
  void SetUp() override {
    begin();
    loop_.run_for(Millis{100});
  }
};

TEST_F(SimWorkersTest, WhatArrivesDuringATurnIsTheNextBatch) {
  send(1);
  for (std::uint64_t i = 2; i <= 50; ++i) send(i);
  EXPECT_TRUE(answers_.empty()) << "a commit takes time";
  loop_.run_for(Millis{100});
  EXPECT_EQ(batches_, (std::vector<std::size_t>{1, 49}));
  for (std::uint64_t i = 1; i <= 50; ++i) EXPECT_EQ(answers_.at(i)->seq.value(), i);
  EXPECT_EQ(rows(), 50U);
}

TEST_F(SimWorkersTest, AReaderSeesWhatWasAnswered) {
  std::vector<std::uint64_t> seen;
  const auto read = [&] {
    Completion refused;
    workers_->offer_read(std::make_unique<ReadHead>(loop_.now() + Millis{1'000}, b_, conv_, seen),
                         refused);
    EXPECT_TRUE(refused.empty());
  };
  read();
  loop_.run_for(Millis{100});
  send(1);
  loop_.run_for(Millis{100});
  for (int i = 0; i < 20; ++i) read();
  loop_.run_for(Millis{100});
  ASSERT_EQ(seen.size(), 21U);
  EXPECT_EQ(seen.front(), 0U);
  EXPECT_EQ(seen.back(), 1U);
}

TEST_F(SimWorkersTest, WhoDiesBetweenCommitAndAnswerHasCommittedWithoutAnAck) {
  int without_ack = 0;
  int not_stored = 0;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    begin(seed);
    loop_.run_for(Millis{100});
    send(1);
    loop_.run_for(std::chrono::microseconds(700));
    alive_ = false;
    const bool acked = answers_.contains(1);
    start_das(seed + 1'000);
    loop_.run_for(Millis{100});
    if (acked) EXPECT_TRUE(is_stored(1));
    if (!acked && is_stored(1)) ++without_ack;
    if (!is_stored(1)) ++not_stored;
    EXPECT_EQ(answers_.contains(1), acked) << "a dead process answers nothing";
  }
  EXPECT_GT(without_ack, 3);
  EXPECT_GT(not_stored, 3);
}

TEST_F(SimWorkersTest, ABrokenStoreIsNoticedAndItsReturnToo) {
  store_->set_down(true);
  loop_.run_for(Millis{5'000});
  EXPECT_FALSE(failures_.empty());
  send(1);
  loop_.run_for(Millis{10});
  EXPECT_EQ(code(1), Errc::kStoreDown);
  const int before = works_;
  store_->set_down(false);
  loop_.run_for(Millis{5'000});
  EXPECT_GT(works_, before);
  send(2);
  loop_.run_for(Millis{100});
  EXPECT_EQ(code(2), Errc::kOk);
}

TEST_F(SimWorkersTest, AnUnknownCommitIsResolvedWithoutAnybodySeeingIt) {
  store_->plan(StoreFault::kReplyLost);
  send(1);
  loop_.run_for(Millis{100});
  EXPECT_EQ(code(1), Errc::kOk);
  EXPECT_EQ(resolved_, 1U);
  EXPECT_EQ(rows(), 1U);
}

TEST_F(SimWorkersTest, StopCommitsAndAnswersWhatWaits) {
  for (std::uint64_t i = 1; i <= 20; ++i) send(i);
  std::vector<std::uint64_t> seen;
  Completion refused;
  workers_->offer_read(std::make_unique<ReadHead>(loop_.now() + Millis{1'000}, b_, conv_, seen),
                       refused);
  workers_->stop();
  for (std::uint64_t i = 1; i <= 20; ++i) EXPECT_EQ(code(i), Errc::kOk);
  EXPECT_EQ(seen.size(), 1U);
  send(21);
  EXPECT_EQ(code(21), Errc::kDraining);
  loop_.run_for(Millis{10'000});
  EXPECT_EQ(rows(), 20U);
}

/// Everything at once for a while, with two lives of das: nothing answered is lost, no row twice,
/// no hole; and the same seed gives the same log.
TEST_F(SimWorkersTest, UnderAllFaultsTheLogIsDenseAndHoldsWhatWasAnswered) {
  const auto run = [&](std::uint64_t seed, sim::StoreFlavour flavour) {
    begin(seed, flavour);
    sim::StoreFaults faults;
    faults.lock_wait = faults.deadlock = faults.connection_lost = faults.slow = 20'000;
    faults.commit_lost = faults.reply_lost = faults.commit_hangs = faults.full = 20'000;
    store_->set_faults(faults);
    SeededRandom random(seed);
    std::uint64_t ticket = 0;
    for (int step = 0; step < 400; ++step) {
      // Some ids are sent again, as devices do.
      const std::uint64_t number = 1 + random.below(static_cast<std::uint64_t>(step) + 5);
      send(++ticket, message(number), Millis{1'000 + 10 * static_cast<int>(random.below(400))});
      loop_.run_for(std::chrono::microseconds(random.below(20'000)));
      if (step % 100 == 99) store_->crash();
      if (step == 200) start_das(seed + 7);
    }
    store_->set_faults({});
    loop_.run_for(Millis{20'000});
    const auto& log = store_->tables().logs.at(conv_);
    EXPECT_EQ(log.rows.size(), log.seq_of.size()) << "an id twice";
    for (std::size_t i = 0; i < log.rows.size(); ++i) EXPECT_EQ(log.rows[i].seq, i + 1);
    EXPECT_EQ(store_->tables().conversations.at(conv_).head_seq, log.rows.size());
    std::uint64_t hash = 0;
    for (const auto& [one, answer] : answers_) {
      if (answer) EXPECT_NE(log.at(answer->seq.value()), nullptr);
      hash = mix64(hash ^ one ^ (answer ? answer->seq.value() : 1'000'000));
    }
    for (const auto& row : log.rows)
      hash = mix64(hash ^ row.client_msg_id.bytes[7] ^ static_cast<std::uint64_t>(row.server_ms));
    return hash;
  };
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const auto flavour =
        seed % 2 == 0 ? sim::StoreFlavour::kOneWriter : sim::StoreFlavour::kManyWriters;
    loop_ = SimLoop();
    const std::uint64_t first = run(seed, flavour);
    loop_ = SimLoop();
    EXPECT_EQ(run(seed, flavour), first) << "nondeterminism is itself a failure";
  }
}

}  // namespace
}  // namespace hy::das
