#pragma once

#include "logic/command/request.h"
#include "logic/delivery/group_send.h"
#include "logic/delivery/send_pipeline.h"

namespace hy::logic {

/// SEND: one message to one person or into one group. Idempotent by client_msg_id. Rule:
/// wire-protocol.md#send.
class SendMessage {
 public:
  SendMessage(SendPipeline& pipeline, GroupSend& groups, Metrics& metrics)
      : pipeline_(pipeline), groups_(groups), metrics_(metrics) {}
  void run(RequestPtr request, std::string_view body);

 private:
  SendPipeline& pipeline_;
  GroupSend& groups_;
  Metrics& metrics_;
};

}  // namespace hy::logic
