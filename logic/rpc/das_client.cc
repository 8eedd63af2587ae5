#include "logic/rpc/das_client.h"

#include <algorithm>

#include "logic/metrics.h"
#include "logic/rpc/das_codec.h"

namespace hy::logic {
namespace pb = hy::das::v1;
namespace {

constexpr Millis kFullRetry{200};
constexpr Millis kDownRetry{2'000};
/// What an envelope takes beside its body.
constexpr std::size_t kAppendOverheadBytes = 160;

std::uint64_t text_hash(std::string_view text) {
  std::uint64_t h = 0;
  for (const char c : text) h = mix64(h ^ static_cast<unsigned char>(c));
  return h;
}

/// Worth another das: this one could not, and nothing was decided. (An append may have happened;
/// its id makes the second one a repeat.)
bool may_go_elsewhere(Errc code) {
  return code == Errc::kUnavailable || code == Errc::kDraining || code == Errc::kOverloaded;
}

}  // namespace

DasClient::DasClient(std::vector<std::string> names, const Clock& clock, Metrics& metrics,
                     Options options)
    : clock_(clock),
      metrics_(metrics),
      options_(options),
      retries_(options.retry_percent, options.retry_credit_max),
      wheel_(clock.now()) {
  for (std::string& name : names) {
    Peer peer;
    peer.name_hash = text_hash(name);
    peer.name = std::move(name);
    peers_.push_back(std::move(peer));
  }
}

void DasClient::on_up(std::size_t peer, Out stream) {
  peers_[peer].stream = stream;
  peers_[peer].is_up = true;
  peers_[peer].is_leaving = false;
  peers_[peer].store_up = true;  // until it says otherwise in its hello
  peers_[peer].is_suspect = false;
  peers_[peer].heard = clock_.now();
  metrics_.store_up(store_up());
}

void DasClient::on_down(std::size_t peer) {
  peers_[peer].is_up = false;
  peers_[peer].stream = {};
  metrics_.store_up(store_up());
  std::vector<std::uint64_t> appends;
  std::vector<std::uint64_t> calls;
  for (const auto& [id, pending] : appends_) {
    if (pending.sent.peer == peer) appends.push_back(id);
  }
  for (const auto& [id, pending] : calls_) {
    if (pending.sent.peer == peer) calls.push_back(id);
  }
  // Ids rise with time: what was issued first for a conversation is sent first again.
  std::ranges::sort(appends);
  std::ranges::sort(calls);
  for (const std::uint64_t id : appends) retry_or_end_append(id, {Errc::kOutcomeUnknown, {}, {}});
  for (const std::uint64_t id : calls) retry_or_end_call(id, {Errc::kUnavailable, {}, {}});
}

void DasClient::learn(std::size_t peer, const pb::DataAnswerBatch& batch) {
  if (batch.has_hello() || batch.store_changed()) {
    peers_[peer].store_up = batch.store_up();
    if (batch.store_epoch() != 0 || batch.clock_steps() != 0) {
      marks_ = {batch.store_epoch(), batch.clock_steps()};
    }
    metrics_.store_up(store_up());
    if (batch.store_up() && store_back_) store_back_();
  }
  if (batch.has_goodbye()) peers_[peer].is_leaving = true;
}

void DasClient::on_batch(std::size_t peer, pb::DataAnswerBatch& batch) {
  peers_[peer].heard = clock_.now();
  peers_[peer].is_suspect = false;
  learn(peer, batch);
  for (pb::AppendAnswer& answer : *batch.mutable_appends()) on_append(peer, answer);
  for (CallAnswer& answer : *batch.mutable_calls()) on_call(peer, answer);
}

// Those whose store works first; a das that said goodbye only when there is no other.
std::optional<std::size_t> DasClient::choose(std::uint64_t hash,
                                             std::optional<std::size_t> other_than) const {
  std::optional<std::size_t> best;
  std::uint64_t best_score = 0;
  int best_class = -1;
  for (std::size_t i = 0; i < peers_.size(); ++i) {
    const Peer& peer = peers_[i];
    if (!peer.is_up || peer.is_suspect || i == other_than || !peer.stream.has_room()) continue;
    const int rank = (peer.store_up ? 2 : 0) + (peer.is_leaving ? 0 : 1);
    const std::uint64_t score = mix64(hash ^ peer.name_hash);
    if (rank < best_class || (rank == best_class && score < best_score)) continue;
    best = i;
    best_class = rank;
    best_score = score;
  }
  return best;
}

Error DasClient::refusal() const {
  const bool any_answers =
      std::ranges::any_of(peers_, [](const Peer& p) { return p.is_up && !p.is_suspect; });
  if (any_answers) {
    metrics_.das_refused_full();
    return {Errc::kOverloaded, "the queue to das is full", kFullRetry};
  }
  return {Errc::kStoreDown, "no das answers", kDownRetry};
}

MonoTime DasClient::cut(MonoTime deadline) const {
  return std::min(deadline, clock_.now() + options_.call_within);
}

std::uint32_t DasClient::remaining_ms(MonoTime deadline) const {
  const auto left = std::chrono::duration_cast<Millis>(deadline - clock_.now()).count();
  return static_cast<std::uint32_t>(std::max<std::int64_t>(left, 1));
}

void DasClient::append(std::shared_ptr<const AppendRequest> request, Done<Appended> done) {
  const std::uint64_t hash = std::hash<ConversationId>{}(request->conversation);
  const auto peer = choose(hash, std::nullopt);
  if (!peer) return done(std::unexpected(refusal()));
  retries_.on_request();
  const std::uint64_t id = ++last_id_;
  const MonoTime deadline = cut(request->call.deadline);
  PendingAppend pending{
      {*peer, false, hash, deadline, clock_.now()}, std::move(request), std::move(done)};
  write(id, pending);
  wheel_.add(id, deadline + options_.grace);
  appends_.emplace(id, std::move(pending));
}

void DasClient::write(std::uint64_t id, const PendingAppend& pending) {
  const Out& stream = peers_[pending.sent.peer].stream;
  pb::Append& out = *stream.next().add_appends();
  encode(*pending.request, out);
  out.set_id(id);
  out.set_remaining_ms(remaining_ms(pending.sent.deadline));
  stream.queued(kAppendOverheadBytes + pending.request->body.size());
}

void DasClient::start(Call call, std::uint64_t hash, CallContext context, CallDone done) {
  const auto peer = choose(hash, std::nullopt);
  if (!peer) return done(std::unexpected(refusal()));
  retries_.on_request();
  const std::uint64_t id = ++last_id_;
  const MonoTime deadline = cut(context.deadline);
  call.set_id(id);
  call.set_trace(context.trace.value());
  PendingCall pending{
      {*peer, false, hash, deadline, clock_.now()}, std::move(call), std::move(done)};
  write(id, pending);
  wheel_.add(id, deadline + options_.grace);
  calls_.emplace(id, std::move(pending));
}

void DasClient::write(std::uint64_t /*id*/, const PendingCall& pending) {
  const Out& stream = peers_[pending.sent.peer].stream;
  Call& out = *stream.next().add_calls();
  out = pending.call;
  out.set_remaining_ms(remaining_ms(pending.sent.deadline));
  stream.queued(out.ByteSizeLong());
}

std::optional<std::size_t> DasClient::take_retry(const Sent& sent) {
  if (sent.is_retried || clock_.now() >= sent.deadline) return std::nullopt;
  const auto peer = choose(sent.hash, sent.peer);
  if (!peer || !retries_.take()) return std::nullopt;
  metrics_.das_retry();
  return peer;
}

void DasClient::retry_or_end_append(std::uint64_t id, Error error) {
  const auto it = appends_.find(id);
  if (const auto peer = take_retry(it->second.sent)) {
    it->second.sent.peer = *peer;
    it->second.sent.is_retried = true;
    it->second.sent.at = clock_.now();
    return write(id, it->second);
  }
  if (error_info(error.code).outcome == Outcome::kUnknown) metrics_.das_unknown();
  Done<Appended> done = std::move(it->second.done);
  appends_.erase(it);
  done(std::unexpected(std::move(error)));
}

void DasClient::retry_or_end_call(std::uint64_t id, Error error) {
  const auto it = calls_.find(id);
  if (const auto peer = take_retry(it->second.sent)) {
    it->second.sent.peer = *peer;
    it->second.sent.is_retried = true;
    it->second.sent.at = clock_.now();
    return write(id, it->second);
  }
  CallDone done = std::move(it->second.done);
  calls_.erase(it);
  done(std::unexpected(std::move(error)));
}

void DasClient::on_append(std::size_t peer, pb::AppendAnswer& answer) {
  const auto it = appends_.find(answer.id());
  if (it == appends_.end()) return;  // its time was over
  if (answer.has_failure() && answer.failure().code() != 0) {
    if (it->second.sent.peer != peer) return;  // given up there: another das is at it
    Error error = error_of(answer.failure());
    if (may_go_elsewhere(error.code)) return retry_or_end_append(answer.id(), std::move(error));
    Done<Appended> done = std::move(it->second.done);
    appends_.erase(it);
    return done(std::unexpected(std::move(error)));
  }
  Done<Appended> done = std::move(it->second.done);
  appends_.erase(it);
  // An answer without a seq proves nothing: it is not turned into STORED.
  if (answer.seq() == 0) return done(fail(Errc::kOutcomeUnknown, "das gave no seq"));
  done(appended_of(answer));
}

void DasClient::on_call(std::size_t peer, CallAnswer& answer) {
  const auto it = calls_.find(answer.id());
  if (it == calls_.end()) return;
  if (answer.has_failure() && answer.failure().code() != 0) {
    if (it->second.sent.peer != peer) return;
    Error error = error_of(answer.failure());
    if (may_go_elsewhere(error.code)) return retry_or_end_call(answer.id(), std::move(error));
    CallDone done = std::move(it->second.done);
    calls_.erase(it);
    return done(std::unexpected(std::move(error)));
  }
  CallDone done = std::move(it->second.done);
  calls_.erase(it);
  done(&answer);
}

// A das that is stopped keeps its stream: only silence over open work tells.
void DasClient::watch(std::size_t peer) {
  Peer& p = peers_[peer];
  const MonoTime now = clock_.now();
  if (!p.is_up || now - p.heard < options_.suspect_after) return;
  if (!p.is_suspect) {
    const auto is_overdue = [&](const auto& open) {
      return open.second.sent.peer == peer && now - open.second.sent.at >= options_.suspect_after;
    };
    if (!std::ranges::any_of(appends_, is_overdue) && !std::ranges::any_of(calls_, is_overdue)) {
      return;
    }
    p.is_suspect = true;
    metrics_.store_up(store_up());
    move_away(peer);
  }
  if (now - p.probed < options_.probe_every || !p.stream.has_room()) return;
  p.probed = now;
  // An empty question with a number that nobody waits for: any answer shows that it lives.
  Call& probe = *p.stream.next().add_calls();
  probe.mutable_change_counters();
  probe.set_remaining_ms(remaining_ms(now + options_.probe_every));
  p.stream.queued(probe.ByteSizeLong());
}

// What cannot be retried goes on waiting: the answer may still come.
void DasClient::move_away(std::size_t peer) {
  std::vector<std::uint64_t> ids;
  for (const auto& [id, pending] : appends_) {
    if (pending.sent.peer == peer) ids.push_back(id);
  }
  for (const auto& [id, pending] : calls_) {
    if (pending.sent.peer == peer) ids.push_back(id);
  }
  std::ranges::sort(ids);
  const auto move = [this](std::uint64_t id, auto& pending) {
    const auto to = take_retry(pending.sent);
    if (!to) return;
    pending.sent.peer = *to;
    pending.sent.is_retried = true;
    pending.sent.at = clock_.now();
    write(id, pending);
  };
  for (const std::uint64_t id : ids) {
    if (const auto append = appends_.find(id); append != appends_.end()) {
      move(id, append->second);
    } else {
      move(id, calls_.find(id)->second);
    }
  }
}

void DasClient::tick() {
  for (std::size_t i = 0; i < peers_.size(); ++i) watch(i);
  due_.clear();
  wheel_.due(clock_.now(), due_);
  for (const std::uint64_t id : due_) {
    if (const auto append = appends_.find(id); append != appends_.end()) {
      metrics_.das_unknown();
      Done<Appended> done = std::move(append->second.done);
      appends_.erase(append);
      done(fail(Errc::kOutcomeUnknown, "no answer from das in time"));
    } else if (const auto call = calls_.find(id); call != calls_.end()) {
      CallDone done = std::move(call->second.done);
      calls_.erase(call);
      done(fail(Errc::kDeadlineExceeded, "no answer from das in time"));
    }
  }
}

std::vector<std::string> DasClient::missing() const {
  std::vector<std::string> out;
  for (const Peer& peer : peers_) {
    if (!peer.is_up) out.push_back(peer.name);
  }
  return out;
}

bool DasClient::store_up() const {
  return std::ranges::any_of(peers_,
                             [](const Peer& p) { return p.is_up && p.store_up && !p.is_suspect; });
}

}  // namespace hy::logic
