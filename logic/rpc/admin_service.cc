#include "logic/rpc/admin_service.h"

#include "common/base/limits.h"
#include "common/obs/log.h"
#include "logic/delivery/trace_ring.h"
#include "logic/domain/grant.h"
#include "logic/domain/name_rules.h"
#include "logic/domain/token_desk.h"
#include "logic/metrics.h"
#include "logic/rpc/hello.h"
#include "logic/session/auth_fence.h"

namespace hy::logic {
namespace pb = hy::logic::v1;
namespace {

constexpr std::size_t kAnswerOverheadBytes = 64;
constexpr std::uint32_t kTokenLifeMaxS = 90 * 24 * 3600;

pb::AdminAnswer failed(const Error& error) {
  pb::AdminAnswer answer;
  answer.mutable_failure()->set_code(static_cast<std::uint32_t>(error.code));
  answer.mutable_failure()->set_detail(error.detail);
  answer.mutable_failure()->set_retry_after_ms(
      static_cast<std::uint32_t>(error.retry_after.count()));
  return answer;
}

void fill(const Error& error, pb::AddedUser& out) {
  out.mutable_failure()->set_code(static_cast<std::uint32_t>(error.code));
  out.mutable_failure()->set_detail(error.detail);
}

bool too_many(int count) {
  return count > static_cast<int>(limits::kIdsPerRequestMax);
}

std::string device_of(const std::string& pattern, Uid uid) {
  const auto at = pattern.find("%u");
  if (at == std::string::npos) return pattern;
  return pattern.substr(0, at) + std::to_string(uid.value()) + pattern.substr(at + 2);
}

std::string note_of(const TraceRing::Row& row, Rung rung) {
  switch (rung) {
    case Rung::kReceived: return row.dyed ? "dyed" : "";
    case Rung::kRulesDone:
      return row.refused == Errc::kOk ? "" : "refused " + error_code_text(row.refused);
    case Rung::kStored: {
      std::string note = "seq " + std::to_string(row.seq.value());
      if (row.repeat) note += " · repeat";
      if (row.batch > 0) {
        note += " · lane wait " + std::to_string(row.lane_wait_us) + " µs · commit " +
                std::to_string(row.commit_us) + " µs · batch of " + std::to_string(row.batch);
      }
      return note;
    }
    default: return {};
  }
}

void fill_rungs(const TraceRing::Row& row, const std::string& instance, pb::TraceAnswer& out) {
  const MonoTime first = row.at[static_cast<std::size_t>(Rung::kReceived)];
  for (std::size_t i = 0; i < kRungs; ++i) {
    const auto rung = static_cast<Rung>(i);
    const bool is_refusal = rung == Rung::kRulesDone && row.refused != Errc::kOk;
    if (row.at[i] == MonoTime{} && !is_refusal) continue;
    pb::TraceRung& to = *out.add_rungs();
    to.set_hop(instance);
    to.set_what(rung_name(rung));
    if (row.at[i] != MonoTime{}) {
      to.set_at_us(
          std::chrono::duration_cast<std::chrono::microseconds>(row.at[i] - first).count());
    }
    to.set_note(note_of(row, rung));
  }
}

}  // namespace

/// One stream of one operator. Answers that come after its end are dropped.
class AdminService::Session final : public rpc::Handler<Out, In> {
 public:
  Session(AdminService& service, rpc::Stream<Out> stream)
      : service_(service), alive_(std::make_shared<bool>(true)), stream_(stream) {}
  ~Session() override { *alive_ = false; }

  void on_batch(In& batch) override {
    if (!is_proven_) {
      is_proven_ = is_operator(service_.options_.operator_token, batch.operator_token());
      service_.p_.metrics.admin_call(is_proven_);
      log::info("admin_stream_opened", {{"peer", stream_.peer().name}, {"allowed", is_proven_}});
    }
    for (pb::AdminCall& call : *batch.mutable_calls()) {
      const std::uint64_t id = call.id();
      if (!is_proven_) {
        send(id, failed({Errc::kForbidden, "operator token", {}}));
        continue;
      }
      service_.call(call, [this, id, alive = alive_](Answer answer) {
        if (*alive) send(id, std::move(answer));
      });
    }
    if (!is_proven_) stream_.close();
  }
  void on_close(const std::string& /*why*/) override { *alive_ = false; }

 private:
  void send(std::uint64_t id, Answer answer) {
    if (!stream_.has_room()) return;
    answer.set_id(id);
    const std::size_t bytes = answer.ByteSizeLong() + kAnswerOverheadBytes;
    *stream_.next().add_answers() = std::move(answer);
    stream_.queued(bytes);
  }

