#pragma once

#include <grpcpp/support/byte_buffer.h>

#include <memory>
#include <string>

#include "common/base/limits.h"
#include "common/rpc/core/batcher.h"
#include "common/rpc/loop_impl.h"
#include "common/rpc/stream.h"

namespace hy::rpc {

/// After this a stream that is being closed is cancelled, flushed or not.
inline constexpr Millis kCloseFlushMax{1'000};
/// What a server puts into its initial metadata when it has accepted a stream.
inline constexpr char kAcceptedKey[] = "hy-accepted";

using MessagePtr = std::unique_ptr<google::protobuf::MessageLite>;

/// What both ends of a stream share: the queue, one write in flight, parsing, closing. Loop thread.
class StreamBase : public RawStream, public Flushable {
 public:
  StreamBase(Loop::Impl& loop, const QueueLimits& limits);
  ~StreamBase() override;
  StreamBase(const StreamBase&) = delete;
  StreamBase& operator=(const StreamBase&) = delete;

  google::protobuf::MessageLite& next() final;
  void queued(std::size_t bytes) final;
  [[nodiscard]] bool has_room() const final;
  [[nodiscard]] std::size_t queued_envelopes() const final;
  [[nodiscard]] const PeerInfo& peer() const final { return peer_; }
  void close() final;
  void flush() final;

 protected:
  virtual void start_write(const grpc::ByteBuffer& bytes, void* tag) = 0;
  virtual MessagePtr make_out() = 0;
  /// Everything was written and close() was asked for.
  virtual void half_close() = 0;
  /// The transport is to be given up: reads and writes fail soon after.
  virtual void cancel() = 0;
  /// A shared_ptr to this, for timers.
  virtual std::weak_ptr<StreamBase> weak() = 0;
  /// After each operation's end: destroys the stream when it is over.
  virtual void settle() = 0;

  /// Counts what is written from now on to the streams of this method.
  void count_as(const std::string& method);
  void open_writes();
  void stop_writes();
  [[nodiscard]] bool parse(grpc::ByteBuffer& bytes, google::protobuf::MessageLite& into);
  /// Cancels after kCloseFlushMax, whatever happens until then.
  void arm_close_limit();
  void mark_dirty();

  Loop::Impl& loop_;
  PeerInfo peer_;
  int ops_ = 0;  // operations whose tag has not come back
  bool closing_ = false;
  bool write_in_flight_ = false;
  std::string local_fault_;  // why this end gave the stream up

 private:
  void write(MessagePtr batch);
  void on_written(bool ok);

  Batcher<MessagePtr> batcher_;
  MessagePtr in_flight_;
  StreamTraffic* traffic_ = nullptr;  ///< nullptr: of no known method
  bool writable_ = false;
  bool writes_over_ = false;
  bool dirty_ = false;
  bool half_closed_ = false;
  bool limit_armed_ = false;
  Op<StreamBase, &StreamBase::on_written> write_op_{this};
};

}  // namespace hy::rpc
