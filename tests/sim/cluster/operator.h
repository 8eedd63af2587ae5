#pragma once

#include <memory>
#include <optional>
#include <string>

#include "common/base/error.h"
#include "common/base/ids.h"
#include "tests/sim/kernel/world.h"

namespace hy::sim {

/// What the operator proves to a simulated logic.
std::string operator_token();

/// `hy revoke` as a process of its own: one call to one logic, over the simulated network. On the
/// world's thread. Its node runs until the world ends, so it has to live as long.
class OperatorCall {
 public:
  /// slot kNone: every slot.
  OperatorCall(World& world, std::string logic_address, Uid uid, Slot slot);
  ~OperatorCall();
  OperatorCall(const OperatorCall&) = delete;
  OperatorCall& operator=(const OperatorCall&) = delete;

  /// kOk: the logic said that it is done. Nothing: no answer yet.
  [[nodiscard]] std::optional<Errc> answer() const { return answer_; }

 private:
  struct Life;
  World& world_;
  Node& node_;
  const std::string address_;
  const Uid uid_;
  const Slot slot_;
  std::unique_ptr<Life> life_;
  std::optional<Errc> answer_;
};

}  // namespace hy::sim
