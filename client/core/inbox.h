#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "client/core/codec.h"
#include "client/core/cursor.h"
#include "client/core/push_acks.h"
#include "common/base/random.h"

namespace hy::client {

struct InboxSettings {
  std::uint32_t ahead_rows_max = 256;  ///< rows of one conversation that wait above a hole
  Millis hole_wait{100};               ///< a push left a hole: a moment for the late one, then PULL
  Millis pull_again_min{500};          ///< after a refusal or an answer without the rows
  Millis pull_again_max{30'000};
  Millis reset_again{60'000};           ///< at most one reset of a conversation in this time
  std::uint32_t pulls_max = 4;          ///< PULLs on their way at once
  std::uint64_t slice_max = 1'000'000;  ///< rows of one PULL, as long as answers come in time
  std::uint32_t first_tail = 10'000;    ///< rows taken of a conversation that is new to the device
};

/// One PULL to put on the wire.
struct PullOrder {
  ConversationId conversation;
  Seq from;
  Seq to;                    ///< 0: to the head
  std::uint32_t ticket = 0;  ///< tells an answer that a reset has overtaken
};

/// What arrives, in order and once: by seq within a conversation; by (conversation, sender,
/// client_msg_id) in the store, which decides RowFate.
///
/// Guaranteed: rows leave by take_rows() in the order of their seqs without a hole; PUSH_ACK never
/// names a push whose row has not left. Holes are found by arithmetic and asked for with PULL.
class Inbox {
 public:
  explicit Inbox(InboxSettings settings) : settings_(settings) {}

  void load(std::vector<ConversationRecord> records);

  /// A new connection: push numbers count from 1, no PULL is on its way.
  void connected(MonoTime now);

  /// PUSH n with a seq. kSkipped: a push number was left out; close.
  PushAcks::Arrival pushed(MonoTime now, std::uint32_t n, Message message);
  /// A message at `seq` brought this person into a group: what is below is for others.
  void joined(MonoTime now, ConversationId conversation, Seq seq);
  /// PUSH n of a provisional row; the caller stores it in this turn when it is kNew.
  PushAcks::Arrival pushed_provisional(std::uint32_t n, ConversationId conversation);
  /// A row known by other means: the SEND_ACK of an own message.
  void stored_here(MonoTime now, Message message);
  /// SYNC: the conversation has a head, marks and a time.
  void head(MonoTime now, const ConversationInfo& info);

  /// PULLs to send now; each is on its way until pulled() or pull_failed().
  std::vector<PullOrder> take_pulls(MonoTime now);
  /// Also for a PULL that was given up (pull_failed) and is answered late: what it brings is taken,
  /// or a slow link would carry the same rows again and again. One that a reset has overtaken
  /// changes nothing. False: a body that no server of ours sends (rows below what was asked);
  /// close.
  bool pulled(MonoTime now, const PullOrder& order, PullAnswered answer, Random& random);
  /// head: with kCursorAhead. Rows whose conversation was reset forget their seqs.
  void pull_failed(Turn& turn, MonoTime now, const PullOrder& order, Errc code, Millis retry_after,
                   Seq head, Random& random);
  /// Another store_epoch: every conversation from scratch.
  void reset_all(Turn& turn, MonoTime now);

  /// Rows that the runs have reached, per conversation ascending.
  std::vector<Cursor::Row> take_rows();
  /// Writes the changed conversations. Call once at the end of a turn.
  void flush(Turn& turn);
  /// Sees which pushes may be acknowledged after this turn's commit. Call once rows are placed.
  void settle_acks();
  [[nodiscard]] bool owes_ack() const { return acks_.owes(); }
  /// settle_acks(), and the push number to acknowledge.
  std::optional<std::uint32_t> take_ack();
  /// Pushes that cannot be acknowledged yet: rows below them are missing.
  [[nodiscard]] std::size_t pushes_waiting() const { return acks_.waiting(); }

  void raise_read(ConversationId conversation, Seq read);         ///< confirmed by the server
  void raise_read_wanted(ConversationId conversation, Seq read);  ///< wanted by the person
  void raise_peer(ConversationId conversation, Seq up_to, bool read);
  /// READs that the server has not confirmed.
  [[nodiscard]] std::vector<std::pair<ConversationId, Seq>> unconfirmed_reads() const;

  [[nodiscard]] MonoTime wake_at() const;
  [[nodiscard]] const ConversationRecord* find(ConversationId conversation) const;
  /// True while a known hole is open.
  [[nodiscard]] bool has_holes() const { return !holes_.empty(); }
  [[nodiscard]] std::size_t conversations() const { return cursors_.size(); }

 private:
  Cursor& cursor_of(ConversationId conversation, Seq first_seen);
  void settle(MonoTime now, Cursor& cursor, Millis wait);
  void reset(Turn& turn, MonoTime now, Cursor& cursor, Seq head);
  void not_in_time(std::uint64_t rows);

  InboxSettings settings_;
  std::map<ConversationId, Cursor> cursors_;
  std::set<ConversationId> holes_;
  std::set<ConversationId> dirty_;
  /// Rows that one PULL asks for. An answer that takes longer than the time in which it is waited
  /// for would be asked for again for ever: what did not come is asked for in quarters.
  std::uint64_t slice_ = settings_.slice_max;
  std::uint64_t longest_asked_ = 0;  ///< on this connection, of the PULLs not answered yet
  std::vector<Cursor::Row> rows_;
  PushAcks acks_;
  std::uint32_t pulls_ = 0;
  std::uint32_t next_ticket_ = 1;
};

}  // namespace hy::client
