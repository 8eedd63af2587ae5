#include "das/lane/workers.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "common/base/random.h"
#include "das/engines/embedded/embedded_engine.h"

/// Lanes and readers on the embedded engine, offered to from several threads at once: what
/// ThreadSanitizer looks at (tests/run tsan).
namespace hy::das {
namespace {

constexpr std::uint64_t kOfferers = 4;
constexpr std::uint64_t kEach = 200;

class Facts final : public StoreCall {
 public:
  explicit Facts(MonoTime deadline) : StoreCall(deadline) {}
  Status run(StoreSession& session) override {
    const auto facts = session.facts();
    ok = facts.has_value();
    return {};
  }
  void refuse(const Error&) override {}
  [[nodiscard]] std::optional<ReadMark> read_mark() const override { return std::nullopt; }
  void marked(const Result<ReadMarked>&) override {}
  void finish() override {}
  bool ok = false;
};

class WorkersTest : public testing::Test, public LaneObserver {
 protected:
  WorkersTest() {
    std::string name = (std::filesystem::temp_directory_path() / "hy-workers-XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
  }
  ~WorkersTest() override { std::filesystem::remove_all(folder_); }

  void lane_works(std::size_t) override { ++works_; }
  void lane_failed(std::size_t, const Error&) override { ++failures_; }
  void batch_done(std::size_t, bool, std::size_t, std::size_t, std::chrono::nanoseconds) override {}
  void waited(std::chrono::nanoseconds) override {}
  void stamped(std::int64_t) override {}
  void resolved(std::size_t) override {}
  Status look(std::size_t, StoreSession&) override { return {}; }

  void offer_from_many_threads(std::size_t lanes, std::size_t conversations);

  std::filesystem::path folder_;
  SystemClock clock_;
  std::atomic<int> works_{0};
  std::atomic<int> failures_{0};
};

/// Four threads offer to `lanes` lanes, for so many conversations in turn.
void WorkersTest::offer_from_many_threads(std::size_t lanes, std::size_t conversations) {
  embedded::EmbeddedEngine engine({.file = folder_ / "store.db"}, clock_);
  ASSERT_TRUE(engine.schema_apply() && engine.start());
  std::vector<ConversationId> pairs;
  {
    auto session = engine.open_writer();
    ASSERT_TRUE(session);
    const auto made = (*session)->accounts().create(std::vector<NewAccount>(conversations + 1));
    ASSERT_TRUE(made);
    for (std::size_t i = 1; i <= conversations; ++i) {
      pairs.push_back(ConversationId::pair(*made->front(), *(*made)[i]));
      ASSERT_TRUE((*session)->membership().open_pair(*made->front(), *(*made)[i]));
    }
  }
  std::mutex mutex;
  std::condition_variable changed;
  std::map<std::uint64_t, Result<Stored>> answers;
  std::size_t reads = 0;
  std::size_t good_reads = 0;
  const CompletionSink sink = [&](Completion done) {
    const std::scoped_lock guard(mutex);
    for (AppendDone& one : done.appends) {
      const bool first = answers.emplace(one.ticket, std::move(one.answer)).second;
      EXPECT_TRUE(first) << "answered twice: " << one.ticket;
    }
    for (const auto& call : done.calls) {
      ++reads;
      good_reads += static_cast<const Facts&>(*call).ok ? 1 : 0;
    }
    changed.notify_all();
  };
  WorkerOptions options;
  options.lanes = lanes;
  Workers workers(
      options, engine, clock_, [] { return std::make_unique<SeededRandom>(1); }, *this, sink);
  workers.start();
  // hy-das offers from its loop alone; a lane's own queue takes any thread.
  std::mutex loop;
  std::vector<std::thread> threads;
  for (std::uint64_t t = 0; t < kOfferers; ++t) {
    threads.emplace_back([&, t] {
      for (std::uint64_t i = 0; i < kEach; ++i) {
        const std::uint64_t ticket = t * kEach + i + 1;
        const ConversationId& conv = pairs[ticket % pairs.size()];
        AppendRequest request;
        request.ticket = ticket;
        request.arrived = clock_.now();
        request.pending.deadline = clock_.now() + Millis{30'000};
        request.pending.item.conv = conv;
        request.pending.item.sender = Uid{t % 2 == 0 ? conv.hi : conv.lo};
        put_be(request.pending.item.client_msg_id.bytes.data(), ticket);
        request.pending.item.member_version = 1;
        request.pending.item.body.bytes = "text";
        Completion refused;
        {
          const std::scoped_lock guard(loop);
          std::vector<AppendRequest> one;
          one.push_back(std::move(request));
          workers.offer(std::move(one), refused);
          workers.offer_read(std::make_unique<Facts>(clock_.now() + Millis{30'000}), refused);
        }
        (void)workers.queued();
        EXPECT_TRUE(refused.appends.empty() && refused.calls.empty());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  {
    std::unique_lock lock(mutex);
    ASSERT_TRUE(changed.wait_for(lock, std::chrono::seconds(60), [&] {
      return answers.size() == kOfferers * kEach && reads == kOfferers * kEach;
    }));
  }
  workers.stop();
  std::map<std::uint64_t, std::set<std::uint64_t>> seqs;
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::uint64_t> last;
  for (const auto& [ticket, answer] : answers) {
    ASSERT_TRUE(answer) << ticket;
    const std::uint64_t conv = ticket % conversations;
    EXPECT_TRUE(seqs[conv].insert(answer->seq.value()).second) << "a seq twice";
    std::uint64_t& before = last[{conv, (ticket - 1) / kEach}];
    EXPECT_GT(answer->seq.value(), before) << "the order of offer";
    before = answer->seq.value();
  }
  for (const auto& [conv, of_one] : seqs) EXPECT_EQ(*of_one.rbegin(), of_one.size()) << "dense";
  EXPECT_EQ(good_reads, kOfferers * kEach);
  EXPECT_EQ(failures_, 0);
}

TEST_F(WorkersTest, ManyThreadsOfferAndEverythingIsStoredOnceAndDense) {
  offer_from_many_threads(1, 1);
}

TEST_F(WorkersTest, WithSeveralLanesEachConversationStaysInOrder) {
  offer_from_many_threads(3, 17);
}

TEST_F(WorkersTest, WithSeveralLanesOneConversationStaysInOrder) {
  offer_from_many_threads(2, 1);
}

}  // namespace
}  // namespace hy::das
