#pragma once

#include <optional>
#include <unordered_map>
#include <vector>

#include "logic/domain/lru_map.h"
#include "logic/ports/account_port.h"

namespace hy::logic {

/// What logic knows of (uid, slot)'s auth_epoch: the fence behind the kick (guarantees.md G12,
/// G20). Knowledge is good for two seconds, then it is asked for again before a command passes.
/// What is asked while a call to das is under way travels together as the next call, so their
/// number follows from how fast das is and not from how many ask. When das cannot say, the last
/// known value judges: a lower epoch stays refused, and who was let in stays in until the store is
/// back.
class AuthFence {
 public:
  struct Options {
    Millis fresh_for{2'000};
    Millis ask_within{1'000};  ///< how long a call waits for its answer at most
    /// A call that takes longer holds the next one back no more, from the next turn's end on.
    Millis hold_max{10};
    std::size_t keys_max = 1'000'000;
    std::size_t waiting_max = 100'000;
  };
  /// What the fence says of a session or a token.
  struct Verdict {
    bool is_stale = false;         ///< a higher epoch is known, or there is no such user
    bool is_known = false;         ///< das said so, at some time
    std::uint32_t auth_epoch = 0;  ///< the one known; 0 with is_known: no such user
    std::string name;              ///< of the user, when das said it just now
  };
  using Answer = std::move_only_function<void(const Verdict&)>;

  AuthFence(AccountPort& accounts, const Clock& clock, Options options)
      : accounts_(accounts), clock_(clock), options_(options), known_(options.keys_max) {}

  /// Whether the session is stale, where knowledge is fresh; nothing: check() has to ask.
  [[nodiscard]] std::optional<bool> is_stale_now(SlotKey key, std::uint32_t auth_epoch);
  /// `answer` is called now when knowledge is fresh, else when das has answered or cannot.
  void check(SlotKey key, std::uint32_t auth_epoch, Answer answer);
  /// The same, but das is always asked: logins show the name.
  void check_at_das(SlotKey key, std::uint32_t auth_epoch, Answer answer);
  /// Something newer was heard: a sign-in or a revocation that passed here.
  void learn(SlotKey key, std::uint32_t auth_epoch);
  void forget(SlotKey key) { known_.erase(key); }
  /// At the end of a turn: the questions go out, unless the last call's answer is awaited.
  void flush();

 private:
  struct Known {
    std::uint32_t auth_epoch = 0;
    MonoTime asked_at{};
  };
  struct Waiting {
    std::uint32_t auth_epoch = 0;
    Answer answer;
  };

  void ask(SlotKey key, std::uint32_t auth_epoch, Answer answer);
  [[nodiscard]] const Known* fresh(SlotKey key);
  [[nodiscard]] Verdict judge(SlotKey key, std::uint32_t auth_epoch, std::string name);
  void settle(const std::vector<SlotKey>& keys, MonoTime asked_at,
              const Result<std::vector<KnownEpoch>>& result,
              std::unordered_map<SlotKey, std::vector<Waiting>>& waiting);

  AccountPort& accounts_;
  const Clock& clock_;
  Options options_;
  LruMap<SlotKey, Known> known_;
  std::vector<SlotKey> asking_;
  std::unordered_map<SlotKey, std::vector<Waiting>> waiting_;
  std::size_t waiting_count_ = 0;
  std::uint64_t calls_ = 0;  ///< so far
  bool is_last_answered_ = true;
  MonoTime last_left_{};
};

}  // namespace hy::logic
