#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "common/base/random.h"
#include "common/crypto/password.h"
#include "logic/ports/password_port.h"

namespace hy::logic {

/// Argon2id on threads of its own: at most half the cores, so that a storm of logins leaves the
/// messages the other half. A full queue refuses at once.
class PasswordPool final : public PasswordPort {
 public:
  /// Brings a completion to the loop thread.
  using Post = std::function<void(std::move_only_function<void()>)>;
  struct Options {
    std::size_t threads = 1;
    std::size_t queue_max = 100;
    crypto::PasswordCost cost{};
  };
  PasswordPool(Options options, Random& random, Post post);
  /// Waits for the jobs in hand; queued ones are dropped without an answer.
  ~PasswordPool() override;
  PasswordPool(const PasswordPool&) = delete;
  PasswordPool& operator=(const PasswordPool&) = delete;

  void verify(Secret password, Secret phc, Done<Verdict> done) override;
  void hash(Secret password, Done<Secret> done) override;

 private:
  using Job = std::move_only_function<void()>;

  [[nodiscard]] bool submit(Job& job);
  void work();
  [[nodiscard]] Result<Verdict> judge(const Secret& password, const Secret& phc);
  [[nodiscard]] const std::string& decoy();

  Options options_;
  Random& random_;
  Post post_;
  std::once_flag decoy_once_;
  std::string decoy_;  ///< hash of nothing: what an unknown name is compared with
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Job> queue_;
  bool is_stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace hy::logic
