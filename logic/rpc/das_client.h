#pragma once

#include <functional>
#include <string>
#include <vector>

#include "common/flat/flat_map.h"
#include "common/flow/deadline_wheel.h"
#include "common/flow/retry.h"
#include "common/rpc/stream.h"
#include "hy/das/v1/logic_stream.pb.h"
#include "logic/ports/account_port.h"
#include "logic/ports/group_port.h"
#include "logic/ports/message_log_port.h"
#include "logic/ports/relation_port.h"

namespace hy::logic {

class Metrics;

/// The store's side of logic: one stream to every das of the group. A conversation keeps to one das
/// (rendezvous hash over those that are up), which only helps batching; any das may serve any call.
/// All calls are idempotent, so one that was on a lost stream, or that a das could not serve, is
/// sent once to another das, within the retry budget. What remains unknown is reported as unknown.
/// Thread: loop.
class DasClient final : public MessageLogPort,
                        public RelationPort,
                        public GroupPort,
                        public AccountPort {
 public:
  struct Options {
    Millis call_within{2'000};
    Millis grace{250};            ///< how much longer than its own deadline an answer is waited for
    Millis suspect_after{1'000};  ///< silent that long over open work: others are asked instead
    Millis probe_every{500};      ///< a suspect is asked for a sign of life
    std::uint32_t retry_percent = 10;
    std::uint32_t retry_credit_max = 1'000;  ///< a lost stream may carry that many at once
  };
  using Out = rpc::Stream<hy::das::v1::DataBatch>;
  using Call = hy::das::v1::Call;
  using CallAnswer = hy::das::v1::CallAnswer;

  DasClient(std::vector<std::string> names, const Clock& clock, Metrics& metrics, Options options);

  // Stream events of das number `peer`; the Hello is sent by the caller.
  void on_up(std::size_t peer, Out stream);
  void on_batch(std::size_t peer, hy::das::v1::DataAnswerBatch& batch);
  void on_down(std::size_t peer);
  /// `heard` is called whenever a das says that its store works: at its hello, and when a lane of
  /// it that had failed works again. It must not ask this client anything.
  void on_store_back(std::move_only_function<void()> heard) { store_back_ = std::move(heard); }
  /// Every 50 ms or so: ends what nobody answered.
  void tick();
  [[nodiscard]] std::size_t pending() const { return appends_.size() + calls_.size(); }
  /// Names of the das that are not up.
  [[nodiscard]] std::vector<std::string> missing() const;

  void append(std::shared_ptr<const AppendRequest> request, Done<Appended> done) override;
  void pull(const PullQuery& query, CallContext call, Done<Slice> done) override;
  void find(const FindQuery& query, CallContext call, Done<Found> done) override;
  void mark_read(Uid uid, ConversationId conversation, Seq seq, CallContext call,
                 Done<ReadMarked> done) override;
  void list(const ConversationsQuery& query, CallContext call, Done<Conversations> done) override;
  void change_counters(const std::vector<Uid>& uids, CallContext call,
                       Done<std::vector<std::uint64_t>> done) override;
  [[nodiscard]] bool store_up() const override;
  [[nodiscard]] StoreMarks marks() const override { return marks_; }

  void open_pair(ConversationId pair, CallContext call, Done<PairFacts> done) override;
  void set_block(Uid uid, Uid peer, bool on, CallContext call, Done<PairFacts> done) override;

  void create_group(const NewGroup& group, CallContext call, Done<GroupChanged> done) override;
  void open_group(Gid gid, CallContext call, Done<GroupFacts> done) override;
  void change_group(const GroupChange& change, CallContext call, Done<GroupChanged> done) override;

  void begin_login(Uid uid, const std::string& name, const std::string& peer_ip, CallContext call,
                   Done<LoginFacts> done) override;
  void login_failed(Uid uid, const std::string& peer_ip, CallContext call) override;
  void sign_in(const SignInRequest& request, CallContext call, Done<SignedIn> done) override;
  void auth_epochs(const std::vector<SlotKey>& keys, CallContext call,
                   Done<std::vector<KnownEpoch>> done) override;
  void create(const std::vector<NewAccount>& accounts, CallContext call,
              Done<std::vector<Account>> done) override;
  void find(const std::vector<Uid>& uids, const std::vector<std::string>& names, CallContext call,
            Done<std::vector<Account>> done) override;
  void revoke(Uid uid, Slot slot, CallContext call, Done<bool> done) override;

 private:
  using CallDone = std::move_only_function<void(Result<CallAnswer*>)>;
  struct Peer {
    std::string name;
    std::uint64_t name_hash = 0;
    Out stream;
    bool is_up = false;
    bool is_leaving = false;  ///< said goodbye
    bool store_up = false;
    bool is_suspect = false;  ///< stopped, or cut off without a reset: its stream is still up
    MonoTime heard{};
    MonoTime probed{};
  };
  struct Sent {
    std::size_t peer = 0;
    bool is_retried = false;
    std::uint64_t hash = 0;
    MonoTime deadline{};
    MonoTime at{};
  };
  struct PendingAppend {
    Sent sent;
    std::shared_ptr<const AppendRequest> request;
    Done<Appended> done;
  };
  struct PendingCall {
    Sent sent;
    Call call;
    CallDone done;
  };

  [[nodiscard]] std::optional<std::size_t> choose(std::uint64_t hash,
                                                  std::optional<std::size_t> other_than) const;
  [[nodiscard]] Error refusal() const;
  [[nodiscard]] MonoTime cut(MonoTime deadline) const;
  [[nodiscard]] std::uint32_t remaining_ms(MonoTime deadline) const;
  void write(std::uint64_t id, const PendingAppend& pending);
  void write(std::uint64_t id, const PendingCall& pending);
  void start(Call call, std::uint64_t hash, CallContext context, CallDone done);
  template <class T, class Pick>
  void start(Call call, std::uint64_t hash, CallContext context, Done<T> done, Pick pick);
  [[nodiscard]] std::optional<std::size_t> take_retry(const Sent& sent);
  void on_append(std::size_t peer, hy::das::v1::AppendAnswer& answer);
  void on_call(std::size_t peer, CallAnswer& answer);
  void retry_or_end_append(std::uint64_t id, Error error);
  void retry_or_end_call(std::uint64_t id, Error error);
  void learn(std::size_t peer, const hy::das::v1::DataAnswerBatch& batch);
  void watch(std::size_t peer);
  void move_away(std::size_t peer);

  std::vector<Peer> peers_;
  const Clock& clock_;
  Metrics& metrics_;
  Options options_;
  StoreMarks marks_;
  std::move_only_function<void()> store_back_;
  flow::RetryBudget retries_;
  std::uint64_t last_id_ = 0;
  FlatMap<std::uint64_t, PendingAppend> appends_;
  FlatMap<std::uint64_t, PendingCall> calls_;
  flow::DeadlineWheel wheel_;
  std::vector<std::uint64_t> due_;
};

}  // namespace hy::logic
