#pragma once

#include <string_view>
#include <vector>

#include "common/sqlite/database.h"
#include "das/storage/types.h"

namespace hy::das::embedded {

/// Where a conversation's messages begin to be read: its newest one.
struct ChainEnd {
  Seq head;
  std::int64_t last_id = 0;  ///< row of `head`; 0 when there is none
};

/// The messages of one conversation in one read view. Each row names the row of the seq below it;
/// every 32nd seq has an index entry to begin at. Conversation and seq of each row on the way are
/// compared with what they must be: a row that is missing, or another one's, is kInternal, never a
/// hole. Lives inside the view; conv (16 bytes) must outlive it. All seqs asked for: 1 .. head.
class MessageChain {
 public:
  MessageChain(sqlite::Database& db, std::string_view conv, ChainEnd end)
      : db_(db), conv_(conv), end_(end) {}

  /// from .. to ascending: the longest beginning whose bodies have at most bytes_max, never empty.
  Result<std::vector<StoredMessage>> oldest(Seq from, Seq to, std::size_t bytes_max);
  /// from .. to ascending: the longest end whose bodies have at most bytes_max, never empty.
  Result<std::vector<StoredMessage>> newest(Seq from, Seq to, std::size_t bytes_max);
  /// One message, its body cut to body_max bytes.
  Result<StoredMessage> at(Seq seq, std::size_t body_max);
  /// Countable messages up to and with seq.
  Result<std::uint64_t> ordinal_at(Seq seq);

 private:
  struct Place {
    Seq seq;
    std::int64_t id = 0;
  };
  /// The row of a place; `statement` then stands on it.
  Status read(sqlite::Statement& statement, Place place) const;
  /// The nearest place at or above seq that an index entry or the conversation's row gives.
  Result<Place> start(Seq seq);
  /// Down the chain to exactly seq.
  Result<Place> find(Seq seq);
  [[nodiscard]] StoredMessage message_of(const sqlite::Statement& row, std::size_t body_max) const;

  sqlite::Database& db_;
  std::string_view conv_;
  ChainEnd end_;
};

}  // namespace hy::das::embedded
