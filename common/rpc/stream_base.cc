#include "common/rpc/stream_base.h"

#include <google/protobuf/message_lite.h>
#include <grpc/slice.h>
#include <grpcpp/support/slice.h>

#include <utility>

#include "common/obs/metrics.h"

namespace hy::rpc {
namespace {

grpc::ByteBuffer to_buffer(const google::protobuf::MessageLite& message, std::size_t size) {
  grpc_slice raw = grpc_slice_malloc(size);
  message.SerializeWithCachedSizesToArray(GRPC_SLICE_START_PTR(raw));
  const grpc::Slice slice(raw, grpc::Slice::STEAL_REF);
  return {&slice, 1};
}

BatcherLimits batcher_limits(const QueueLimits& limits) {
  return {.batch_envelopes_max = limits::kBatchEnvelopesMax,
          .batch_bytes_max = limits::kBatchBytesMax,
          .queue_envelopes_max = limits.envelopes_max,
          .queue_bytes_max = limits.bytes_max};
}

}  // namespace

StreamBase::StreamBase(Loop::Impl& loop, const QueueLimits& limits)
    : loop_(loop), batcher_(batcher_limits(limits), [this] { return make_out(); }) {}

StreamBase::~StreamBase() {
  loop_.forget(this);
}

google::protobuf::MessageLite& StreamBase::next() {
  return *batcher_.open();
}

void StreamBase::queued(std::size_t bytes) {
  if (writes_over_) {
    batcher_.clear();
    return;
  }
  batcher_.count(bytes);
  mark_dirty();
}

bool StreamBase::has_room() const {
  return !writes_over_ && !closing_ && batcher_.has_room();
}

std::size_t StreamBase::queued_envelopes() const {
  return batcher_.envelopes();
}

void StreamBase::close() {
  if (closing_) return;
  closing_ = true;
  arm_close_limit();
  mark_dirty();
}

void StreamBase::arm_close_limit() {
  if (std::exchange(limit_armed_, true)) return;
  loop_.add_timer(kCloseFlushMax, Millis{0}, [self = weak()] {
    if (const auto stream = self.lock()) stream->cancel();
  });
}

void StreamBase::mark_dirty() {
  if (!writable_ || write_in_flight_ || dirty_) return;
  dirty_ = true;
  loop_.mark_dirty(this);
}

void Loop::show_traffic(const std::string& method, obs::Registry& registry) {
  const StreamTraffic& traffic = impl_->traffic[method];
  const obs::Labels labels{{"stream", method}};
  const auto show = [&](const char* name, const char* help, const auto& count) {
    registry.counter_fn(
        name, help, [&count] { return static_cast<double>(count.load(std::memory_order_relaxed)); },
        labels);
  };
  show("hy_rpc_messages_sent_total", "Messages written to streams between daemons",
       traffic.messages);
  show("hy_rpc_envelopes_sent_total", "Envelopes in those messages", traffic.envelopes);
}

void StreamBase::count_as(const std::string& method) {
  traffic_ = &loop_.traffic[method];
}

void StreamBase::open_writes() {
  writable_ = true;
  if (!batcher_.empty() || closing_) mark_dirty();
}

void StreamBase::stop_writes() {
  writes_over_ = true;
  writable_ = false;
  batcher_.clear();
}

void StreamBase::flush() {
  dirty_ = false;
  if (!writable_ || write_in_flight_) return;
  if (!batcher_.empty()) {
    if (traffic_ != nullptr) {
      traffic_->messages.fetch_add(1, std::memory_order_relaxed);
      traffic_->envelopes.fetch_add(batcher_.first_envelopes(), std::memory_order_relaxed);
    }
    write(batcher_.take());
  } else if (closing_ && !half_closed_) {
    half_closed_ = true;
    half_close();
  }
}

void StreamBase::write(MessagePtr batch) {
  const std::size_t size = batch->ByteSizeLong();
  if (size > limits::kRpcMessageBytesMax) {
    // The peer would refuse it with a status that ends the stream; say what happened instead.
    local_fault_ = "a batch of " + std::to_string(size) + " bytes is above the limit";
    stop_writes();
    cancel();
    return;
  }
  in_flight_ = std::move(batch);
  write_in_flight_ = true;
  ++ops_;
  start_write(to_buffer(*in_flight_, size), static_cast<CqEvent*>(&write_op_));
}

void StreamBase::on_written(bool ok) {
  --ops_;
  write_in_flight_ = false;
  if (ok) {
    in_flight_->Clear();
    batcher_.recycle(std::move(in_flight_));
    if (!batcher_.empty() || closing_) mark_dirty();
  } else {
    stop_writes();  // the read fails too, and tells the owner
  }
  settle();
}

bool StreamBase::parse(grpc::ByteBuffer& bytes, google::protobuf::MessageLite& into) {
  grpc::Slice slice;
  if (!bytes.TrySingleSlice(&slice).ok() && !bytes.DumpToSingleSlice(&slice).ok()) return false;
  bytes.Clear();
  return slice.size() <= limits::kRpcMessageBytesMax &&
         into.ParseFromArray(slice.begin(), static_cast<int>(slice.size()));
}

}  // namespace hy::rpc
