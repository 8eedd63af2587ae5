#include "das/lane/lane_core.h"

#include <algorithm>
#include <map>

#include "common/base/test_hooks.h"

namespace hy::das {
namespace {

using std::chrono::duration_cast;

std::uint32_t micros(std::chrono::nanoseconds spent) {
  const auto us = duration_cast<std::chrono::microseconds>(spent).count();
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(us, 0, UINT32_MAX));
}

/// How often an unknown COMMIT is looked at again while no session can be opened.
constexpr Millis kUnresolvedPeriod{100};

}  // namespace

Error LaneQueue::refusal(LaneFsm::Offer offered) const {
  if (offered == LaneFsm::Offer::kClosed) return {Errc::kDraining, {}, {}};
  return {Errc::kOverloaded, "the lane's queue is full", fsm_.retry_after()};
}

void LaneQueue::offer(std::vector<AppendRequest> requests, Completion& refused) {
  for (AppendRequest& request : requests) {
    const std::uint64_t ticket = request.ticket;
    Error why = shut_.value_or(Error{});
    if (!shut_) {
      const LaneFsm::Offer offered = fsm_.offer(std::move(request));
      if (offered == LaneFsm::Offer::kQueued) continue;
      why = refusal(offered);
    }
    refused.appends.push_back({ticket, std::unexpected(std::move(why)), 0, 0, 0});
  }
}

bool LaneQueue::offer(std::unique_ptr<StoreCall> call, Completion& refused) {
  Error why = shut_.value_or(Error{});
  if (!shut_) {
    const LaneFsm::Offer offered = fsm_.offer(std::move(call));
    if (offered == LaneFsm::Offer::kQueued) return true;
    why = refusal(offered);
  }
  call->refuse(why);
  refused.calls.push_back(std::move(call));
  return false;
}

LaneCore::LaneCore(LaneOptions options, Engine& engine, const Clock& clock,
                   std::unique_ptr<Random> random, LaneObserver& observer, LaneDoor& door,
                   CompletionSink sink)
    : options_(options),
      engine_(engine),
      clock_(clock),
      random_(std::move(random)),
      observer_(observer),
      door_(door),
      sink_(std::move(sink)),
      planner_(clock, options.recent_ids_max),
      next_try_(clock.now()),
      next_look_(next_try_),
      backoff_(options.backoff_min) {}

MonoTime LaneCore::due() const {
  const MonoTime until = session_ ? next_look_ : next_try_;
  return resolver_.empty() ? until : std::min(until, clock_.now() + kUnresolvedPeriod);
}

void LaneCore::begin() {
  if (session_ || clock_.now() < next_try_ || !open_session()) return;
  Completion done;
  resolve(done);
  deliver(std::move(done));
}

void LaneCore::end() {
  Completion done;
  take_answers(resolver_.give_up(MonoTime::max(), down_), done);
  deliver(std::move(done));
  session_.reset();
}

void LaneCore::serve(LaneBatch batch) {
  Completion done;
  if (!session_) {
    take_answers(resolver_.give_up(clock_.now(), down_), done);
    refuse(std::move(batch), down_, done);
    deliver(std::move(done));
    return;
  }
  const Error expired{Errc::kDeadlineExceeded, "in the lane's queue", {}};
  refuse({std::move(batch.expired_appends), std::move(batch.expired_calls), {}, {}}, expired, done);
  if (!batch.appends.empty()) append(batch, done);
  // Appends first: a call of the same turn never had to wait for one of them.
  deliver(std::exchange(done, {}));
  if (!batch.calls.empty()) call(batch.calls, done);
  deliver(std::move(done));
  if (session_) session_->maintain();
  if (session_ && clock_.now() >= next_look_) look();
}

