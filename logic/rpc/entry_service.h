#pragma once

#include <memory>
#include <unordered_map>

#include "common/rpc/stream.h"
#include "hy/logic/v1/entry_stream.pb.h"
#include "logic/ports/reply_port.h"

namespace hy::logic {

class Dispatcher;
class Metrics;
class Receipts;

/// /hy.logic.v1.EntryStream/Session: what entries forward comes in, answers go out. Thread: loop.
class EntryService final : public ReplyPort {
 public:
  using In = hy::logic::v1::EntryBatch;
  using Out = hy::logic::v1::LogicBatch;
  struct Options {
    std::string instance;  ///< "logic-a"
    std::uint64_t incarnation = 0;
    Millis deadline_max{3'000};
  };

  EntryService(const Clock& clock, Metrics& metrics, Options options);
  ~EntryService() override;
  /// Where commands and confirmations go; once, before the first stream.
  void connect(Dispatcher& dispatcher, Receipts& receipts) {
    dispatcher_ = &dispatcher;
    receipts_ = &receipts;
  }

  [[nodiscard]] std::unique_ptr<rpc::Handler<Out, In>> make_handler(rpc::Stream<Out> stream);
  void reply(const RequestContext& context, Answer answer) override;
  void leave(const RequestContext& /*context*/) override { --in_flight_; }
  /// Tells every entry to use another logic; open requests still get their answers.
  void say_goodbye();
  [[nodiscard]] std::size_t streams() const { return streams_.size(); }
  /// Commands taken in and not ended yet.
  [[nodiscard]] std::uint64_t in_flight() const { return in_flight_; }

 private:
  class Session;
  void take(Session& session, In& batch);
  void forward(Session& session, hy::logic::v1::Forward& in, MonoTime arrival);

  const Clock& clock_;
  Metrics& metrics_;
  Options options_;
  Dispatcher* dispatcher_ = nullptr;
  Receipts* receipts_ = nullptr;
  std::uint64_t last_stream_ = 0;
  std::uint64_t last_request_ = 0;
  std::uint64_t in_flight_ = 0;
  std::unordered_map<std::uint64_t, Session*> streams_;
};

}  // namespace hy::logic
