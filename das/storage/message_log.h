#pragma once

#include <span>

#include "das/storage/types.h"

namespace hy::das {

/// The conversations' logs. guarantees.md §5 is the contract; in short:
///
/// Order and density: seqs of a conversation are 1, 2, 3 … without a hole, given under the row lock
/// of `conversation` (or by the single writer) inside the transaction that inserts the rows. A
/// reader that has seen seq n never later finds a new row below n.
/// Durability: success is returned only after COMMIT returned success, or a read under the lock
/// proved that an earlier one did. COMMIT and ROLLBACK are sent as statements.
/// Identity: (conv, sender, client_msg_id) is unique. A repeat gets the first (seq, server_ms).
/// Errors of any method, besides the ones it names: kStoreDown (nothing was done, is_broken()),
/// kOutcomeUnknown (COMMIT was sent, is_broken()), kStoreFull (nothing was done), kOverloaded (lock
/// wait or deadlock: everything is rolled back, the session is fine, try again), kInternal.
/// After any error the transaction is rolled back completely.
/// Thread: the session's own. Blocks for at most the engine's statement and lock limits (3 s).
class MessageLog {
 public:
  virtual ~MessageLog() = default;

  /// One transaction for the whole batch, which assumes that nothing in it is a repeat.
  /// items: 1 .. 256, grouped by conversation with conversations ascending, within one in the order
  /// that the seqs must have; no (conv, sender, client_msg_id) twice. An item whose `after` stands
  /// earlier in the batch needs no read.
  /// kRolledBack when anything is not plain: duplicate key, GAP, MEMBERS_CHANGED (also: no
  /// conversation row), deadlock, lock wait. head_seq is then as before: no hole.
  virtual FastAppend append_fast(std::span<const AppendItem* const> items) = 0;

  /// The slow path: one transaction for one message. First statement = the row lock, so the answer
  /// is never judged on an old snapshot, and a transaction whose COMMIT reply was lost has ended.
  /// Known with the same payload_hash → its first answer, repeat = true; when it is older than 10
  /// s, head_ms is moved to now and committed before the answer (guarantees.md §6). Errors:
  /// kConflict (known, other hash), kMembersChanged (other member_version, or no row), kGap. A
  /// repeat is answered as such before member_version and `after` are looked at.
  virtual Result<AppendedOne> append_one(const AppendItem& item) = 0;

  /// A range of one conversation for one of its members, in one read view. Membership is checked in
  /// SQL: nothing below visible_from (a group: join_seq), and who left a group sees what lies below
  /// his leave_seq, as if the log ended there (head too). A range above the head is an empty slice
  /// with the head in it: what that means is the caller's judgement. Errors: kNotMember (also: no
  /// such conversation), kRangeInvalid (from > to when to > 0).
  virtual Result<Slice> pull(const PullQuery& query) = 0;

  /// One message without its body. Errors: kNotMember, kMessageNotFound.
  virtual Result<FoundMessage> find(const FindQuery& query) = 0;
};

}  // namespace hy::das
