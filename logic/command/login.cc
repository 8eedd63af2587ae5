#include "logic/command/login.h"

#include <array>

#include "common/base/limits.h"
#include "common/base/test_hooks.h"
#include "hy/client/v1/login.pb.h"
#include "logic/command/client_proto.h"
#include "logic/domain/name_rules.h"
#include "logic/metrics.h"

namespace hy::logic {
namespace pb = hy::client::v1;
namespace {

constexpr std::array<std::uint32_t, 4> kTextFields{
    pb::LoginRequest::kNameFieldNumber, pb::LoginRequest::kDeviceIdFieldNumber,
    pb::LoginRequest::kClientVersionFieldNumber, pb::LoginRequest::kDeviceNameFieldNumber};
constexpr std::size_t kDeviceNameShownMax = 64;
constexpr Millis kStoreRetry{2'000};

}  // namespace

struct Login::Attempt {
  RequestPtr request;
  std::string device_id;
  std::string device_name;
  Slot slot = Slot::kNone;
  std::uint32_t conn_counter = 0;
  Bytes token;
  Uid asked_uid;
  std::string asked_name;
  Secret password;
  // Filled on the way.
  bool is_by_password = false;
  std::string name;
  SessionInfo session;
  int questions = 0;  ///< of by_token, open
  bool is_stale = false;
  std::uint64_t change_counter = 0;
};

void Login::run(RequestPtr request, std::string_view body) {
  auto attempt = std::make_shared<Attempt>();
  attempt->request = std::move(request);
  if (attempt->request->context().session) {
    return refuse(attempt, Error{Errc::kAlreadyLoggedIn, {}});
  }
  pb::LoginRequest in;
  const Status parsed = parse_body(body, in, kTextFields);
  attempt->password = Secret(std::move(*in.mutable_password()));
  wipe(in.mutable_password()->data(), in.mutable_password()->size());
  if (!parsed) return refuse(attempt, parsed.error());
  if (const Status device = check_device_id(in.device_id()); !device) {
    return refuse(attempt, device.error());
  }
  if (!is_valid_slot(in.slot())) {
    return refuse(attempt, Error{Errc::kMalformedBody, "slot is 1 to 5"});
  }
  attempt->device_id = in.device_id();
  attempt->device_name = displayable(in.device_name(), kDeviceNameShownMax);
  attempt->slot = static_cast<Slot>(in.slot());
  attempt->conn_counter = std::max(in.conn_counter(), 1U);
  attempt->token = in.token();
  attempt->asked_uid = Uid{in.uid()};
  attempt->asked_name = in.name();
  if (!attempt->token.empty()) return by_token(attempt);
  by_password(attempt);
}

void Login::by_token(const AttemptPtr& attempt) {
  const Result<TokenDesk::Claims> claims = p_.tokens.check(
      attempt->token, attempt->slot, attempt->device_id, p_.clock.wall_ms() / 1'000);
  if (!claims) return refuse(attempt, claims.error());
  attempt->session.uid = claims->uid;
  attempt->session.slot = attempt->slot;
  attempt->session.auth_epoch = claims->auth_epoch;
  attempt->session.conn_counter = attempt->conn_counter;
  // Both at once: they travel to das together. A counter that was read a moment earlier makes a
  // device look once too often at worst, and it syncs after each login anyway.
  attempt->questions = 2;
  p_.fence.check_at_das({claims->uid, attempt->slot}, claims->auth_epoch,
                        [this, attempt](const AuthFence::Verdict& verdict) {
                          attempt->is_stale = verdict.is_stale;
                          attempt->name = verdict.name;
                          on_answer(attempt);
                        });
  p_.counters.read(claims->uid, [this, attempt](std::uint64_t counter) {
    attempt->change_counter = counter;
    on_answer(attempt);
  });
}

void Login::on_answer(const AttemptPtr& attempt) {
  if (--attempt->questions > 0) return;
  // With the store away a token's signature and times must do.
  if (attempt->is_stale) return refuse(attempt, Error{Errc::kRevoked, {}});
  open(attempt);
}

void Login::by_password(const AttemptPtr& attempt) {
  attempt->is_by_password = true;
  if (attempt->asked_uid.value() == 0 && attempt->asked_name.empty()) {
    return refuse(attempt, Error{Errc::kMalformedBody, "token, or uid or name with password"});
  }
  // Too long for any account: not worth hashing, and says nothing about who exists.
  const bool is_hopeless = attempt->password.empty() ||
                           attempt->password.size() > limits::kPasswordBytesMax ||
                           attempt->asked_name.size() > limits::kNameBytesMax;
  if (is_hopeless) return refuse(attempt, Error{Errc::kPasswordWrong, {}});
  p_.accounts.begin_login(attempt->asked_uid, attempt->asked_name,
                          attempt->request->context().peer_ip, attempt->request->call(),
                          [this, attempt](Result<LoginFacts> facts) {
                            if (!facts) return refuse_store(attempt, facts.error());
                            verify(attempt, *std::move(facts));
                          });
}

void Login::verify(const AttemptPtr& attempt, LoginFacts facts) {
  if (facts.retry_after.count() > 0) {
    return refuse(attempt, Error{Errc::kLoginLocked, {}, facts.retry_after});
  }
  attempt->name = facts.name;
  const Uid uid = facts.uid;
  // Without an account or a password the pool spends the same work and says no.
  p_.passwords.verify(std::move(attempt->password), std::move(facts.password_phc),
                      [this, attempt, uid](Result<PasswordPort::Verdict> verdict) {
                        on_verdict(attempt, uid, std::move(verdict));
                      });
}

void Login::on_verdict(const AttemptPtr& attempt, Uid uid, Result<PasswordPort::Verdict> verdict) {
  if (!verdict) return refuse(attempt, verdict.error());
  if (!verdict->right || uid.value() == 0) {
    p_.accounts.login_failed(uid, attempt->request->context().peer_ip, attempt->request->call());
    return refuse(attempt, Error{Errc::kPasswordWrong, {}});
  }
  sign_in(attempt, uid, std::move(verdict->rehash));
}

void Login::sign_in(const AttemptPtr& attempt, Uid uid, Secret rehash) {
  SignInRequest sign_in;
  sign_in.uid = uid;
  sign_in.slot = attempt->slot;
  sign_in.device_id = attempt->device_id;
  sign_in.device_name = attempt->device_name;
  sign_in.password_phc = std::move(rehash);
  p_.accounts.sign_in(
      sign_in, attempt->request->call(), [this, attempt, uid](Result<SignedIn> signed_in) {
        if (!signed_in) return refuse_store(attempt, signed_in.error());
        attempt->name = signed_in->name.empty() ? attempt->name : signed_in->name;
        attempt->session.uid = uid;
        attempt->session.slot = attempt->slot;
        attempt->session.auth_epoch = signed_in->auth_epoch;
        // Counters start again with each epoch: a device that burnt its own comes back this way.
        attempt->session.conn_counter = signed_in->other_installation ? 1 : attempt->conn_counter;
        sync_point("logic.signed_in_before_fence");
        p_.fence.learn({uid, attempt->slot}, signed_in->auth_epoch);
        if (signed_in->other_installation) {
          sync_point("logic.epoch_raised_before_kick");
          // The fast path; the epoch is the fence behind it.
          p_.router.kick({.uid = uid,
                          .slot = attempt->slot,
                          .below_auth_epoch = signed_in->auth_epoch,
                          .below_conn_counter = 0,
                          .code = Errc::kKicked,
                          .reason = attempt->device_name});
          p_.metrics.kick_sent();
        }
        p_.counters.read(uid, [this, attempt](std::uint64_t counter) {
          attempt->change_counter = counter;
          open(attempt);
        });
      });
}

void Login::open(const AttemptPtr& attempt) {
  const RequestContext& context = attempt->request->context();
  const std::int64_t now_ms = p_.clock.wall_ms();
  p_.grants.give(attempt->session, context.entry, context.conn, now_ms / 1'000);
  sync_point("logic.before_login_answer");
  const bool is_phone = attempt->slot == Slot::kPhone || attempt->slot == Slot::kPad;
  const Millis heartbeat = is_phone ? options_.heartbeat_phone : options_.heartbeat_other;
  pb::LoginAnswer body;
  body.set_uid(attempt->session.uid.value());
  body.set_name(attempt->name);
  body.set_auth_epoch(attempt->session.auth_epoch);
  body.set_conn_counter(attempt->session.conn_counter);
  if (attempt->is_by_password) {
    body.set_session_token(p_.tokens.make(attempt->session.uid, attempt->slot, attempt->device_id,
                                          attempt->session.auth_epoch, now_ms / 1'000,
                                          options_.session_token_life));
  }
  body.set_heartbeat_ms(static_cast<std::uint32_t>(heartbeat.count()));
  body.set_storm_window_ms(static_cast<std::uint32_t>(options_.storm_window.count()));
  body.set_server_ms(now_ms);
  body.set_change_counter(attempt->change_counter);
  const StoreMarks marks = p_.log.marks();
  body.set_store_epoch(marks.store_epoch);
  body.set_clock_steps(marks.clock_steps);
  for (const std::string& entry : options_.entries) body.add_entries(entry);
  p_.metrics.login_ok(attempt->is_by_password);
  Answer out;
  out.body = body.SerializeAsString();
  out.session_opened = std::move(attempt->session);
  out.no_compress = true;
  out.heartbeat = heartbeat;
  attempt->request->answer(std::move(out));
}

void Login::refuse(const AttemptPtr& attempt, const Error& error) {
  p_.metrics.login_refused();
  attempt->request->refuse(error);
}

// The store judges passwords; when it cannot, nobody is told that a password was wrong.
void Login::refuse_store(const AttemptPtr& attempt, const Error& error) {
  const ErrorInfo& info = error_info(error.code);
  const bool is_away = info.outcome == Outcome::kUnknown || error.code == Errc::kStoreDown ||
                       error.code == Errc::kStoreFull;
  if (is_away) return refuse(attempt, Error{Errc::kAuthUnavailable, {}, kStoreRetry});
  refuse(attempt, error);
}

}  // namespace hy::logic
