#include "client/cli/operator_client.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <thread>

#include "client/cli/cluster.h"
#include "client/cli/private_folder.h"
#include "common/base/limits.h"
#include "common/rpc/stream.h"
#include "hy/logic/v1/admin.pb.h"

namespace hy::cli {
namespace {

namespace pb = hy::logic::v1;
constexpr std::size_t kUnderWay = 8;  // requests sent and not answered
constexpr Millis kTraceWithin{5'000};

std::unexpected<Error> failed(const hy::common::v1::Failure& f) {
  return fail(static_cast<Errc>(f.code()), f.detail(), Millis(f.retry_after_ms()));
}

}  // namespace

OperatorAccess operator_access(const ClusterLayout& layout) {
  OperatorAccess out;
  for (const DaemonPlace& d : layout.daemons) {
    if (d.tier == "logic") out.logics.push_back(d.address);
  }
  out.token_file = layout.operator_token_file;
  return out;
}

/// The stream's callbacks run on the loop's thread; the caller waits on `changed`.
struct OperatorClient::Impl : rpc::ClientEvents<pb::AdminBatch, pb::AdminAnswerBatch> {
  explicit Impl(Bytes operator_token) : token(std::move(operator_token)) {}
  ~Impl() override {
    if (client) client->stop();
    if (runner.joinable()) {
      loop.stop();
      runner.join();
    }
    client.reset();
  }

  void begin(const std::string& target) {
    rpc::ClientOptions options;
    options.target = target;
    options.method = "/hy.logic.v1.Admin/Call";
    options.peer_name = "logic";
    options.peer_role = "logic";
    client = std::make_unique<rpc::Client>(loop, options, *this);
    client->start();
    runner = std::thread([this] { loop.run(); });
  }

  void on_up(rpc::Stream<pb::AdminBatch> s) override {
    const std::lock_guard lock(mutex);
    stream = s;
    pb::AdminBatch& batch = stream.next();
    batch.mutable_hello()->set_role("admin");
    batch.mutable_hello()->set_name("hy");
    batch.mutable_hello()->set_version_low(1);
    batch.mutable_hello()->set_version_high(1);
    batch.set_operator_token(token);
    stream.queued(batch.ByteSizeLong());
  }
  void on_batch(pb::AdminAnswerBatch& batch) override {
    const std::lock_guard lock(mutex);
    is_welcome = true;
    for (pb::AdminAnswer& answer : *batch.mutable_answers()) {
      const std::uint64_t id = answer.id();
      answers[id] = std::move(answer);
    }
    changed.notify_all();
  }
  void on_down(const std::string& why) override {
    const std::lock_guard lock(mutex);
    stream = {};
    is_welcome = false;
    ++downs;
    last_down = why;
    changed.notify_all();
  }

  void send(const pb::AdminCall& call) {
    loop.post([this, call] {
      const std::lock_guard lock(mutex);
      if (!stream) return;  // on_down follows or came: the waiting side sees it
      *stream.next().add_calls() = call;
      stream.queued(call.ByteSizeLong());
    });
  }

  /// Sends all calls, at most kUnderWay at a time, and gives each answer to `take` in order of
  /// arrival. A lost stream ends it: accounts are made once, and nobody knows how far it came.
  Status exchange(std::vector<pb::AdminCall> calls, Millis within,
                  const std::function<Status(std::size_t, pb::AdminAnswer&)>& take) {
    const MonoTime deadline = std::chrono::steady_clock::now() + within;
    std::map<std::uint64_t, std::size_t> under_way;
    std::size_t next = 0;
    std::unique_lock lock(mutex);
    const std::uint64_t downs_before = downs;
    while (next < calls.size() || !under_way.empty()) {
      while (next < calls.size() && under_way.size() < kUnderWay) {
        calls[next].set_id(++last_id);
        under_way[last_id] = next;
        lock.unlock();
        send(calls[next++]);
        lock.lock();
      }
      if (!changed.wait_until(lock, deadline,
                              [&] { return !answers.empty() || downs != downs_before; })) {
        return fail(Errc::kTimedOut, "no answer from the operator's door of logic");
      }
      if (downs != downs_before) return fail(Errc::kUnreachableServer, last_down);
      for (auto& [id, answer] : std::exchange(answers, {})) {
        const auto at = under_way.find(id);
        if (at == under_way.end()) continue;
        if (answer.has_failure() && answer.failure().code() != 0) return failed(answer.failure());
        HY_TRY_VOID(take(at->second, answer));
        under_way.erase(at);
      }
    }
    return {};
  }