void LaneCore::append(LaneBatch& batch, Completion& done) {
  const MonoTime begun = clock_.now();
  std::vector<PendingAppend> pending;
  pending.reserve(batch.appends.size());
  for (AppendRequest& request : batch.appends) pending.push_back(std::move(request.pending));
  const bool acked = mutant(Mutant::kAckBeforeCommit) && ack_unseen(batch, pending);
  BatchOutcome outcome = planner_.run(session_->messages(), pending);
  // The change counters have moved before anyone is told: what an answer causes finds them.
  raise_counters(outcome.heads, outcome.tell);
  const auto spent = clock_.now() - begun;
  const auto rows = static_cast<std::uint32_t>(pending.size());
  bool full = false;
  std::int64_t stamp = 0;
  done.appends.reserve(done.appends.size() + pending.size());
  for (std::size_t i = 0; i < pending.size(); ++i) {
    const AppendRequest& request = batch.appends[i];
    AppendVerdict& verdict = outcome.verdicts[i];
    const auto waited = begun - request.arrived;
    observer_.waited(waited);
    if (acked) continue;
    if (verdict.state == AppendVerdict::State::kAnswered) {
      full = full || (!verdict.answer && verdict.answer.error().code == Errc::kStoreFull);
      if (verdict.answer && !verdict.answer->repeat) stamp = verdict.answer->server_ms;
      done.appends.push_back(
          {request.ticket, std::move(verdict.answer), micros(waited), micros(spent), rows});
    } else {
      resolver_.add(
          {request.ticket, std::move(pending[i]), verdict.state == AppendVerdict::State::kUnknown});
    }
  }
  if (stamp > 0) observer_.stamped(stamp);
  observer_.batch_done(rows, outcome.fast, outcome.repeats, outcome.conflicts, spent);
  door_.took(rows, spent);
  if (outcome.broken || session_->is_broken()) {
    deliver(std::exchange(done, {}));
    recover(outcome.why_broken, done);
  } else {
    backoff_ = options_.backoff_min;
    note_room(full);
  }
}

/// Mutant: everybody is told the place that he will probably get, and then COMMIT is tried.
bool LaneCore::ack_unseen(const LaneBatch& batch, std::span<const PendingAppend> pending) {
  Completion early;
  std::map<ConversationId, std::uint64_t> heads;
  MessageLog& log = session_->messages();
  for (std::size_t i = 0; i < pending.size(); ++i) {
    const AppendItem& item = pending[i].item;
    const auto known = log.find({item.sender, item.conv, Seq{}, item.sender, item.client_msg_id});
    if (!known && known.error().code != Errc::kMessageNotFound) return false;
    Stored stored{Seq{}, clock_.wall_ms(), known.has_value()};
    if (known) {
      stored.seq = known->message.seq;
    } else {
      if (!heads.contains(item.conv)) {
        PullQuery query{.uid = item.sender, .conv = item.conv, .last = 1};
        query.messages_max = query.bytes_max = 1;
        const auto tail = log.pull(query);
        if (!tail) return false;
        heads[item.conv] = tail->head.value();
      }
      stored.seq = Seq{++heads[item.conv]};
    }
    early.appends.push_back({batch.appends[i].ticket, stored, 0, 0, 1});
  }
  deliver(std::move(early));
  return true;
}

void LaneCore::raise_counters(std::span<const CommittedHead> heads, std::vector<Uid>& tell) {
  if (!heads.empty()) engine_.cache().committed(heads);
  if (tell.empty()) return;
  // Several messages of one group in a batch name the same people.
  std::ranges::sort(tell);
  const auto [first, last] = std::ranges::unique(tell);
  tell.erase(first, last);
  engine_.cache().changed(tell);
}

void LaneCore::note_room(bool full) {
  if (full) {
    observer_.lane_failed(options_.number, {Errc::kStoreFull, {}, {}});
    look_again_soon();
  } else if (full_) {
    observer_.lane_works(options_.number);
  }
  full_ = full;
}

void LaneCore::recover(const Error& why, Completion& done) {
  // Also a session that does not call itself broken: an engine that answered "store down" through
  // it would answer so again, and what waits here would wait for ever.
  lose_session(why);
  if (open_session())
    resolve(done);
  else
    take_answers(resolver_.give_up(clock_.now(), down_), done);
}

void LaneCore::resolve(Completion& done) {
  if (resolver_.empty()) return;
  CommitResolver::Answers answers = resolver_.resolve(planner_, session_->messages());
  const bool broken = answers.broken || session_->is_broken();
  take_answers(std::move(answers), done);
  if (broken) lose_session(down_);
}

void LaneCore::take_answers(CommitResolver::Answers answers, Completion& done) {
  raise_counters(answers.heads, answers.tell);
  if (answers.resolved > 0) observer_.resolved(answers.resolved);
  if (answers.broken) down_ = answers.why_broken;
  for (CommitResolver::Answer& answer : answers.answers)
    done.appends.push_back({answer.ticket, std::move(answer.answer), 0, 0, 0});
}

void LaneCore::call(std::vector<std::unique_ptr<StoreCall>>& calls, Completion& done) {
  std::vector<std::unique_ptr<StoreCall>> marks;
  std::vector<std::unique_ptr<StoreCall>> pairs;
  for (std::unique_ptr<StoreCall>& one : calls) {
    if (one->read_mark()) {
      marks.push_back(std::move(one));
      continue;
    }
    if (one->pair_to_open()) {
      pairs.push_back(std::move(one));
      continue;
    }
    if (!session_) {
      one->refuse(down_);
    } else if (auto ran = one->run(*session_); session_->is_broken()) {
      recover(ran ? down_ : ran.error(), done);
      if (!ran && ran.error().code == Errc::kStoreDown && session_)
        static_cast<void>(one->run(*session_));
    }
    done.calls.push_back(std::move(one));
  }
  if (!pairs.empty()) open_pairs(pairs, done);
  if (marks.empty()) return;
  mark_reads(marks);
  if (session_ && session_->is_broken()) recover(down_, done);
  std::ranges::move(marks, std::back_inserter(done.calls));
}