  AdminService& service_;
  std::shared_ptr<bool> alive_;
  rpc::Stream<Out> stream_;
  bool is_proven_ = false;
};

/// Accounts on their way in: passwords are hashed one after another, so that an import takes one
/// place in the pool's queue.
struct AdminService::Import {
  std::vector<NewAccount> accounts;
  std::vector<Secret> passwords;
  std::vector<Error> failures;  ///< kOk: goes to the store
  std::size_t hashed = 0;
  Reply reply;
};

AdminService::AdminService(const Ports& ports, Options options)
    : p_(ports), options_(std::move(options)) {}

AdminService::~AdminService() = default;

std::unique_ptr<rpc::Handler<AdminService::Out, AdminService::In>> AdminService::make_handler(
    rpc::Stream<Out> stream) {
  auto session = std::make_unique<Session>(*this, stream);
  fill_hello(options_.instance, options_.incarnation, *stream.next().mutable_hello());
  stream.queued(kAnswerOverheadBytes);
  return session;
}

CallContext AdminService::context() const {
  return {p_.clock.now() + options_.call_within, TraceId{}};
}

void AdminService::call(pb::AdminCall& call, Reply reply) {
  switch (call.op_case()) {
    case pb::AdminCall::kAddUsers: return add_users(call.add_users(), std::move(reply));
    case pb::AdminCall::kMakeTokens: return make_tokens(call.make_tokens(), std::move(reply));
    case pb::AdminCall::kFindUsers: return find_users(call.find_users(), std::move(reply));
    case pb::AdminCall::kRevokeUser: return revoke(call.revoke_user(), std::move(reply));
    case pb::AdminCall::kTrace: return trace(call.trace(), std::move(reply));
    case pb::AdminCall::OP_NOT_SET: break;
  }
  reply(failed({Errc::kUnknownCommand, "no such operator call", {}}));
}

void AdminService::add_users(const pb::AddUsers& in, Reply reply) {
  if (too_many(in.users_size())) {
    return reply(failed({Errc::kRangeInvalid, "at most 500 users a call", {}}));
  }
  auto import = std::make_shared<Import>();
  import->reply = std::move(reply);
  for (const pb::NewUser& user : in.users()) {
    Status fit = check_name(user.name());
    if (fit && !user.password().empty()) fit = check_password(user.password());
    import->failures.push_back(fit ? Error{Errc::kOk, {}, {}} : fit.error());
    import->accounts.push_back({.uid = Uid{user.uid()}, .name = user.name()});
    import->passwords.emplace_back(user.password());
  }
  hash_next(import);
}

void AdminService::hash_next(const std::shared_ptr<Import>& import) {
  for (; import->hashed < import->accounts.size(); ++import->hashed) {
    const std::size_t i = import->hashed;
    if (import->failures[i].code != Errc::kOk || import->passwords[i].empty()) continue;
    p_.passwords.hash(std::move(import->passwords[i]), [this, import, i](Result<Secret> phc) {
      if (phc) {
        import->accounts[i].password_phc = *std::move(phc);
      } else {
        import->failures[i] = phc.error();
      }
      ++import->hashed;
      hash_next(import);
    });
    return;
  }
  create(import);
}

void AdminService::create(const std::shared_ptr<Import>& import) {
  std::vector<NewAccount> sound;
  for (std::size_t i = 0; i < import->accounts.size(); ++i) {
    if (import->failures[i].code == Errc::kOk) sound.push_back(import->accounts[i]);
  }
  const auto answer = [import](const std::vector<Account>& made) {
    pb::AdminAnswer out;
    std::size_t next = 0;
    for (std::size_t i = 0; i < import->accounts.size(); ++i) {
      pb::AddedUser& user = *out.mutable_users()->add_users();
      user.set_name(import->accounts[i].name);
      if (import->failures[i].code != Errc::kOk) {
        fill(import->failures[i], user);
        continue;
      }
      const Account& account = made[next++];
      user.set_uid(account.uid.value());
      if (account.failure.code != Errc::kOk) fill(account.failure, user);
    }
    import->reply(std::move(out));
  };
  if (sound.empty()) return answer({});
  const std::size_t asked = sound.size();
  p_.accounts.create(sound, context(), [import, answer, asked](Result<std::vector<Account>> made) {
    if (!made) return import->reply(failed(made.error()));
    if (made->size() != asked) {
      return import->reply(failed({Errc::kInternal, "das answered short", {}}));
    }
    answer(*made);
  });
}

void AdminService::make_tokens(const pb::MakeTokens& in, Reply reply) {
  const bool is_sound = !too_many(in.uids_size()) && is_valid_slot(in.slot()) &&
                        check_device_id(in.device_id()) && in.life_s() > 0 &&
                        in.life_s() <= kTokenLifeMaxS;
  if (!is_sound) {
    return reply(failed(
        {Errc::kRangeInvalid, "at most 500 uids, slot 1 to 5, device_id, life up to 90 days", {}}));
  }
  std::vector<SlotKey> keys;
  for (const std::uint64_t uid : in.uids()) {
    keys.push_back({Uid{uid}, static_cast<Slot>(in.slot())});
  }
  if (keys.empty()) return reply({});
  p_.accounts.auth_epochs(
      keys, context(),
      [this, keys, device = in.device_id(), life = std::chrono::seconds(in.life_s()),
       reply = std::move(reply)](Result<std::vector<KnownEpoch>> epochs) mutable {
        if (!epochs) return reply(failed(epochs.error()));
        if (epochs->size() != keys.size()) {
          return reply(failed({Errc::kInternal, "das answered short", {}}));
        }
        pb::AdminAnswer answer;
        const std::int64_t now_s = p_.clock.wall_ms() / 1'000;
        for (std::size_t i = 0; i < keys.size(); ++i) {
          std::string& token = *answer.mutable_tokens()->add_tokens();
          if ((*epochs)[i].auth_epoch == 0) continue;
          token = p_.tokens.make(keys[i].uid, keys[i].slot, device_of(device, keys[i].uid),
                                 (*epochs)[i].auth_epoch, now_s, life);
        }
        reply(std::move(answer));
      });
}

void AdminService::find_users(const pb::FindUsers& in, Reply reply) {
  if (too_many(in.uids_size() + in.names_size())) {
    return reply(failed({Errc::kRangeInvalid, "at most 500 ids and names together", {}}));
  }
  std::vector<Uid> uids;
  for (const std::uint64_t uid : in.uids()) uids.emplace_back(uid);
  const std::vector<std::string> names(in.names().begin(), in.names().end());
  p_.accounts.find(uids, names, context(),
                   [reply = std::move(reply)](Result<std::vector<Account>> found) mutable {
                     if (!found) return reply(failed(found.error()));
                     pb::AdminAnswer answer;
                     answer.mutable_users();
                     for (const Account& account : *found) {
                       pb::AddedUser& user = *answer.mutable_users()->add_users();
                       user.set_uid(account.uid.value());
                       user.set_name(account.name);
                     }
                     reply(std::move(answer));
                   });
}

void AdminService::revoke(const pb::RevokeUser& in, Reply reply) {
  const Uid uid{in.uid()};
  const bool is_all = in.slot() == 0;
  if (uid.value() == 0 || (!is_all && !is_valid_slot(in.slot()))) {
    return reply(failed({Errc::kRangeInvalid, "uid, and slot 0 to 5", {}}));
  }
  const Slot slot = is_all ? Slot::kNone : static_cast<Slot>(in.slot());
  p_.accounts.revoke(
      uid, slot, context(), [this, uid, slot, reply = std::move(reply)](Result<bool> done) mutable {
        if (!done) return reply(failed(done.error()));
        // Fence first, then the fast path: every session of the user below the raised epoch goes.
        for (std::uint8_t s = 1; s <= kSlotMax; ++s) {
          const Slot one = static_cast<Slot>(s);
          if (slot != Slot::kNone && one != slot) continue;
          p_.fence.forget({uid, one});
          p_.fence.check({uid, one}, 0, [this, uid, one](const AuthFence::Verdict& verdict) {
            if (!verdict.is_known || verdict.auth_epoch == 0) return;
            p_.router.kick({.uid = uid,
                            .slot = one,
                            .below_auth_epoch = verdict.auth_epoch,
                            .below_conn_counter = 0,
                            .code = Errc::kRevoked,
                            .reason = "revoked by the operator"});
            p_.metrics.kick_sent();
          });
        }
        reply({});
      });
}

void AdminService::trace(const pb::TraceMessage& in, Reply reply) {
  std::optional<TraceRing::Row> row;
  if (!in.client_msg_id_hex().empty()) {
    const auto id = from_hex(in.client_msg_id_hex());
    if (!id || id->size() != sizeof(ClientMsgId::bytes)) {
      return reply(failed({Errc::kMalformedBody, "client_msg_id is 32 hex digits", {}}));
    }
    row = p_.trace.find(ClientMsgId::from_bytes(*id));
  } else if (in.conversation().size() == sizeof(ClientMsgId::bytes)) {
    row = p_.trace.find(ConversationId::from_bytes(in.conversation()), Seq{in.seq()});
  }
  if (!row) return reply(failed({Errc::kMessageNotFound, "not among the last messages here", {}}));
  pb::AdminAnswer answer;
  fill_rungs(*row, options_.instance, *answer.mutable_trace());
  reply(std::move(answer));
}

}  // namespace hy::logic
