#include "das/rpc/logic_service.h"

#include <algorithm>

#include "common/base/test_hooks.h"
#include "common/obs/log.h"
#include "das/rpc/codec.h"

namespace hy::das {
namespace {

constexpr std::uint32_t kVersionLow = 1;
constexpr std::uint32_t kVersionHigh = 1;
/// An answer without body on the wire, about.
constexpr std::size_t kAnswerBytes = 48;

Error not_asked_to_speak() {
  return {Errc::kDraining, "this das is stopping", {}};
}

}  // namespace

LogicService::LogicService(Options options, rpc::Loop& loop, WorkPort& workers,
                           const CallContext& context, ServiceMetrics& metrics)
    : options_(std::move(options)),
      loop_(loop),
      workers_(workers),
      context_(context),
      metrics_(metrics) {}

LogicService::~LogicService() = default;

std::unique_ptr<LogicService::StreamHandler> LogicService::make(rpc::Stream<Out> stream) {
  return std::make_unique<StreamHandler>(*this, stream, ++last_stream_);
}

bool LogicService::StreamHandler::greet(const hy::common::v1::Hello& hello) {
  const std::string& certified = stream_.peer().role;
  const bool role_fits =
      hello.role() == "logic" && (!stream_.peer().authenticated || certified == hello.role());
  const bool speaks = hello.version_low() <= kVersionHigh && hello.version_high() >= kVersionLow;
  Out& out = stream_.next();
  hy::common::v1::Hello& mine = *out.mutable_hello();
  mine.set_role("das");
  mine.set_name(service_.options_.name);
  mine.set_incarnation(service_.options_.incarnation);
  mine.set_version_low(kVersionLow);
  mine.set_version_high(kVersionHigh);
  service_.fill_state(out);
  if (!role_fits || !speaks) {
    out.mutable_goodbye()->set_code(static_cast<std::uint32_t>(Errc::kForbidden));
    out.mutable_goodbye()->set_detail(speaks ? "logics alone open this stream"
                                             : "no stream version in common");
  }
  stream_.queued(kAnswerBytes);
  if (role_fits && speaks) {
    log::info("logic_connected", {{"peer", hello.name()}, {"address", stream_.peer().address}});
    return true;
  }
  log::warn("logic_refused", {{"peer", hello.name()}, {"role", hello.role()}});
  stream_.close();
  return false;
}

void LogicService::StreamHandler::on_batch(In& batch) {
  if (!greeted_) {
    if (!batch.has_hello()) {
      log::warn("stream_without_hello", {{"address", stream_.peer().address}});
      stream_.close();
      return;
    }
    if (!greet(batch.hello())) return;
    greeted_ = true;
    service_.streams_.emplace(number_, stream_);
    service_.metrics_.streams(service_.streams_.size());
  }
  service_.on_batch(number_, batch);
}

void LogicService::StreamHandler::on_close(const std::string& why) {
  if (greeted_) log::info("logic_gone", {{"why", why}});
  service_.on_close(number_);
}

void LogicService::on_close(std::uint64_t stream) {
  streams_.erase(stream);
  metrics_.streams(streams_.size());
}

MonoTime LogicService::deadline(std::uint32_t remaining_ms) const {
  const Millis left = remaining_ms == 0 ? options_.remaining_default : Millis{remaining_ms};
  return loop_.now() + std::min(left, options_.remaining_max);
}

std::uint64_t LogicService::keep(OpenAppend open) {
  ++open_appends_;
  if (free_slots_.empty()) {
    slots_.push_back(open);
    return slots_.size() - 1;
  }
  const std::uint64_t slot = free_slots_.back();
  free_slots_.pop_back();
  slots_[slot] = open;
  return slot;
}

void LogicService::on_batch(std::uint64_t stream, In& batch) {
  std::vector<AppendRequest> appends;
  appends.reserve(static_cast<std::size_t>(batch.appends_size()));
  for (pb::Append& in : *batch.mutable_appends()) take_append(stream, in, appends);
  Completion refused;
  if (!appends.empty()) workers_.offer(std::move(appends), refused);
  for (pb::Call& in : *batch.mutable_calls()) take_call(stream, std::move(in), refused);
  if (!refused.empty()) complete(std::move(refused));
}

void LogicService::take_append(std::uint64_t stream, pb::Append& in,
                               std::vector<AppendRequest>& out) {
  const OpenAppend open{stream, in.id(), in.dyed()};
  const MonoTime until = deadline(in.remaining_ms());
  Result<AppendItem> item = draining_ ? std::unexpected(not_asked_to_speak()) : decode(in);
  if (item) {
    out.push_back({{std::move(*item), until}, keep(open), loop_.now()});
    return;
  }
  ++open_appends_;  // answer_append takes it off again
  answer_append(open, {0, std::unexpected(std::move(item).error()), 0, 0, 0});
}

void LogicService::take_call(std::uint64_t stream, pb::Call&& in, Completion& refused) {
  const std::uint64_t id = in.id();
  const MonoTime until = deadline(in.remaining_ms());
  ++open_calls_;
  auto decoded = draining_ ? Result<DecodedCall>(std::unexpected(not_asked_to_speak()))
                           : decode_call(std::move(in), context_);
  if (!decoded) {
    pb::CallAnswer answer;
    answer.set_id(id);
    encode(decoded.error(), *answer.mutable_failure());
    answer_call(stream, answer);
    return;
  }
  const CallPlace place = decoded->place;
  const std::uint64_t hash = decoded->hash;
  auto call = std::make_unique<RpcCall>(
      id, until, std::move(*decoded), context_,
      [this, stream](pb::CallAnswer& answer) { answer_call(stream, answer); });
  if (place == CallPlace::kRead)
    workers_.offer_read(std::move(call), refused);
  else
    workers_.offer_write(std::move(call), hash, refused);
}

void LogicService::complete(Completion completion) {
  sync_point("das.after_cache_before_reply");
  for (const AppendDone& done : completion.appends) {
    free_slots_.push_back(done.ticket);
    answer_append(slots_[done.ticket], done);
  }
  for (const std::unique_ptr<StoreCall>& call : completion.calls) call->finish();
}

rpc::Stream<LogicService::Out>* LogicService::writable(std::uint64_t stream) {
  const auto it = streams_.find(stream);
  if (it == streams_.end()) return nullptr;
  if (it->second.has_room()) return &it->second;
  // Answers are never dropped in silence: the peer learns by the end of the stream that its open
  // requests are unknown.
  log::warn("logic_too_slow", {{"queued", it->second.queued_envelopes()}});
  const rpc::Stream<Out> full = it->second;
  streams_.erase(it);
  full.close();
  return nullptr;
}

void LogicService::answer_append(const OpenAppend& open, const AppendDone& done) {
  --open_appends_;
  metrics_.append_answered(done.answer ? Errc::kOk : done.answer.error().code);
  rpc::Stream<Out>* stream = writable(open.stream);
  if (stream == nullptr) return;
  pb::AppendAnswer& out = *stream->next().add_appends();
  out.set_id(open.id);
  if (done.answer)
    encode(*done.answer, out);
  else
    encode(done.answer.error(), *out.mutable_failure());
  if (open.dyed) {
    out.set_lane_wait_us(done.wait_us);
    out.set_commit_us(done.commit_us);
    out.set_batch(done.batch);
  }
  stream->queued(kAnswerBytes);
}

void LogicService::answer_call(std::uint64_t stream, pb::CallAnswer& answer) {
  --open_calls_;
  metrics_.call_answered(static_cast<Errc>(answer.failure().code()));
  rpc::Stream<Out>* out = writable(stream);
  if (out == nullptr) return;
  pb::CallAnswer& slot = *out->next().add_calls();
  slot.Swap(&answer);
  out->queued(slot.ByteSizeLong());
}

void LogicService::fill_state(Out& out) const {
  out.set_store_up(store_up_);
  out.set_store_epoch(context_.state.store_epoch.load(std::memory_order_relaxed));
  out.set_clock_steps(context_.state.clock_steps.load(std::memory_order_relaxed));
}

void LogicService::set_store_up(bool up) {
  if (up == store_up_) return;
  store_up_ = up;
  announce();
}

void LogicService::announce() {
  for (auto& [number, stream] : streams_) {
    Out& out = stream.next();
    out.set_store_changed(true);
    fill_state(out);
    stream.queued(kAnswerBytes);
  }
}

void LogicService::drain() {
  draining_ = true;
  for (auto& [number, stream] : streams_) {
    Out& out = stream.next();
    out.mutable_goodbye()->set_code(static_cast<std::uint32_t>(Errc::kDraining));
    stream.queued(kAnswerBytes);
  }
}

}  // namespace hy::das
