#pragma once

#include <cstdint>
#include <vector>

#include "das/append/append_planner.h"

namespace hy::das {

/// What a broken session left behind, until it is known or its caller has stopped listening.
///
/// A COMMIT whose reply was lost is neither stored nor refused. On a new session the append is run
/// again row by row: its locking read waits for the old transaction to end and then either finds
/// the row (the first answer) or stores it. A plain read would not do: while the old transaction is
/// in flight it finds nothing. What is still unknown at its deadline is answered kOutcomeUnknown,
/// never a refusal: the sender's device resends the same id. What was certainly not stored is run
/// again on the new session too, or answered `down` when there is none. Thread: one lane's. Bounded
/// by what one batch holds: a lane takes no new batch while something is unresolved.
class CommitResolver {
 public:
  struct Open {
    std::size_t ticket = 0;  ///< the lane's number of the caller
    PendingAppend pending;
    bool unknown = false;  ///< a COMMIT that held it was sent
  };
  struct Answer {
    std::size_t ticket = 0;
    Result<Stored> answer;
  };
  struct Answers {
    std::vector<Answer> answers;
    std::vector<CommittedHead> heads;  ///< raise before the answers go out
    std::vector<Uid> tell;             ///< these too, besides the pairs of `heads`
    std::size_t resolved = 0;          ///< unknown ones that became known
    bool broken = false;
    Error why_broken;
  };

  void add(Open open) { open_.push_back(std::move(open)); }
  [[nodiscard]] bool empty() const { return open_.empty(); }
  [[nodiscard]] std::size_t size() const { return open_.size(); }

  /// A new session is there. What breaks it again stays.
  Answers resolve(AppendPlanner& planner, MessageLog& log);
  /// No session could be opened: what was certainly not stored is answered `down`, and what is
  /// unknown is answered kOutcomeUnknown once its deadline has passed.
  Answers give_up(MonoTime now, const Error& down);

 private:
  Answers resolve_by_plain_read(MessageLog& log);
  std::vector<Open> open_;
};

}  // namespace hy::das
