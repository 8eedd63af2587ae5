#pragma once

#include <span>

#include "das/storage/types.h"

namespace hy::das {

/// Who is in a conversation, what they have read, and the list of a person's conversations. Common
/// errors, durability and thread as in message_log.h.
class Membership {
 public:
  virtual ~Membership() = default;

  /// Makes the conversation rows (head 0, member_version 1) and both user_conv rows of each pair
  /// where they are missing, all in one transaction, and tells what logic judges by, in the order
  /// given. Idempotent, and cheap when all is there: it then writes nothing. A person that does not
  /// exist is a fact, not an error; no row is made then. Must have succeeded before the first
  /// append of a pair: a message in a conversation that the receiver's list does not name would be
  /// lost to him. A pair may stand in it twice. At most kPairsMax.
  virtual Result<std::vector<PairFacts>> open_pairs(std::span<const UidPair> pairs) = 0;
  static constexpr std::size_t kPairsMax = 100;
  /// The same for one.
  Result<PairFacts> open_pair(Uid a, Uid b) {
    const UidPair pair{a, b};
    auto facts = open_pairs({&pair, 1});
    if (!facts) return std::unexpected(std::move(facts).error());
    return facts->front();
  }

  /// uid blocks or unblocks peer: one transaction that takes the conversation's row lock, raises
  /// member_version when it changes something, and writes the user's event (kBlock). Makes the
  /// pair's rows like open_pairs. Facts in the order a = uid, b = peer. Idempotent.
  virtual Result<PairFacts> set_block(Uid uid, Uid peer, bool on) = 0;

  /// Makes a group: its rows, its members (join_seq 1, member_version 1) and the event of the
  /// creation as seq 1, all in one transaction. A repeat of (owner, creation_id) changes nothing
  /// and gives the first group as it is now, without an event; kNotMember when the caller is out of
  /// it. Errors: kNameInvalid, kGroupFull, kUnknownUser (nothing was made).
  virtual Result<GroupChanged> create_group(const NewGroup& group) = 0;

  /// Who is in a group, in one read view. An unknown gid is a fact (gid 0), not an error.
  virtual Result<GroupFacts> group_facts(Gid gid) = 0;

  /// Adds and removes members, in one transaction under the conversation's row lock: the actor's
  /// right is judged there (group_rules.h), the rows are written, the event is appended at the next
  /// seq, member_version rises by one. Added: join_seq = the event's seq, whoever had left before
  /// too. Removed: sees the event and nothing after it (leave_seq = the event's seq + 1). Nothing
  /// to change is a success without an event. Errors: kNotMember (also: no such group), kForbidden,
  /// kGroupFull, kUnknownUser; then nothing is done for anyone.
  virtual Result<GroupChanged> change_group(const GroupChange& change) = 0;

  /// Moves read marks forward, all in one transaction; each mark that moved gets a user event
  /// (kRead). The same (uid, conv) may stand in it twice. Answers in the order given; an item may
  /// fail alone with kNotMember (never one). Who left a group may still mark what he saw. The outer
  /// error is the transaction's: then nothing was done (kOverloaded: try again), or the outcome is
  /// unknown; marks are idempotent either way.
  virtual Result<std::vector<Result<ReadMarked>>> mark_read(std::span<const ReadMark> marks) = 0;

  /// The conversations of a person that have a message, with unread computed as countable head −
  /// ordinal at max(read_seq, own last, join, cleared), never below 0. One read view, begun after
  /// store_ms was read and not before useq_head was. Nothing to list, which is what most devices
  /// that come back hear, costs a server one statement. Paging is stable under appends: ascending
  /// conv never skips a row that was there when the first page was read. newest_first: rows of
  /// equal head_ms never straddle two pages (a page may exceed `limit` for that, up to twice).
  /// Groups that the person is out of are listed too unless newest_first, with head and last cut to
  /// what he may see: his devices learn of the removal there. Errors: kUnknownUser.
  virtual Result<ConversationPage> list_conversations(const ListQuery& query) = 0;
};

}  // namespace hy::das
