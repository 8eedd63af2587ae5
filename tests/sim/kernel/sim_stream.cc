#include "tests/sim/kernel/sim_stream.h"

#include <algorithm>
#include <utility>

#include "common/base/limits.h"

namespace hy::rpc {
namespace {

using sim::End;
using sim::Packet;

constexpr Millis kCloseFlushMax{1'000};
constexpr std::uint64_t kSerialiseOneIn = 16;

BatcherLimits batcher_limits(const QueueLimits& limits) {
  return {.batch_envelopes_max = limits::kBatchEnvelopesMax,
          .batch_bytes_max = limits::kBatchBytesMax,
          .queue_envelopes_max = limits.envelopes_max,
          .queue_bytes_max = limits.bytes_max};
}

}  // namespace

SimStream::SimStream(Loop::Impl& loop, const QueueLimits& limits, StreamOwner& owner,
                     std::shared_ptr<Connection> connection, Connection::Side side)
    : loop_(loop),
      owner_(&owner),
      connection_(std::move(connection)),
      side_(side),
      batcher_(batcher_limits(limits), [this] { return owner_->make_out(*this); }) {
  connection_->attach(side_, this);
}

SimStream::~SimStream() {
  loop_.forget(this);
  connection_->attach(side_, nullptr);
}

void SimStream::queued(std::size_t bytes) {
  if (writes_over_) {
    batcher_.clear();
    return;
  }
  batcher_.count(bytes);
  mark_dirty();
}

void SimStream::close() {
  if (closing_) return;
  closing_ = true;
  loop_.add_timer(kCloseFlushMax, Millis{0}, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->cancel("not flushed in time");
  });
  mark_dirty();
}

void SimStream::on_packet(Packet packet) {
  heard_at_ = loop_.world.now();
  if (packet.tag == kPong) return;
  if (packet.tag == kPing) return send_tag(kPong);
  tell({shared_from_this(), std::move(packet), Happened::kPacket});
}

void SimStream::on_end(End how) {
  tell({shared_from_this(), {}, how == End::kFin ? Happened::kFin : Happened::kReset});
}

void SimStream::on_room() {
  tell({shared_from_this(), {}, Happened::kRoom});
}

void SimStream::open_writes() {
  writable_ = true;
  if (!std::exchange(keeps_alive_, true)) keep_alive(kKeepAliveEvery);
  if (!batcher_.empty() || closing_) mark_dirty();
}

void SimStream::stop_writes() {
  writes_over_ = true;
  writable_ = false;
  batcher_.clear();
}

void SimStream::has_room_again() {
  waits_for_room_ = false;
  if (!batcher_.empty() || closing_) mark_dirty();
}

void SimStream::send_tag(Tag tag) {
  Packet packet;
  packet.size = 16;
  packet.tag = tag;
  connection_->send(side_, std::move(packet));
}

void SimStream::flush() {
  dirty_ = false;
  if (!writable_ || waits_for_room_) return;
  if (!batcher_.empty()) {
    write(batcher_.take());
  } else if (closing_ && !half_closed_) {
    half_closed_ = true;
    half_close();
  }
}

void SimStream::flush_all() {
  while (writable_ && !writes_over_ && !batcher_.empty()) write(batcher_.take());
}

void SimStream::cancel(const std::string& why) {
  if (over) return;
  if (local_fault.empty()) local_fault = why;
  stop_writes();
  connection_->reset(side_);
  tell({shared_from_this(), {}, Happened::kReset});
}

void SimStream::cancel_silently() {
  stop_writes();
  connection_->reset(side_);
}

void SimStream::finish() {
  stop_writes();
  connection_->close(side_);
}

void SimStream::happened(Ready& event) {
  if (event.what == Happened::kRoom) return has_room_again();
  owner_->happened(*this, event);
}

void SimStream::tell(Ready event) {
  loop_.came(std::move(event));
}

void SimStream::mark_dirty() {
  if (!writable_ || waits_for_room_ || dirty_) return;
  dirty_ = true;
  loop_.mark_dirty(this);
  if (!loop_.in_turn) loop_.wake_at(loop_.world.now());
}

void SimStream::keep_alive(Millis wait) {
  loop_.add_timer(std::max(wait, Millis{1}), Millis{0}, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (self == nullptr || self->over) return;
    const MonoTime heard = std::max(self->heard_at_, self->loop_.node->resumed_at());
    const auto silent = self->loop_.world.now() - heard;
    if (silent < kKeepAliveEvery) {
      self->is_asking_ = false;
      return self->keep_alive(std::chrono::ceil<Millis>(kKeepAliveEvery - silent));
    }
    if (std::exchange(self->is_asking_, true)) return self->cancel("keep-alive ran out");
    self->send_tag(kPing);
    self->keep_alive(kKeepAliveWithin);
  });
}

void SimStream::half_close() {
  if (!is_server()) return send_tag(kWritesDone);
  finish();
  tell({shared_from_this(), {}, Happened::kFinished});
}

void SimStream::write(MessagePtr batch) {
  const std::size_t size = batch->ByteSizeLong();
  if (size > limits::kRpcMessageBytesMax) {
    cancel("a batch of " + std::to_string(size) + " bytes is above the limit");
    return;
  }
  Packet packet;
  packet.size = size;
  packet.tag = kBatch;
  if (loop_.world.one_in(kSerialiseOneIn)) {
    MessagePtr copy(batch->New());
    if (!copy->ParseFromString(batch->SerializeAsString())) {
      cancel("a batch that does not parse");
      return;
    }
    batch = std::move(copy);
  }
  packet.message = std::move(batch);
  connection_->send(side_, std::move(packet));
  waits_for_room_ = !connection_->has_room(side_);
  if (!waits_for_room_ && (!batcher_.empty() || closing_)) mark_dirty();
}

}  // namespace hy::rpc
