#include "logic/password_pool.h"

#include <gtest/gtest.h>

#include <latch>

#include "common/crypto/system_random.h"
#include "logic/config.h"

namespace hy::logic {
namespace {

/// Cheap on purpose: what is tested is the pool.
constexpr crypto::PasswordCost kCheap{.memory_kib = 64, .passes = 1, .lanes = 1};

struct PasswordPoolTest : ::testing::Test {
  /// Runs posted completions on the test's thread until `count` have run.
  void run(std::size_t count) {
    std::unique_lock lock(mutex);
    for (std::size_t ran = 0; ran < count; ++ran) {
      const bool came =
          wake.wait_for(lock, std::chrono::seconds{20}, [this] { return !posted.empty(); });
      ASSERT_TRUE(came);
      auto task = std::move(posted.front());
      posted.pop_front();
      lock.unlock();
      task();
      lock.lock();
    }
  }
  PasswordPool::Post post() {
    return [this](std::move_only_function<void()> task) {
      const std::lock_guard lock(mutex);
      posted.push_back(std::move(task));
      wake.notify_one();
    };
  }
  crypto::SystemRandom random;
  std::mutex mutex;
  std::condition_variable wake;
  std::deque<std::move_only_function<void()>> posted;
};

TEST_F(PasswordPoolTest, HashThenVerify) {
  PasswordPool pool({.threads = 2, .queue_max = 10, .cost = kCheap}, random, post());
  Secret phc;
  pool.hash(Secret("correct horse"), [&phc](Result<Secret> r) { phc = *std::move(r); });
  run(1);
  EXPECT_TRUE(phc.reveal().starts_with("$argon2id$"));
  std::vector<bool> right;
  const auto note = [&right](Result<PasswordPort::Verdict> v) { right.push_back(v->right); };
  pool.verify(Secret("correct horse"), phc, note);
  run(1);
  pool.verify(Secret("wrong horse"), phc, note);
  run(1);
  pool.verify(Secret("correct horse"), Secret{}, note);
  run(1);
  EXPECT_EQ(right, (std::vector{true, false, false}));
}

TEST_F(PasswordPoolTest, CheaperHashIsMadeAgain) {
  const std::string old = *crypto::hash_password(Secret("password"), kCheap, random);
  crypto::PasswordCost dearer = kCheap;
  dearer.memory_kib = 128;
  PasswordPool pool({.threads = 1, .queue_max = 10, .cost = dearer}, random, post());
  Secret rehash;
  pool.verify(Secret("password"), Secret(old),
              [&rehash](Result<PasswordPort::Verdict> v) { rehash = std::move(v->rehash); });
  run(1);
  EXPECT_EQ(crypto::password_cost(rehash.reveal())->memory_kib, 128U);
  rehash.clear();
  pool.verify(Secret("wrong"), Secret(old),
              [&rehash](Result<PasswordPort::Verdict> v) { rehash = std::move(v->rehash); });
  run(1);
  EXPECT_TRUE(rehash.empty());
}

TEST_F(PasswordPoolTest, FullQueueRefusesAtOnce) {
  std::latch release{1};
  const auto blocked_post = [&release, inner = post()](std::move_only_function<void()> task) {
    release.wait();
    inner(std::move(task));
  };
  PasswordPool pool({.threads = 1, .queue_max = 2, .cost = kCheap}, random, blocked_post);
  int refused = 0;
  const auto note = [&refused](const Result<Secret>& r) {
    if (!r && r.error().code == Errc::kOverloaded && r.error().retry_after.count() > 0) ++refused;
  };
  for (int i = 0; i < 10; ++i) pool.hash(Secret("password"), note);
  // One in hand at most, two waiting: the others were told from inside the call.
  EXPECT_GE(refused, 7);
  EXPECT_LE(refused, 8);
  release.count_down();
  run(static_cast<std::size_t>(10 - refused));
}

TEST_F(PasswordPoolTest, BrokenStoredHashIsAnErrorNotANo) {
  PasswordPool pool({.threads = 1, .queue_max = 2, .cost = kCheap}, random, post());
  Errc code = Errc::kOk;
  pool.verify(
      Secret("password"), Secret("not a phc string"),
      [&code](const Result<PasswordPort::Verdict>& v) { code = v ? Errc::kOk : v.error().code; });
  run(1);
  EXPECT_EQ(code, Errc::kInternal);
}

}  // namespace
}  // namespace hy::logic
