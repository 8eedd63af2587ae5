#include "entry/link/hub.h"

#include <algorithm>
#include <utility>

#include "common/base/check.h"
#include "common/base/test_hooks.h"
#include "entry/session/small_bodies.h"

namespace hy::entry {
namespace {

constexpr std::uint16_t kFlagRefused = 0x0004;
// What a client is told to wait when an inner tier cannot take its command.
constexpr Millis kRetryAfter{500};

}  // namespace

Hub::Hub(LogicPort& logic_port, RouterPort& router_port, Random& random, HubOptions options)
    : options_(options),
      routers_(router_port, random, options.replicas, options.incarnation, options.link),
      logics_(logic_port, options.logics, options.logic,
              [this](const Command& command, Errc code) { refuse(command, code); }),
      down_(options.shards) {
  HY_CHECK(options.shards >= 1 && options.shards <= kShardsMax);
}

void Hub::on_connections(UpBatch& batch, MonoTime now) {
  for (Command& command : batch.commands) on_command(std::move(command), now);
  for (const Confirm& confirm : batch.confirms) logics_.confirm(confirm);
  for (const DeliveryResult& result : batch.results) routers_.result(result);
  for (const Closed& closed : batch.closed) on_closed(closed);
  batch.clear();
}

void Hub::on_command(Command command, MonoTime now) {
  if (command.type != inner_type::kPing || options_.pings_wait == Millis{0})
    return logics_.submit(std::move(command), now);
  if (pings_.empty()) pings_since_ = now;
  pings_.push_back(std::move(command));
  if (pings_.size() >= options_.pings_max) send_pings(now);
}

void Hub::send_pings(MonoTime now) {
  for (Command& ping : pings_) logics_.submit(std::move(ping), now);
  pings_.clear();
}

void Hub::refuse(const Command& command, Errc code) {
  switch (code) {
    case Errc::kUnavailable: ++counts_.refused_unavailable; break;
    case Errc::kOverloaded: ++counts_.refused_overloaded; break;
    case Errc::kDeadlineExceeded: ++counts_.refused_deadline; break;
    default: break;
  }
  Answer answer;
  answer.conn = command.conn;
  answer.type = command.type | inner_type::kAnswerBit;
  answer.flags = kFlagRefused;
  answer.request_id = command.request_id;
  answer.body = refused_body(code, kRetryAfter);
  answer.refused = code;
  answer.by_entry = true;
  shard_of(command.conn).answers.push_back(std::move(answer));
}

/// "Not done" is what the second logic knows; the first one may have done it before it went. The
/// client asks again, and what it is told then is true.
void Hub::say_what_is_known(Answer& answer) {
  if ((answer.flags & kFlagRefused) == 0) return;
  const Error said = error_of_refused(answer.body);
  const Errc known = truth_of_second_try(said.code);
  if (known == said.code) return;
  answer.body = refused_body(known, std::max(said.retry_after, kRetryAfter));
  answer.refused = known;
}

void Hub::refuse_stale(ConnId conn, std::uint32_t request_id, std::uint32_t counter) {
  ++counts_.logins_stale;
  Answer answer;
  answer.conn = conn;
  answer.type = inner_type::kLogin | inner_type::kAnswerBit;
  answer.flags = kFlagRefused;
  answer.request_id = request_id;
  answer.body = refused_body(Errc::kStaleEpoch, Millis{0}, {}, counter);
  answer.refused = Errc::kStaleEpoch;
  answer.by_entry = true;
  shard_of(conn).answers.push_back(std::move(answer));
}

void Hub::on_reply(std::uint32_t logic, LogicReply reply, MonoTime now) {
  sync_point("entry.reply_before_answer");
  auto command = logics_.take(logic, reply.id);
  if (!command) {
    ++counts_.late_replies;
    return;
  }
  reply.answer.conn = command->conn;
  reply.answer.request_id = command->request_id;
  if (command->type == inner_type::kLogin && reply.session_opened) {
    open_session(*command, std::move(reply), now);
    return;
  }
  if (command->is_second_try && command->session) say_what_is_known(reply.answer);
  reply.answer.renewed = std::move(reply.session_opened);  // not only PING's: it may send none
  if (command->type == inner_type::kLogout && (reply.answer.flags & kFlagRefused) == 0) {
    reply.answer.close = true;
  }
  shard_of(command->conn).answers.push_back(std::move(reply.answer));
}

void Hub::open_session(const Command& command, LogicReply reply, MonoTime now) {
  const Session& session = *reply.session_opened;
  PlacementLog& log = routers_.placements();
  const auto newest = log.newest_epoch(session.uid, session.slot);
  if (newest && *newest >= session.epoch) {
    refuse_stale(command.conn, command.request_id, newest->conn);
    return;
  }
  if (const auto older = log.find(session.uid, session.slot)) {
    sync_point("entry.displaced_before_close");
    ++counts_.displaced;
    // Another auth_epoch is another installation; the same one has only reconnected.
    const bool elsewhere = older->epoch.auth != session.epoch.auth;
    shard_of(older->conn)
        .kicks.push_back({.conn = older->conn,
                          .below = session.epoch,
                          .code = elsewhere ? Errc::kKicked : Errc::kStaleSession,
                          .reason = {}});
  }
  sync_point("entry.before_register");
  Registering& entry = registering_.emplace_back();
  entry.op = log.put(session.uid, session.slot, session.epoch, command.conn);
  entry.deadline = now + options_.register_within;
  entry.opened.session = session;
  entry.opened.heartbeat = reply.heartbeat;
  entry.opened.answer = std::move(reply.answer);
}

void Hub::finish_registrations(MonoTime now) {
  while (!registering_.empty()) {
    Registering& first = registering_.front();
    if (!first.cancelled) {
      const bool waits = !mutant(Mutant::kRegisteredAfterLoginAnswer) && now < first.deadline;
      if (waits && !routers_.live_replicas_confirmed(first.op)) return;
      // "Not every replica knows this session yet": the device syncs once more after its first
      // PONG.
      const bool partial = !routers_.all_replicas_confirmed(first.op) &&
                           !mutant(Mutant::kRegisteredAfterLoginAnswer);
      if (partial) {
        sync_point("entry.registered_partly");
        ++counts_.logins_partial;
        append_registration_partial(first.opened.answer.body);
      }
      sync_point("entry.after_register_before_login_ack");
      ++counts_.logins_ok;
      shard_of(first.opened.answer.conn).opened.push_back(std::move(first.opened));
    }
    registering_.pop_front();
  }
}

void Hub::on_closed(const Closed& closed) {
  std::erase_if(pings_, [&](const Command& ping) { return ping.conn == closed.conn; });
  sync_point("entry.closed_before_logic_told");
  logics_.closed(closed);
  PlacementLog& log = routers_.placements();
  if (closed.session) {
    sync_point("entry.before_del");
    if (mutant(Mutant::kUnreachableKeepsPlacement) && closed.why == Errc::kUnreachable) return;
    log.erase(closed.session->uid, closed.session->slot, closed.conn);
    return;
  }
  for (Registering& entry : registering_) {
    if (entry.cancelled || entry.opened.answer.conn != closed.conn) continue;
    entry.cancelled = true;
    log.erase(entry.opened.session.uid, entry.opened.session.slot, closed.conn);
  }
}

void Hub::on_router_down(std::uint32_t replica, MonoTime now) {
  routers_.on_down(replica, now);
  finish_registrations(now);
}

RouterLink::Verdict Hub::on_router_news(std::uint32_t replica, const RouterNews& news,
                                        MonoTime now) {
  const RouterLink::Verdict verdict = routers_.on_news(replica, news, now);
  finish_registrations(now);
  return verdict;
}

void Hub::on_kick(const RouterKick& kick) {
  sync_point("entry.before_kick");
  ConnId conn = kick.conn;
  if (conn == ConnId{}) {
    const auto live = routers_.placements().find(kick.uid, kick.slot);
    if (!live || (!(live->epoch < kick.below) && !mutant(Mutant::kKickWithoutEpoch))) return;
    conn = live->conn;
  }
  for (Registering& entry : registering_) {
    if (entry.cancelled || entry.opened.answer.conn != conn) continue;
    const Session& session = entry.opened.session;
    if (!(session.epoch < kick.below)) return;
    // SUPERSEDED before LOGIN_ACK: the device raises its counter and tries again.
    entry.cancelled = true;
    routers_.placements().erase(session.uid, session.slot, conn);
    refuse_stale(conn, entry.opened.answer.request_id, kick.below.conn);
    return;
  }
  shard_of(conn).kicks.push_back(
      {.conn = conn, .below = kick.below, .code = kick.code, .reason = kick.reason});
}

void Hub::on_forward(std::uint32_t replica, RouterForward forward, MonoTime now) {
  const DeliveryRef ref{.replica = replica, .stream = routers_.stream(replica), .id = forward.id};
  sync_point("entry.forward_before_window");
  const MonoTime deadline = now + forward.remaining;
  const auto make = [&] {
    Delivery out;
    out.ref = ref;
    out.payload = forward.payload;
    out.numbered = forward.numbered;
    out.until_ack = forward.until_ack;
    out.ephemeral = forward.ephemeral;
    out.brief = forward.brief;
    out.deadline = deadline;
    return out;
  };
  if (down_.size() == 1) {
    Delivery out = make();
    out.conns = std::move(forward.conns);
    down_.front().add(std::move(out));
    return;
  }
  std::vector<Delivery> parts(down_.size());
  for (const ConnId conn : forward.conns) {
    Delivery& part = parts[conn_shard(conn) % down_.size()];
    if (part.conns.empty()) part = make();
    part.conns.push_back(conn);
  }
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (!parts[i].conns.empty()) down_[i].add(std::move(parts[i]));
  }
}

void Hub::step(MonoTime now) {
  if (!pings_.empty() && now - pings_since_ >= options_.pings_wait) send_pings(now);
  logics_.expire(now);
  routers_.step(now, draining_);
  finish_registrations(now);
}

void Hub::end_turn(MonoTime now) {
  routers_.flush(now);
  finish_registrations(now);
}

}  // namespace hy::entry
