#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "client/judge/judge.h"

namespace hy::bench {

/// What happened to the messages of one pair, as its two people saw it.
enum class Mark : std::uint8_t {
  kSent,       ///< number
  kSentAgain,  ///< number: the same id once more, without naming a predecessor. Sender order (G5)
               ///< is promised to who names it, so such a message may stand behind later ones
  kStored,     ///< number, seq
  kRefused,    ///< number, extra = code
  kPushed,     ///< number of the peer's message (0: not one of the peer's), seq
  kPulled,     ///< the same, by PULL; number counts for the side that wrote it, see
               ///< kPulledOwn
  kPulledOwn,  ///< an own message that a PULL brought: number, seq
  kHeld,       ///< the same by PUSH, kept until older rows have been pulled: on disk,
               ///< not shown yet
  kShown,      ///< a held one is shown: number, seq
  kSkipped,    ///< a PUSH that is no message of this pair; it has its push number
               ///< all the same
  kAcked,      ///< number = push number that was acknowledged
  kReceipt,    ///< seq = up to
  kOpened,     ///< number = how many-th connection
  kClosed,     ///< number = how many-th connection
};
// Bits of extra of kPushed, kHeld and kPulled.
inline constexpr std::uint16_t kWrongContent = 1;
inline constexpr std::uint16_t kShownBefore = 2;  ///< by what was cut from the book since

inline constexpr std::int64_t kTickNs = 16'000;

/// 16 bytes an event: a run has millions, and they are judged when the load is
/// over.
struct Record {
  std::uint32_t at = 0;  ///< kTickNs units since the book was opened: 19 hours
  std::uint32_t seq = 0;
  std::uint32_t number = 0;
  Mark mark = Mark::kSent;
  std::uint8_t side = 0;  ///< 0 or 1: whose device saw it
  std::uint16_t extra = 0;
};
static_assert(sizeof(Record) == 16);

/// The end of a judged book, in the words of the ledger.
struct Ledger {
  std::uint64_t lost = 0;               ///< C-LOSS, C-GAP, C-AGREE's holes
  std::uint64_t shown_twice = 0;        ///< C-DUP
  std::uint64_t out_of_order = 0;       ///< C-ORDER, C-FIFO
  std::uint64_t dishonest = 0;          ///< every other checker: acks, receipts, contents
  std::uint64_t judged = 0;             ///< messages sent in judged slices
  std::uint64_t looked_at = 0;          ///< comparisons of all checkers
  std::uint64_t records_dropped = 0;    ///< memory was full: no verdict
  std::vector<std::string> violations;  ///< the first 100, for a person

  [[nodiscard]] std::uint64_t found() const {
    return lost + shown_twice + out_of_order + dishonest;
  }
  void merge(const Ledger& other);
};

/// One pair: who they are and what they saw, since the last cut.
struct PairBook {
  Uid people[2]{};
  std::uint32_t base = 0;             ///< head of the conversation before the first record
  std::uint32_t pushes[2] = {0, 0};   ///< push numbers used up before the first record
  bool is_drained[2] = {true, true};  ///< has everything that it will get
  /// In pieces that stay where they are: a pair that is never at rest grows to millions, and moving
  /// them took a tenth of the generator under overload.
  std::deque<Record> records;
};

/// client_msg_id of the n-th message of a person, written at `unix_ms`: the layout of an app's ids
/// (UUID version 7: the time, then what looks random), since the server's indexes feel the
/// difference. All but the time can be computed again by whoever checks it.
ClientMsgId message_id(std::uint64_t run, Uid sender, std::uint32_t number, std::int64_t unix_ms);
/// `id` (16 bytes) is one of (run, sender, number), whenever it was written.
bool is_message_id(std::string_view id, std::uint64_t run, Uid sender, std::uint32_t number);

/// Writes the pairs' records out as histories and has the shared checkers judge
/// them. The log that they are held against is what the senders were told
/// (STORED at seq) and, where no answer came, what receivers got. Linear in the
/// records. Pure.
Ledger judge_pairs(const std::vector<const PairBook*>& pairs, std::uint64_t run);

}  // namespace hy::bench
