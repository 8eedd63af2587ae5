#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/rpc/stream.h"
#include "hy/router/v1/logic_stream.pb.h"
#include "router/deliver/deliver_fanout.h"
#include "router/link/router_link.h"
#include "router/ports/logic_port.h"

namespace hy::router {

/// The streams that logics open: deliveries, kicks and queries in, results out. Loop thread.
class LogicService final : public LogicPort {
 public:
  using Out = v1::RouterAnswerBatch;
  using In = v1::LogicBatch;
  static constexpr char kMethod[] = "/hy.router.v1.LogicStream/Deliver";

  struct Identity {
    std::string instance;
    std::uint64_t boot = 0;
    std::uint64_t topology_version = 0;
  };
  LogicService(rpc::Loop& loop, Identity identity);
  /// Before the first stream. Both outlive it.
  void bind(RouterLink& link, DeliverFanout& fanout);

  [[nodiscard]] std::unique_ptr<rpc::RawHandler> open(rpc::Stream<Out> stream);
  void results(LogicId logic, std::uint64_t id, std::span<const TargetOutcome> outcomes) override;
  /// Tells every logic. `changed` false: a sign of life.
  void tell_ready(bool changed);
  void goodbye(Errc code, const std::string& detail);
  [[nodiscard]] std::size_t streams() const { return streams_.size(); }

 private:
  class LogicStream;
  void fill_hello(Out& batch) const;

  rpc::Loop& loop_;
  Identity identity_;
  RouterLink* link_ = nullptr;
  DeliverFanout* fanout_ = nullptr;
  std::uint64_t last_logic_ = 0;
  std::map<LogicId, LogicStream*> streams_;
  std::vector<Target> targets_;  ///< of the delivery that is read now
};

}  // namespace hy::router