  Bytes token;
  rpc::Loop loop;
  std::unique_ptr<rpc::Client> client;
  std::thread runner;
  std::mutex mutex;
  std::condition_variable changed;
  rpc::Stream<pb::AdminBatch> stream;
  bool is_welcome = false;
  std::uint64_t downs = 0;
  std::string last_down;
  std::uint64_t last_id = 0;
  std::map<std::uint64_t, pb::AdminAnswer> answers;
};

OperatorClient::OperatorClient(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
OperatorClient::~OperatorClient() = default;

Result<std::unique_ptr<OperatorClient>> OperatorClient::open(const OperatorAccess& access,
                                                             Millis within) {
  HY_TRY(std::string hex, read_file(access.token_file));
  while (!hex.empty() && (hex.back() == '\n' || hex.back() == ' ')) hex.pop_back();
  const auto token = from_hex(hex);
  if (!token) {
    return fail(Errc::kConfigWrongType, access.token_file.string() + " holds no token in hex");
  }
  std::string why = "no logic is known";
  for (const std::string& target : access.logics) {
    auto impl = std::make_unique<Impl>(*token);
    impl->begin(target);
    std::unique_lock lock(impl->mutex);
    const bool has_answer =
        impl->changed.wait_for(lock, within, [&] { return impl->is_welcome || impl->downs > 0; });
    if (has_answer && impl->is_welcome) {
      lock.unlock();
      return std::unique_ptr<OperatorClient>(new OperatorClient(std::move(impl)));
    }
    why = target + ": " + (impl->last_down.empty() ? "no answer" : impl->last_down);
  }
  return fail(Errc::kUnreachableServer, why);
}

Status OperatorClient::add_users(std::vector<Account>& accounts, Millis within,
                                 const std::function<void(std::size_t)>& progress) {
  std::vector<pb::AdminCall> calls;
  for (std::size_t at = 0; at < accounts.size(); at += limits::kIdsPerRequestMax) {
    pb::AdminCall& call = calls.emplace_back();
    const std::size_t end = std::min(at + limits::kIdsPerRequestMax, accounts.size());
    for (std::size_t i = at; i < end; ++i) {
      pb::NewUser* const user = call.mutable_add_users()->add_users();
      user->set_name(accounts[i].name);
      user->set_password(accounts[i].password);
    }
  }
  std::size_t done = 0;
  return impl_->exchange(std::move(calls), within, [&](std::size_t index, pb::AdminAnswer& answer) {
    const std::size_t first = index * limits::kIdsPerRequestMax;
    const auto& users = answer.users().users();
    for (int i = 0; i < users.size(); ++i) {
      const pb::AddedUser& user = users[i];
      if (user.has_failure() && user.failure().code() != 0) {
        return Status(fail(static_cast<Errc>(user.failure().code()),
                           "user " + accounts[first + static_cast<std::size_t>(i)].name));
      }
      accounts[first + static_cast<std::size_t>(i)].uid = Uid{user.uid()};
    }
    done += static_cast<std::size_t>(users.size());
    if (progress) progress(done);
    return Status{};
  });
}

Result<std::vector<Bytes>> OperatorClient::make_tokens(
    const std::vector<Uid>& uids, Slot slot, const std::string& device_id,
    std::chrono::seconds life, Millis within, const std::function<void(std::size_t)>& progress) {
  std::vector<pb::AdminCall> calls;
  for (std::size_t at = 0; at < uids.size(); at += limits::kIdsPerRequestMax) {
    pb::MakeTokens& make = *calls.emplace_back().mutable_make_tokens();
    const std::size_t end = std::min(at + limits::kIdsPerRequestMax, uids.size());
    for (std::size_t i = at; i < end; ++i) make.add_uids(uids[i].value());
    make.set_slot(static_cast<std::uint32_t>(slot));
    make.set_device_id(device_id);
    make.set_life_s(static_cast<std::uint32_t>(life.count()));
  }
  std::vector<Bytes> out(uids.size());
  std::size_t done = 0;
  HY_TRY_VOID(
      impl_->exchange(std::move(calls), within, [&](std::size_t index, pb::AdminAnswer& answer) {
        std::size_t at = index * limits::kIdsPerRequestMax;
        for (std::string& token : *answer.mutable_tokens()->mutable_tokens()) {
          if (at < out.size()) out[at++] = std::move(token);
          ++done;
        }
        if (progress) progress(done);
        return Status{};
      }));
  return out;
}

Result<std::vector<Account>> OperatorClient::find_users(const std::vector<std::string>& names,
                                                        const std::vector<Uid>& uids,
                                                        Millis within) {
  std::vector<pb::AdminCall> calls(1);
  for (const std::string& name : names) calls.front().mutable_find_users()->add_names(name);
  for (const Uid uid : uids) calls.front().mutable_find_users()->add_uids(uid.value());
  std::vector<Account> out;
  HY_TRY_VOID(impl_->exchange(std::move(calls), within, [&](std::size_t, pb::AdminAnswer& answer) {
    for (const pb::AddedUser& user : answer.users().users()) {
      if (user.has_failure() && user.failure().code() != 0) continue;
      out.push_back({Uid{user.uid()}, user.name(), {}});
    }
    return Status{};
  }));
  return out;
}

Status OperatorClient::revoke(Uid uid, Slot slot, Millis within) {
  std::vector<pb::AdminCall> calls(1);
  calls.front().mutable_revoke_user()->set_uid(uid.value());
  calls.front().mutable_revoke_user()->set_slot(static_cast<std::uint32_t>(slot));
  return impl_->exchange(std::move(calls), within,
                         [](std::size_t, pb::AdminAnswer&) { return Status{}; });
}

Result<std::vector<TraceRung>> OperatorClient::trace(const std::string& client_msg_id_hex,
                                                     const ConversationId& conversation, Seq seq,
                                                     Millis within) {
  std::vector<pb::AdminCall> calls(1);
  pb::TraceMessage& trace = *calls.front().mutable_trace();
  trace.set_client_msg_id_hex(client_msg_id_hex);
  trace.set_conversation(conversation.to_bytes());
  trace.set_seq(seq.value());
  std::vector<TraceRung> out;
  HY_TRY_VOID(impl_->exchange(std::move(calls), std::min(within, kTraceWithin),
                              [&](std::size_t, pb::AdminAnswer& answer) {
                                for (const pb::TraceRung& r : answer.trace().rungs()) {
                                  out.push_back({r.hop(), r.what(), r.note(), r.at_us()});
                                }
                                return Status{};
                              }));
  return out;
}

}  // namespace hy::cli
