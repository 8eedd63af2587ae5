#pragma once

#include "logic/command/request.h"
#include "logic/delivery/send_pipeline.h"

namespace hy::logic {

/// SEND: one message to one person. Idempotent by client_msg_id. Rule: wire-protocol.md#send.
class SendMessage {
 public:
  SendMessage(SendPipeline& pipeline, Metrics& metrics) : pipeline_(pipeline), metrics_(metrics) {}
  void run(RequestPtr request, std::string_view body);

 private:
  SendPipeline& pipeline_;
  Metrics& metrics_;
};

}  // namespace hy::logic
