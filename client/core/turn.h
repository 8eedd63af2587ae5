#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "client/core/records.h"
#include "common/base/clock.h"

namespace hy::client {

/// Numbers the connections of one device, 1, 2, 3 …; an event of an older one is ignored.
using AttemptId = StrongId<struct AttemptTag, std::uint32_t>;

struct Connect {
  AttemptId attempt;
  std::string address;
};
struct SendBytes {
  AttemptId attempt;
  Bytes bytes;
};
struct CloseConnection {
  AttemptId attempt;
  bool flush = false;  ///< write what is queued first (LOGOUT)
};
using NetAction = std::variant<Connect, SendBytes, CloseConnection>;

struct Shown {
  Message message;
  /// Index among the turn's PutRow writes: not shown when its fate is kKnown.
  std::size_t row = 0;
};
struct StepChanged {
  ClientMsgId id;
  Step step;
  Errc code;
  Seq seq;
};
struct LinkChanged {
  LinkState state;
  std::string why;
};
/// The end of the first login after login(): success or why not.
struct LoginEnded {
  Status status;
};
/// The answer to a request made with Device::request().
struct Answered {
  std::uint64_t token;
  Result<Bytes> body;
};
/// READ was answered: the mark is at the server, or why not.
struct ReadEnded {
  ConversationId conversation;
  Status status;
};
/// A member of a group confirmed, or read, more than before.
struct GroupReceipt {
  ConversationId conversation;
  MemberReceipt member;
};
/// Every sync asked for so far is done and every hole known then is filled.
struct UpToDate {};
struct Ladder {
  LadderEvent event;
  bool at_release = false;  ///< its time is when the bytes leave, after the commit
};
using Notice = std::variant<Shown, StepChanged, LinkChanged, LoginEnded, Answered, ReadEnded,
                            UpToDate, Ladder, GroupReceipt>;

/// What one step of the cores wants done, in this order: the writes as one transaction; after it is
/// on disk, the network actions; then the notices. When the transaction fails nothing of the turn
/// may leave: the driver drops the turn, the connection and the cores, and loads them anew.
struct Turn {
  std::vector<Write> writes;
  std::vector<NetAction> net;
  std::vector<Notice> notices;
  std::size_t rows = 0;  ///< PutRow among the writes
  bool want_ladder = true;

  void put_row(Message message, bool show) {
    if (show) notices.emplace_back(Shown{message, rows});
    writes.emplace_back(PutRow{std::move(message)});
    ++rows;
  }
  void ladder(LadderEvent event, bool at_release = false) {
    if (want_ladder) notices.emplace_back(Ladder{std::move(event), at_release});
  }
  [[nodiscard]] bool is_empty() const { return writes.empty() && net.empty() && notices.empty(); }
  void clear() {
    writes.clear();
    net.clear();
    notices.clear();
    rows = 0;
  }
};

/// Microseconds of the monotonic clock, as ladder events carry them.
inline std::int64_t to_us(MonoTime t) {
  return std::chrono::duration_cast<std::chrono::microseconds>(t.time_since_epoch()).count();
}
inline constexpr MonoTime kNever = MonoTime::max();

}  // namespace hy::client
