#pragma once

#include <string>
#include <vector>

#include "common/rpc/stream.h"
#include "hy/router/v1/logic_stream.pb.h"
#include "logic/ports/router_port.h"

namespace hy::logic {

class Deliverer;

/// One stream to every router replica of the group. Thread: loop.
class RouterClient final : public RouterPort {
 public:
  using Out = rpc::Stream<hy::router::v1::LogicBatch>;

  explicit RouterClient(std::vector<std::string> names);
  /// Where results go; once, before the first stream is up.
  void connect(Deliverer& deliverer) { deliverer_ = &deliverer; }

  // Stream events of replica number `replica`; the Hello is sent by the caller.
  void on_up(std::size_t replica, Out stream);
  void on_batch(std::size_t replica, hy::router::v1::RouterAnswerBatch& batch);
  void on_down(std::size_t replica);
  /// Names of the replicas that are not up.
  [[nodiscard]] std::vector<std::string> missing() const;

  [[nodiscard]] std::size_t replicas() const override { return replicas_.size(); }
  [[nodiscard]] bool is_up(std::size_t replica) const override;
  [[nodiscard]] bool is_ready(std::size_t replica) const override;
  void deliver(std::size_t replica, std::uint64_t id, const Delivery& delivery,
               std::span<const Target> targets, bool with_everyone, Millis remaining) override;
  void kick(const KickOrder& order) override;

 private:
  struct Replica {
    std::string name;
    Out stream;
    bool is_up = false;
    bool is_ready = false;
    bool is_leaving = false;
  };
  void add_result(std::uint64_t uid, std::uint64_t slot, std::uint64_t result);

  std::vector<Replica> replicas_;
  std::vector<TargetResult> results_;  ///< of the delivery that is read now
  Deliverer* deliverer_ = nullptr;
};

}  // namespace hy::logic