void LaneCore::open_pairs(std::vector<std::unique_ptr<StoreCall>>& pairs, Completion& done) {
  std::vector<UidPair> all;
  all.reserve(pairs.size());
  for (const auto& one : pairs) all.push_back(*one->pair_to_open());
  Result<std::vector<PairFacts>> facts = std::unexpected(down_);
  // Idempotent: whatever became of a try, there may be another.
  for (int tries = 0; session_ && tries < 3; ++tries) {
    facts = session_->membership().open_pairs(all);
    if (session_->is_broken()) {
      recover(facts ? down_ : facts.error(), done);
    } else if (facts || facts.error().code != Errc::kOverloaded) {
      break;
    }
    if (facts) break;
  }
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    if (facts)
      pairs[i]->opened((*facts)[i]);
    else
      pairs[i]->refuse(facts.error());
    done.calls.push_back(std::move(pairs[i]));
  }
}

void LaneCore::mark_reads(std::vector<std::unique_ptr<StoreCall>>& marks) {
  if (!session_) {
    for (auto& one : marks) one->refuse(down_);
    return;
  }
  std::vector<ReadMark> all;
  all.reserve(marks.size());
  for (const auto& one : marks) all.push_back(*one->read_mark());
  auto answers = session_->membership().mark_read(all);
  for (int tries = 1; !answers && answers.error().code == Errc::kOverloaded && tries < 3; ++tries)
    answers = session_->membership().mark_read(all);
  for (std::size_t i = 0; i < marks.size(); ++i) {
    if (answers)
      marks[i]->marked((*answers)[i]);
    else
      marks[i]->refuse(answers.error());
  }
}

void LaneCore::refuse(LaneBatch batch, const Error& why, Completion& done) {
  for (const AppendRequest& request : batch.appends)
    done.appends.push_back({request.ticket, std::unexpected(why), 0, 0, 0});
  for (std::unique_ptr<StoreCall>& one : batch.calls) {
    one->refuse(why);
    done.calls.push_back(std::move(one));
  }
}

bool LaneCore::open_session() {
  auto opened = engine_.open_writer();
  if (opened) {
    session_ = std::move(*opened);
    planner_.forget();
    look();
    return session_ != nullptr;
  }
  down_ = opened.error();
  observer_.lane_failed(options_.number, down_);
  back_off();
  return false;
}

void LaneCore::back_off() {
  next_try_ =
      clock_.now() + Millis{1 + random_->below(static_cast<std::uint64_t>(backoff_.count()))};
  backoff_ = std::min(backoff_ * 2, options_.backoff_max);
  door_.shut(down_);
}

void LaneCore::lose_session(const Error& why) {
  session_.reset();
  // Whatever broke it: for the callers after this one nothing was done.
  down_ = {why.code == Errc::kStoreFull ? Errc::kStoreFull : Errc::kStoreDown, why.detail, {}};
  observer_.lane_failed(options_.number, down_);
  back_off();
}

void LaneCore::look() {
  next_look_ = clock_.now() + options_.look_period;
  const Status looked = observer_.look(options_.number, *session_);
  if (session_->is_broken()) {
    lose_session(looked ? Error{Errc::kStoreDown, "lost while idle", {}} : looked.error());
    return;
  }
  // The door is open before anyone is told so.
  door_.open();
  if (!looked) {
    observer_.lane_failed(options_.number, looked.error());
    look_again_soon();
    return;
  }
  // While it says "full" nobody gives it anything to write, so no append would ever tell.
  if (full_ && !can_write()) {
    look_again_soon();
    if (session_->is_broken()) lose_session({Errc::kStoreFull, {}, {}});
    return;
  }
  full_ = false;
  observer_.lane_works(options_.number);
}

void LaneCore::look_again_soon() {
  next_look_ = std::min(next_look_, clock_.now() + options_.backoff_max);
}

bool LaneCore::can_write() {
  const auto facts = session_->facts();
  return facts && session_->beat(facts->store_ms).has_value();
}

void LaneCore::deliver(Completion done) {
  if (!done.empty()) sink_(std::move(done));
}

}  // namespace hy::das
