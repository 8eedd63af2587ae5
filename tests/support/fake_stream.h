#pragma once

#include <deque>
#include <memory>
#include <utility>

#include "common/rpc/stream.h"

namespace hy::test {

/// A stream without a network: what was queued since the last taken() is one batch.
template <class Out>
class FakeStream final : public rpc::RawStream {
 public:
  google::protobuf::MessageLite& next() override { return *next_; }
  void queued(std::size_t bytes) override {
    ++envelopes_;
    bytes_ += bytes;
  }
  [[nodiscard]] bool has_room() const override { return has_room_; }
  [[nodiscard]] std::size_t queued_envelopes() const override { return envelopes_; }
  [[nodiscard]] const rpc::PeerInfo& peer() const override { return peer_; }
  void close() override { is_closed_ = true; }

  [[nodiscard]] rpc::Stream<Out> stream() { return rpc::Stream<Out>(this); }
  /// What would have been written; the next batch starts empty.
  Out taken() {
    envelopes_ = 0;
    bytes_ = 0;
    Out out = std::move(*next_);
    next_ = std::make_unique<Out>();
    return out;
  }
  void set_peer(rpc::PeerInfo peer) { peer_ = std::move(peer); }
  void set_room(bool has_room) { has_room_ = has_room; }
  [[nodiscard]] bool is_closed() const { return is_closed_; }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  std::unique_ptr<Out> next_ = std::make_unique<Out>();
  std::size_t envelopes_ = 0;
  std::size_t bytes_ = 0;
  bool has_room_ = true;
  bool is_closed_ = false;
  rpc::PeerInfo peer_;
};

}  // namespace hy::test
