#pragma once

#include <functional>

#include "common/base/random.h"
#include "das/append/store_call.h"
#include "das/lane/store_watch.h"
#include "hy/das/v1/logic_stream.pb.h"

/// The calls of the stream other than appends: decoded, and turned into work for a session.
namespace hy::das {

/// Where a call runs.
enum class CallPlace : std::uint8_t { kRead, kWrite };

/// Fills the answer on the thread that has the session.
using CallWork = std::move_only_function<Status(StoreSession&, hy::das::v1::CallAnswer&)>;

struct DecodedCall {
  CallPlace place = CallPlace::kRead;
  std::uint64_t hash = 0;  ///< which lane, for kWrite
  CallWork work;
  std::optional<ReadMark> read_mark;  ///< instead of `work`
  std::optional<UidPair> pair;        ///< instead of `work`
};

/// What call works may touch besides the session: safe on any thread.
struct CallContext {
  CacheStore& cache;
  StoreState& state;
};

/// Errors: kMalformedBody, kUnknownCommand (an op that this build does not know).
Result<DecodedCall> decode_call(hy::das::v1::Call&& call, const CallContext& context);

/// One call under way. `send` runs on the loop, in finish().
class RpcCall final : public StoreCall {
 public:
  using Send = std::move_only_function<void(hy::das::v1::CallAnswer&)>;
  RpcCall(std::uint64_t id, MonoTime deadline, DecodedCall decoded, const CallContext& context,
          Send send);
  Status run(StoreSession& session) override;
  void refuse(const Error& why) override;
  [[nodiscard]] std::optional<ReadMark> read_mark() const override { return decoded_.read_mark; }
  void marked(const Result<ReadMarked>& answer) override;
  [[nodiscard]] std::optional<UidPair> pair_to_open() const override { return decoded_.pair; }
  void opened(const PairFacts& facts) override;
  void finish() override { send_(answer_); }

 private:
  DecodedCall decoded_;
  CallContext context_;
  Send send_;
  hy::das::v1::CallAnswer answer_;
};

}  // namespace hy::das
