#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "client/sdk/hongyan.hpp"
#include "client/sdk/net/driver.h"
#include "client/sdk/net/runtime.h"

namespace hy {

/// What a Sent handle looks at. Written on the SDK's thread.
struct Sent::State {
  State(ClientMsgId msg, std::thread::id sdk) : id(msg), sdk_thread(sdk) {}
  const ClientMsgId id;
  const std::thread::id sdk_thread;
  mutable std::mutex mutex;
  mutable std::condition_variable changed;
  Step step = Step::kQueued;
  Errc code = Errc::kOk;
  Seq seq{};

  void apply(Step next, Errc why, Seq at);
  [[nodiscard]] bool has_reached(Step wanted) const;
  [[nodiscard]] bool is_over() const { return step == Step::kRefused; }
};

struct Client::Impl {
  Impl(ClientOptions o, Runtime* shared);
  ~Impl();
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  /// Runs `f` on the SDK's thread and waits until it is done; at once when called there.
  void on_thread(const std::function<void()>& f);
  [[nodiscard]] bool is_here() const { return runtime->is_here(); }
  /// An idempotent request; waits for its answer. kUnavailable on the SDK's own thread.
  Result<Bytes> ask(std::uint16_t type, Bytes body);
  /// `to`: a Uid or a Gid.
  template <class To>
  Result<Sent> submit(To to, Bytes body, std::uint32_t kind);
  Status wait_up_to_date();
  void on_notice(client::Notice& notice);
  void note_answer(client::Answered& answered);
  void note_step(const client::StepChanged& changed);
  void note_state();
  void keep_names(const std::vector<std::pair<Uid, std::string>>& users);

  struct Waiter {
    bool is_done = false;
    Result<Bytes> result = Bytes();
  };

  ClientOptions options;
  std::unique_ptr<Runtime::Impl> own_runtime;
  Runtime::Impl* runtime;
  std::shared_ptr<client::Driver> driver;
  Status opened;  ///< why the store could not be opened, or success

  std::mutex mutex;  ///< guards everything below
  std::condition_variable changed;
  std::function<void(const Message&)> message_callback;
  std::function<void(const ClientMsgId&, Step, Errc, Seq)> step_callback;
  std::function<void(LinkState, const std::string&)> state_callback;
  std::function<void(const LadderEvent&)> ladder_callback;
  std::function<void(Gid, const MemberReceipt&)> group_receipt_callback;
  LinkState link = LinkState::kIdle;
  std::string link_why;
  Uid uid{};
  std::string entry;
  Bytes token;
  bool login_ended = false;
  Status login_status;
  std::uint64_t synced = 0;
  std::map<ConversationId, Status> reads_ended;  ///< of mark_read() calls that wait
  std::uint64_t next_token = 1;
  std::map<std::uint64_t, Waiter> waiters;

  // On the SDK's thread alone.
  std::unordered_map<ClientMsgId, std::weak_ptr<Sent::State>> handles;
  std::size_t handles_sweep_at = 1'024;
};

}  // namespace hy
