#include <algorithm>
#include <utility>

#include "common/base/check.h"
#include "common/base/test_hooks.h"
#include "entry/net/shard.h"
#include "entry/session/small_bodies.h"

namespace hy::entry {
namespace {

constexpr Millis kHeartbeatDefault{60'000};
constexpr std::size_t kCalmResultsMax = 8'192;
/// Work on groups' messages in one turn, a few milliseconds. One more message for a connection that
/// gets one in this turn anyway counts 1, the first counts kSendCosts: it is the send that costs.
/// So the messages that wait for one large group leave together, one send for each member.
constexpr std::size_t kCrowdPerTurn = 3'584;
constexpr std::size_t kSendCosts = 4;

}  // namespace

void Shard::on_down(DownBatch& batch) {
  for (Opened& opened : batch.opened) on_opened(opened);
  for (Answer& answer : batch.answers) on_answer(answer);
  for (Delivery& delivery : batch.deliveries) {
    if (delivery.brief) {
      crowd_waiting_.fetch_add(delivery.conns.size(), std::memory_order_relaxed);
      crowd_.push_back(std::move(delivery));
    } else {
      on_delivery(delivery);
    }
  }
  if (!crowd_posted_) serve_crowd();
  if (calm_results_.size() >= kCalmResultsMax) append_moved(up_.results, calm_results_);
  for (const KickOrder& kick : batch.kicks) on_kick(kick);
}

void Shard::on_opened(Opened& opened) {
  Answer& answer = opened.answer;
  Connection* c = table_.find(answer.conn);
  if (c == nullptr || c->closing || c->fsm.state() != ConnState::kLoggingIn) {
    // It closed while logic and the routers worked: the hub has to take the placement back.
    up_.closed.push_back({.conn = answer.conn, .session = opened.session, .why = Errc::kOk});
    return;
  }
  if (c->in_flight > 0) --c->in_flight;
  const Errc admitted = gatekeeper_.login(c->address, opened.session.uid);
  metrics_.login(admitted);
  if (admitted != Errc::kOk) {
    up_.closed.push_back({.conn = answer.conn, .session = opened.session, .why = admitted});
    queue_frame(*c, answer.type, wire::kFlagRefused, answer.request_id, refused_body(admitted));
    close_when_sent(*c, admitted);
    return;
  }
  sync_point("entry.opened_before_login_ack");
  c->fsm.on_opened();
  c->session = opened.session;
  const Millis heartbeat = opened.heartbeat.count() > 0 ? opened.heartbeat : kHeartbeatDefault;
  c->heartbeat_ms = static_cast<std::uint32_t>(heartbeat.count());
  metrics_.opened();
  append_ack_terms(answer.body, ack_terms(options_.window));
  queue_frame(*c, answer.type, answer.flags, answer.request_id, std::move(answer.body));
  if (leaving_) send_goaway(*c, Millis{1'000}, Errc::kDraining);
  arm_next(*c);
}

void Shard::on_answer(Answer& answer) {
  Connection* c = table_.find(answer.conn);
  if (c == nullptr || c->closing) return;
  const bool is_login = answer.type == (inner_type::kLogin | inner_type::kAnswerBit);
  if (answer.by_entry) metrics_.refused_command(answer.refused);
  if (answer.renewed && c->fsm.is_open() && answer.renewed->uid == c->session.uid) {
    c->session.grant = answer.renewed->grant;
    c->session.grant_expires_s = answer.renewed->grant_expires_s;
  }
  const bool may_compress = c->fsm.is_open() && !answer.no_compress;
  queue_frame(*c, answer.type, answer.flags, answer.request_id, std::move(answer.body),
              may_compress, patience_with_refusal(*c, answer.refused));
  if (is_login && !c->fsm.is_open()) {
    // A login that opened nothing was refused.
    metrics_.login(answer.refused == Errc::kOk ? Errc::kInternal : answer.refused);
    if (!c->fsm.on_login_refused()) {
      close_when_sent(*c, answer.refused);
      return;
    }
  }
  if (answer.close) {
    close_when_sent(*c, answer.close_why);
    return;
  }
  if (answer.type != (inner_type::kPing | inner_type::kAnswerBit)) answered(*c);
}

void Shard::answered(Connection& c) {
  if (c.in_flight > 0) --c.in_flight;
  const bool resumes = !c.reading && c.in_flight * 4 <= options_.in_flight_max * 3;
  if (!resumes) return;
  set_interest(c, true, c.blocked);
  Bytes unread = std::exchange(activity(c).unread, {});
  if (unread.empty()) return;
  consume(c, {reinterpret_cast<std::uint8_t*>(unread.data()), unread.size()});
}

void Shard::on_delivery(const Delivery& delivery) {
  for (const ConnId conn : delivery.conns) {
    Connection* c = table_.find(conn);
    DeliverOutcome outcome = DeliverOutcome::kGone;
    if (c != nullptr && !c->closing) outcome = deliver(*c, delivery);
    if (delivery.ref.id == 0) continue;
    // Nothing follows from a push that went well; who is gone may be found elsewhere.
    const bool is_urgent = outcome == DeliverOutcome::kGone || delivery.until_ack || !is_busy();
    (is_urgent ? up_.results : calm_results_)
        .push_back({.ref = delivery.ref, .conn = conn, .outcome = outcome});
    if (!is_urgent) ask_soon();
  }
}

/// Groups' messages, in their order, so much a turn: the turn is short then however much is said in
/// groups, and whoever writes to one person does not wait for it.
void Shard::serve_crowd() {
  std::size_t budget = kCrowdPerTurn;
  while (budget > 0 && !crowd_.empty()) {
    const Delivery& delivery = crowd_.front();
    const std::size_t count =
        deliver_to_some(delivery, std::span(delivery.conns).subspan(crowd_at_), budget);
    crowd_at_ += count;
    crowd_waiting_.fetch_sub(count, std::memory_order_relaxed);
    if (crowd_at_ < delivery.conns.size()) break;
    crowd_.pop_front();
    crowd_at_ = 0;
  }
  crowd_posted_ = !crowd_.empty();
  if (!crowd_posted_) return;
  post_([this] {
    now_ = clock_.now();
    serve_crowd();
    end_turn();
  });
}

/// Part of a brief delivery, to as many as the budget allows: who is gone is named, may be found
/// elsewhere; the others are counted. How many connections were served.
std::size_t Shard::deliver_to_some(const Delivery& delivery, std::span<const ConnId> conns,
                                   std::size_t& budget) {
  std::uint32_t written = 0;
  std::uint32_t queued = 0;
  std::size_t served = 0;
  for (; served < conns.size() && budget > 0; ++served) {
    const ConnId conn = conns[served];
    Connection* c = table_.find(conn);
    const std::size_t cost = c != nullptr && !c->dirty ? kSendCosts : 1;
    budget -= std::min(budget, cost);
    if (c == nullptr || c->closing) {
      if (delivery.ref.id != 0) up_.results.push_back({.ref = delivery.ref, .conn = conn});
      continue;
    }
    ++(deliver(*c, delivery) == DeliverOutcome::kWritten ? written : queued);
  }
  if (delivery.ref.id == 0) return served;
  const bool may_wait = is_busy();
  std::vector<DeliveryResult>& to = may_wait ? calm_results_ : up_.results;
  const auto say = [&](DeliverOutcome outcome, std::uint32_t count) {
    if (count == 0) return;
    to.push_back({.ref = delivery.ref, .conn = ConnId{}, .outcome = outcome, .count = count});
  };
  say(DeliverOutcome::kWritten, written);
  say(DeliverOutcome::kQueued, queued);
  if (may_wait) ask_soon();
  return served;
}

DeliverOutcome Shard::deliver(Connection& c, const Delivery& delivery) {
  // Registered, but LOGIN_ACK is not out yet: the SYNC that follows it brings the message.
  if (!c.fsm.is_open()) return DeliverOutcome::kQueued;
  OutFrame frame;
  frame.type = delivery.payload->type;
  frame.push = delivery.payload;
  Activity& a = activity(c);
  const std::uint32_t hints = a.queue.hints();
  bool taken = false;
  if (!delivery.numbered) {
    taken = a.queue.offer_push(std::move(frame), delivery.ephemeral, options_.queue) ==
            OutboundQueue::Push::kQueued;
  } else if (!a.queue.has_room(delivery.payload->body.size(), options_.queue)) {
    a.queue.drop_push();
  } else {
    if (!a.window) a.window = std::make_unique<PushWindow>(c.next_push);
    std::optional<DeliveryRef> waiter;
    if (delivery.until_ack && delivery.ref.id != 0) waiter = delivery.ref;
    const auto number = a.window->offer(delivery.payload, options_.window, waiter,
                                        now_ + options_.until_ack_within);
    switch (number.offer) {
      case PushWindow::Offer::kDuplicate: return DeliverOutcome::kWritten;
      case PushWindow::Offer::kFull: a.queue.drop_push(); break;
      case PushWindow::Offer::kTaken:
        frame.request_id = number.number.value();
        a.queue.add(std::move(frame));
        metrics_.window_grew();
        taken = true;
        break;
    }
  }
  if (a.queue.hints() != hints) metrics_.sync_hint(1);
  if (delivery.payload->type == inner_type::kReceipt && a.queue.hints() == hints) {
    mark_patient(c, Patience::kReceipt);
  } else {
    mark_dirty(c);
  }
  return taken && !c.blocked ? DeliverOutcome::kWritten : DeliverOutcome::kQueued;
}

void Shard::on_kick(const KickOrder& kick) {
  Connection* c = table_.find(kick.conn);
  if (c == nullptr || c->closing || !c->fsm.is_open()) return;
  if (!(c->session.epoch < kick.below) && !mutant(Mutant::kKickWithoutEpoch)) return;
  sync_point("entry.kicked_before_close");
  activity(*c).queue.drop_waiting_pushes();
  queue_frame(*c, inner_type::kKicked, 0, 0, refused_body(kick.code, Millis{0}, kick.reason));
  close_when_sent(*c, kick.code);
}

}  // namespace hy::entry
