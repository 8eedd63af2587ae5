#include "logic/command/dispatcher.h"

#include <utility>

#include "common/base/test_hooks.h"
#include "hy/client/v1/command.pb.h"
#include "logic/metrics.h"

namespace hy::logic {
namespace {

constexpr Millis kFullLineRetry{200};
constexpr Millis kOverloadRetry{1'000};

Errc too_large(const CommandRow& row) {
  return row.number == hy::client::v1::SEND ? Errc::kBodyTooLarge : Errc::kMalformedBody;
}

}  // namespace

// What goes straight through, and nearly all does, makes no closure and copies no body.
void Dispatcher::dispatch(RequestContext context, std::string_view body) {
  const CommandRow* row = find_command(context.type);
  auto request = std::make_unique<Request>(std::move(context), p_.replies, p_.metrics);
  if (row == nullptr) return request->refuse(Error{Errc::kUnknownCommand, {}});
  if (body.size() > row->body_bytes_max) return request->refuse(Error{too_large(*row), {}});
  const RequestContext& c = request->context();
  if (row->needs_session) {
    if (!c.session) return request->refuse(Error{Errc::kNotLoggedIn, {}});
    const std::int64_t now_s = p_.clock.wall_ms() / 1'000;
    if (const Status grant = p_.grants.check(*c.session, c.entry, c.conn, now_s); !grant) {
      p_.metrics.grant_refused();
      return request->refuse(RefusalBody{.code = Errc::kGrantInvalid}, Errc::kGrantInvalid);
    }
    // By a PING always: the next one may come as late as the entry bears silence.
    if (row->number == hy::client::v1::PING || p_.grants.wants_renewal(*c.session, now_s)) {
      SessionInfo renewed = *c.session;
      p_.grants.give(renewed, c.entry, c.conn, now_s);
      request->renew(std::move(renewed));
    }
    if (const Status rate = p_.rates.take(row->rate, c.session->uid, c.arrival); !rate) {
      return request->refuse(rate.error());
    }
  }
  // The wait for this thread alone: a session that waits for its own slow command is no overload.
  const MonoTime now = p_.clock.now();
  admission_.on_dequeue(now, now - c.arrival);
  p_.metrics.shed_level(admission_.shed_level());
  const std::uint64_t whose = c.session ? c.session->uid.value() : c.conn.value();
  if (!admission_.admit(now, row->priority, mix64(whose))) {
    return request->refuse(Error{Errc::kOverloaded, {}, kOverloadRetry});
  }
  if (auto turn = p_.fifo.enter_now({c.stream, c.conn})) {
    request->turn = *std::move(turn);
    return fence(*row, std::move(request), body, now);
  }
  wait_in_line(*row, std::move(request), body);
}

void Dispatcher::wait_in_line(const CommandRow& row, RequestPtr request, std::string_view body) {
  const SessionFifo::Key key{request->context().stream, request->context().conn};
  // Shared, because a full line leaves the request here to be refused.
  auto held = std::make_shared<RequestPtr>(std::move(request));
  SessionFifo::Job job = [this, &row, held, kept = Bytes(body)](SessionFifo::Turn turn) mutable {
    RequestPtr mine = std::move(*held);
    mine->turn = std::move(turn);
    fence(row, std::move(mine), kept, p_.clock.now());
  };
  if (!p_.fifo.enter(key, job)) {
    (*held)->refuse(Error{Errc::kTooManyInFlight, {}, kFullLineRetry});
  }
}

void Dispatcher::fence(const CommandRow& row, RequestPtr request, std::string_view body,
                       MonoTime now) {
  const auto waited = now - request->context().arrival;
  p_.metrics.queued_for(waited);
  // Nobody waits for it any more: the device sends it again, or has given up.
  if (now >= request->context().deadline) return request->leave_unanswered();
  if (waited > options_.queue_wait_max) {
    return request->refuse(Error{Errc::kOverloaded, {}, kOverloadRetry});
  }
  if (!row.needs_session) return start(row, std::move(request), body);
  const SlotKey key{request->uid(), request->session().slot};
  const std::uint32_t epoch = request->session().auth_epoch;
  if (const auto is_stale = p_.fence.is_stale_now(key, epoch)) {
    return pass(row, std::move(request), body, *is_stale);
  }
  p_.fence.check(key, epoch,
                 [this, &row, request = std::move(request),
                  kept = Bytes(body)](const AuthFence::Verdict& verdict) mutable {
                   pass(row, std::move(request), kept, verdict.is_stale);
                 });
}

void Dispatcher::pass(const CommandRow& row, RequestPtr request, std::string_view body,
                      bool is_stale) {
  if (is_stale && !mutant(Mutant::kSendIgnoresAuthEpoch)) {
    return request->refuse(RefusalBody{.code = Errc::kStaleSession}, Errc::kStaleSession);
  }
  start(row, std::move(request), body);
}

void Dispatcher::start(const CommandRow& row, RequestPtr request, std::string_view body) {
  // The next command of the session starts when this one has issued what it does.
  SessionFifo::Turn turn;
  if (!row.keeps_turn) turn = std::move(request->turn);
  row.run(commands_, std::move(request), body);
}

}  // namespace hy::logic
