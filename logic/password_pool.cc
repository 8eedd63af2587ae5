#include "logic/password_pool.h"

#include <algorithm>
#include <memory>
#include <utility>

namespace hy::logic {
namespace {

/// About what a full queue of 100 takes to empty on one core.
constexpr Millis kFullRetry{5'000};

}  // namespace

PasswordPool::PasswordPool(Options options, Random& random, Post post)
    : options_(options), random_(random), post_(std::move(post)) {
  for (std::size_t i = 0; i < std::max<std::size_t>(options_.threads, 1); ++i) {
    threads_.emplace_back([this] { work(); });
  }
}

PasswordPool::~PasswordPool() {
  {
    const std::lock_guard lock(mutex_);
    is_stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

bool PasswordPool::submit(Job& job) {
  {
    const std::lock_guard lock(mutex_);
    if (is_stopping_ || queue_.size() >= options_.queue_max) return false;
    queue_.push_back(std::move(job));
  }
  wake_.notify_one();
  return true;
}

void PasswordPool::work() {
  for (;;) {
    std::unique_lock lock(mutex_);
    wake_.wait(lock, [this] { return is_stopping_ || !queue_.empty(); });
    if (is_stopping_) return;
    Job job = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    job();
  }
}

const std::string& PasswordPool::decoy() {
  std::call_once(decoy_once_, [this] {
    // No memory for it: the empty text costs nothing, and every login is refused for the same
    // reason.
    decoy_ = crypto::hash_password(Secret("no password has this hash"), options_.cost, random_)
                 .value_or(std::string{});
  });
  return decoy_;
}

Result<PasswordPort::Verdict> PasswordPool::judge(const Secret& password, const Secret& phc) {
  Verdict verdict;
  const bool is_decoy = phc.empty();
  HY_TRY(const bool is_right, crypto::verify_password(password, is_decoy ? decoy() : phc.reveal()));
  verdict.right = is_right && !is_decoy;
  if (verdict.right && crypto::needs_rehash(phc.reveal(), options_.cost)) {
    auto again = crypto::hash_password(password, options_.cost, random_);
    if (again) verdict.rehash = Secret(*std::move(again));
  }
  return verdict;
}

void PasswordPool::verify(Secret password, Secret phc, Done<Verdict> done) {
  // Shared, because a full queue leaves the completion here to be told.
  auto held = std::make_shared<Done<Verdict>>(std::move(done));
  Job job = [this, password = std::move(password), phc = std::move(phc), held] {
    auto verdict = std::make_shared<Result<Verdict>>(judge(password, phc));
    post_([held, verdict] { (*held)(std::move(*verdict)); });
  };
  if (!submit(job)) (*held)(fail(Errc::kOverloaded, "too many logins wait", kFullRetry));
}

void PasswordPool::hash(Secret password, Done<Secret> done) {
  auto held = std::make_shared<Done<Secret>>(std::move(done));
  Job job = [this, password = std::move(password), held] {
    auto phc = crypto::hash_password(password, options_.cost, random_);
    auto result = std::make_shared<Result<Secret>>(fail(Errc::kOverloaded));
    if (phc) {
      *result = Secret(*std::move(phc));
    } else {
      *result = std::unexpected(std::move(phc).error());
    }
    post_([held, result] { (*held)(std::move(*result)); });
  };
  if (!submit(job)) (*held)(fail(Errc::kOverloaded, "too many logins wait", kFullRetry));
}

}  // namespace hy::logic
