#include <algorithm>
#include <array>
#include <atomic>
#include <map>
#include <thread>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/contract/contract.h"

/// Several writers on one conversation, readers beside them, and processes that die.
namespace hy::das::contract {

class ConcurrencyContract : public EngineContract {
 protected:
  struct Seen {
    ClientMsgId id;
    Seq seq;
  };
  /// Appends `batches` batches through a planner of its own, as a lane does; some ids are sent
  /// twice. Lock waits are tried again, as the senders' devices do.
  static std::vector<Seen> lane(StoreSession& session, const Clock& clock, const Pair& p,
                                std::uint64_t seed, int batches) {
    SeededRandom random(seed);
    AppendPlanner planner(clock, 1'000);
    std::vector<PendingAppend> again;
    std::vector<Seen> stored;
    for (int i = 0; i < batches || !again.empty(); ++i) {
      std::vector<PendingAppend> batch = std::exchange(again, {});
      while (i < batches && batch.size() < 1 + random.below(8)) {
        AppendItem item;
        item.conv = p.conv;
        item.sender = random.below(2) == 0 ? p.a : p.b;
        random.fill(item.client_msg_id.bytes);
        item.payload_hash = hash_of("x");
        item.member_version = p.version;
        item.body.bytes = "x";
        batch.push_back({item, {}});
        if (random.below(4) == 0) batch.push_back({item, {}});
      }
      for (PendingAppend& one : batch) one.deadline = clock.now() + Millis{20'000};
      const BatchOutcome outcome = planner.run(session.messages(), batch);
      for (std::size_t k = 0; k < batch.size(); ++k) {
        const auto& answer = outcome.verdicts[k].answer;
        if (answer)
          stored.push_back({batch[k].item.client_msg_id, answer->seq});
        else if (answer.error().code == Errc::kOverloaded)
          again.push_back(batch[k]);
        else
          ADD_FAILURE() << error_text(answer.error().code, answer.error().detail);
      }
      if (outcome.broken) ADD_FAILURE() << outcome.why_broken.detail;
    }
    return stored;
  }

  void expect_log_is(const Pair& p, const std::vector<std::vector<Seen>>& lanes) {
    const auto log = whole_log(*reader_, p.a, p.conv);
    expect_dense(log);
    std::map<ClientMsgId, Seq> told;
    for (const auto& seen : lanes)
      for (const Seen& one : seen) {
        const auto [it, fresh] = told.emplace(one.id, one.seq);
        EXPECT_EQ(it->second, one.seq) << "two answers for one id";
      }
    ASSERT_EQ(log.size(), told.size());
    for (const StoredMessage& message : log) EXPECT_EQ(told[message.client_msg_id], message.seq);
  }
};

TEST_P(ConcurrencyContract, TwoLanesOnOneConversationStayDense) {
  const Pair p = new_pair();
  std::vector<std::unique_ptr<StoreSession>> sessions;
  for (int i = 0; i < 3; ++i) sessions.push_back(new_writer());
  std::vector<std::vector<Seen>> seen(sessions.size());
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < sessions.size(); ++i)
      threads.emplace_back([&, i] { seen[i] = lane(*sessions[i], clock_, p, 100 + i, 40); });
  }
  expect_log_is(p, seen);
}

TEST_P(ConcurrencyContract, TwoLanesSendingTheSameIdsStoreEachOnce) {
  const Pair p = new_pair();
  auto one = new_writer();
  auto two = new_writer();
  std::vector<Seen> first;
  std::vector<Seen> second;
  {
    std::jthread a([&] { first = lane(*one, clock_, p, 5, 30); });
    std::jthread b([&] { second = lane(*two, clock_, p, 5, 30); });
  }
  expect_log_is(p, {first, second});
}

TEST_P(ConcurrencyContract, TwoDasOnOneStoreStayDense) {
  if (!store_->is_shared()) {
    EXPECT_CODE(store_->open(), Errc::kStoreLocked);
    return;
  }
  const Pair p = new_pair();
  auto other = store_->open();
  ASSERT_OK(other);
  auto two = new_writer(**other);
  std::vector<Seen> first;
  std::vector<Seen> second;
  {
    std::jthread a([&] { first = lane(*writer_, clock_, p, 11, 60); });
    std::jthread b([&] { second = lane(*two, clock_, p, 12, 60); });
  }
  two.reset();
  expect_log_is(p, {first, second});
}

TEST_P(ConcurrencyContract, ManyConversationsInOppositeOrdersDoNotStick) {
  const auto who = people(9);
  std::vector<Pair> pairs;
  for (std::size_t i = 1; i < who.size(); ++i) pairs.push_back(pair(who[0], who[i]));
  std::atomic<int> stored{0};
  const auto run = [&](std::uint64_t seed) {
    SeededRandom random(seed);
    auto session = engine_->open_writer();
    AppendPlanner planner(clock_, 100);
    for (int round = 0; round < 30; ++round) {
      std::vector<PendingAppend> batch;
      for (std::size_t i = 0; i < pairs.size(); ++i) {
        const Pair& p = pairs[seed % 2 == 0 ? i : pairs.size() - 1 - i];
        AppendItem item;
        item.conv = p.conv;
        item.sender = p.a;
        random.fill(item.client_msg_id.bytes);
        item.member_version = p.version;
        batch.push_back({item, clock_.now() + Millis{20'000}});
      }
      const auto outcome = planner.run((*session)->messages(), batch);
      for (const auto& verdict : outcome.verdicts) stored += verdict.answer ? 1 : 0;
    }
  };
  {
    std::jthread a([&] { run(1); });
    std::jthread b([&] { run(2); });
  }
  EXPECT_EQ(stored.load(), 2 * 30 * 8);
  for (const Pair& p : pairs) expect_dense(whole_log(*reader_, p.b, p.conv));
}

TEST_P(ConcurrencyContract, PullWhileAppendingNeverShowsAHole) {
  const Pair p = new_pair();
  std::atomic<bool> done{false};
  std::jthread writer([&] {
    auto session = engine_->open_writer();
    lane(**session, clock_, p, 77, 120);
    done = true;
  });
  std::uint64_t highest = 0;
  int pulls = 0;
  while (!done || pulls == 0) {
    PullQuery query = range(p.b, p.conv, 1, 0);
    query.messages_max = 100'000;
    query.bytes_max = 100'000'000;
    const auto slice = reader_->messages().pull(query);
    ASSERT_OK(slice);
    ++pulls;
    ASSERT_EQ(slice->messages.size(), slice->head.value()) << "head and rows of one view";
    expect_dense(slice->messages);
    ASSERT_GE(slice->head.value(), highest) << "the head went back";
    highest = slice->head.value();
  }
  EXPECT_GT(pulls, 3);
}

TEST_P(ConcurrencyContract, PairsAreOpenedOnceByTwoAtATime) {
  const auto who = people(20);
  auto other = new_writer();
  const auto open_all = [&](StoreSession& session) {
    for (const Uid a : who)
      for (const Uid b : who)
        if (a != b) {
          auto facts = session.membership().open_pair(a, b);
          for (int tries = 0; !facts && tries < 5; ++tries)
            facts = session.membership().open_pair(a, b);
          ASSERT_OK(facts);
          EXPECT_EQ(facts->member_version, 1U);
        }
  };
  std::jthread a([&] { open_all(*writer_); });
  open_all(*other);
}

TEST_P(ConcurrencyContract, UserEventsStayDenseUnderTwoWriters) {
  const auto who = people(9);
  const Uid me = who[0];
  std::vector<Pair> pairs;
  for (std::size_t i = 1; i < who.size(); ++i) {
    pairs.push_back(pair(who[i], me));
    for (int k = 0; k < 20; ++k) must_append(message(pairs.back(), "x"));
  }
  auto other = new_writer();
  const auto mark = [&](StoreSession& session, std::size_t parity) {
    for (std::uint64_t seq = 1; seq <= 20; ++seq)
      for (std::size_t i = parity; i < pairs.size(); i += 2) {
        const ReadMark one{me, pairs[i].conv, Seq{seq}};
        auto marked = session.membership().mark_read({&one, 1});
        for (int tries = 0; !marked && tries < 5; ++tries)
          marked = session.membership().mark_read({&one, 1});
        ASSERT_OK(marked);
      }
  };
  {
    std::jthread a([&] { mark(*writer_, 0); });
    std::jthread b([&] { mark(*other, 1); });
  }
  const auto events = reader_->user_log().read(me, Useq{0}, 500);
  ASSERT_OK(events);
  ASSERT_EQ(events->events.size(), 160U);
  for (std::size_t i = 0; i < events->events.size(); ++i)
    EXPECT_EQ(events->events[i].useq.value(), i + 1);
}

/// What a page says about itself, store_ms and useq_head, was true before its rows were read: what
/// the rows do not show is found by the next SYNC.
TEST_P(ConcurrencyContract, APageIsNotOlderThanItsClockAndItsHeadOfEvents) {
  const Pair p = new_pair();
  must_append(message(p, p.b, "x"));
  constexpr std::size_t kMessages = 400;
  std::vector<std::int64_t> committed_ms(2, clock_.wall_ms());  // by seq; the answer was there then
  std::atomic<bool> is_done = false;
  std::jthread other([&] {
    for (std::uint64_t seq = 2; seq <= kMessages; ++seq) {
      // Useq n moves the mark to n.
      const ReadMark mark{p.a, p.conv, Seq{seq - 1}};
      EXPECT_TRUE(writer_->membership().mark_read({&mark, 1}).has_value());
      EXPECT_TRUE(writer_->messages().append_one(message(p, p.b, "x")).has_value());
      committed_ms.push_back(clock_.wall_ms());
    }
    is_done = true;
  });
  std::vector<ConversationPage> pages;
  ListQuery query;
  query.uid = p.a;
  query.limit = 10;
  while (!is_done) {
    const auto page = reader_->membership().list_conversations(query);
    ASSERT_OK(page);
    pages.push_back(*page);
  }
  other.join();
  for (const ConversationPage& page : pages) {
    ASSERT_EQ(page.rows.size(), 1U);
    EXPECT_GE(page.rows[0].read_seq.value(), page.useq_head.value());
    const std::uint64_t missed = page.rows[0].head.value() + 1;
    if (missed < committed_ms.size()) {
      EXPECT_LE(page.store_ms, committed_ms[missed]);
    }
  }
}

/// G1: everything that a das answered is there after SIGKILL, and the log is dense.
TEST_P(ConcurrencyContract, WhatWasAnsweredSurvivesSigkill) {
  if (!store_->is_seen_by_children())
    GTEST_SKIP() << "this store lives in the test's memory; its own crash is tested in "
                    "model_faults_test.cc";
  const Pair p = new_pair();
  reader_.reset();
  writer_.reset();
  engine_.reset();
  std::vector<ClientMsgId> answered;
  for (std::uint64_t round = 0; round < 4; ++round) {
    int pipe_ends[2];
    ASSERT_EQ(::pipe(pipe_ends), 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      auto engine = store_->open();
      if (!engine) ::_exit(3);
      auto session = (*engine)->open_writer();
      if (!session) ::_exit(4);
      SeededRandom random(round);
      for (;;) {
        std::vector<AppendItem> items(1 + random.below(20));
        std::vector<const AppendItem*> pointers;
        for (AppendItem& item : items) {
          item.conv = p.conv;
          item.sender = p.a;
          random.fill(item.client_msg_id.bytes);
          item.member_version = p.version;
          pointers.push_back(&item);
        }
        if ((*session)->messages().append_fast(pointers).result != FastResult::kStored) ::_exit(5);
        for (const AppendItem& item : items)
          if (::write(pipe_ends[1], item.client_msg_id.bytes.data(), 16) != 16) ::_exit(6);
      }
    }
    ::close(pipe_ends[1]);
    // Killed somewhere inside: after so many answers, which differ by round.
    std::array<std::uint8_t, 16> id{};
    std::size_t wanted = 100 + 57 * round;
    while (::read(pipe_ends[0], id.data(), id.size()) == static_cast<ssize_t>(id.size())) {
      answered.push_back({id});
      if (--wanted == 0) ::kill(child, SIGKILL);
    }
    ::close(pipe_ends[0]);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the child ended by itself: " << WEXITSTATUS(status);
  }
  auto engine = store_->open();
  ASSERT_OK(engine);
  engine_ = std::move(*engine);
  reader_ = new_reader();
  const auto log = whole_log(*reader_, p.a, p.conv);
  expect_dense(log);
  EXPECT_GE(log.size(), answered.size());
  std::map<ClientMsgId, int> stored;
  for (const StoredMessage& message : log) ++stored[message.client_msg_id];
  for (const ClientMsgId& id : answered) EXPECT_EQ(stored[id], 1) << id.to_hex();
}

INSTANTIATE_TEST_SUITE_P(Engines, ConcurrencyContract, testing::ValuesIn(message_log_stores()),
                         store_name);

}  // namespace hy::das::contract
