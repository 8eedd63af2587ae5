#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/rpc/stream.h"
#include "das/lane/work_port.h"
#include "das/rpc/calls.h"

namespace hy::das {

/// What the service counts; loop thread.
class ServiceMetrics {
 public:
  virtual ~ServiceMetrics() = default;
  virtual void append_answered(Errc code) = 0;
  virtual void call_answered(Errc code) = 0;
  virtual void streams(std::size_t open) = 0;
};

/// Streams that logics open (/hy.das.v1.LogicStream/Data): appends to lanes, calls to lanes and
/// readers, answers back, once per batch in both directions. Everything runs on the loop; nothing
/// here blocks. A full queue is answered kOverloaded with retry_after; a stream whose peer does not
/// read its answers is closed.
class LogicService {
 public:
  struct Options {
    std::string name;               ///< "das-a"
    std::uint64_t incarnation = 0;  ///< unix ms at start
    Millis remaining_default{5'000};
    Millis remaining_max{30'000};
  };
  using In = hy::das::v1::DataBatch;
  using Out = hy::das::v1::DataAnswerBatch;
  class StreamHandler;

  /// All arguments outlive the service.
  LogicService(Options options, rpc::Loop& loop, WorkPort& workers, const CallContext& context,
               ServiceMetrics& metrics);
  ~LogicService();
  LogicService(const LogicService&) = delete;
  LogicService& operator=(const LogicService&) = delete;

  /// For Server::serve_with.
  std::unique_ptr<StreamHandler> make(rpc::Stream<Out> stream);
  /// Loop. What a lane or reader finished.
  void complete(Completion completion);
  /// Loop. Tells every logic when it differs from what was told before.
  void set_store_up(bool up);
  /// Loop. Epoch, steps: told again to every logic.
  void announce();
  /// Loop. Goodbye to every logic; new requests are refused with kDraining.
  void drain();
  [[nodiscard]] std::size_t streams() const { return streams_.size(); }
  /// Requests taken and not answered yet.
  [[nodiscard]] std::size_t open_requests() const { return open_appends_ + open_calls_; }

 private:
  friend class StreamHandler;
  struct OpenAppend {
    std::uint64_t stream = 0;
    std::uint64_t id = 0;
    bool dyed = false;
  };
  void on_batch(std::uint64_t stream, In& batch);
  void on_close(std::uint64_t stream);
  void take_append(std::uint64_t stream, hy::das::v1::Append& in, std::vector<AppendRequest>& out);
  void take_call(std::uint64_t stream, hy::das::v1::Call&& in, Completion& refused);
  void answer_append(const OpenAppend& open, const AppendDone& done);
  void answer_call(std::uint64_t stream, hy::das::v1::CallAnswer& answer);
  std::uint64_t keep(OpenAppend open);
  /// nullptr: gone, or full and now closing.
  rpc::Stream<Out>* writable(std::uint64_t stream);
  void fill_state(Out& out) const;
  [[nodiscard]] MonoTime deadline(std::uint32_t remaining_ms) const;

  const Options options_;
  rpc::Loop& loop_;
  WorkPort& workers_;
  const CallContext context_;
  ServiceMetrics& metrics_;
  std::map<std::uint64_t, rpc::Stream<Out>> streams_;
  std::uint64_t last_stream_ = 0;
  std::vector<OpenAppend> slots_;
  std::vector<std::uint64_t> free_slots_;
  std::size_t open_appends_ = 0;
  std::size_t open_calls_ = 0;
  bool store_up_ = false;
  bool draining_ = false;
};

/// One logic's stream.
class LogicService::StreamHandler final : public rpc::Handler<Out, In> {
 public:
  StreamHandler(LogicService& service, rpc::Stream<Out> stream, std::uint64_t number)
      : service_(service), stream_(stream), number_(number) {}
  void on_batch(In& batch) override;
  void on_close(const std::string& why) override;

 private:
  bool greet(const hy::common::v1::Hello& hello);

  LogicService& service_;
  rpc::Stream<Out> stream_;
  std::uint64_t number_;
  bool greeted_ = false;
};

}  // namespace hy::das
