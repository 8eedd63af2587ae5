#pragma once

#include <array>

#include "das/engines/mysql/connection.h"
#include "das/engines/mysql/packed_rows.h"
#include "das/storage/message_log.h"

namespace hy::das::mysql {

/// The conversations' logs over one connection; contract in das/storage/message_log.h.
class MysqlMessageLog final : public MessageLog {
 public:
  explicit MysqlMessageLog(Connection& connection) : connection_(connection) {}
  FastAppend append_fast(std::span<const AppendItem* const> items) override;
  Result<AppendedOne> append_one(const AppendItem& item) override;
  Result<Slice> pull(const PullQuery& query) override;
  Result<FoundMessage> find(const FindQuery& query) override;

 private:
  struct Head {
    ConversationId conv;
    std::uint64_t added = 0;
    std::uint64_t countable_added = 0;
    std::uint64_t low_place = 0;  ///< of the smaller uid's last message in the batch, 0 = none
    std::uint64_t high_place = 0;
    std::uint64_t seq = 0;        ///< after the batch
    std::uint64_t countable = 0;  ///< after the batch
    std::int64_t ms = 0;
    std::uint64_t member_version = 0;
  };
  /// Where a message stands.
  struct Placed {
    std::uint64_t seq = 0;
    std::uint64_t ordinal = 0;
    std::int64_t ms = 0;
  };
  static std::vector<Placed> place(std::span<const AppendItem* const> items,
                                   std::span<const Head> heads);
  /// The prepared statements of one kind, by their number of rows; the connection owns them.
  using BySize = std::array<sql::PreparedStatement*, 257>;
  template <class Make>
  sql::PreparedStatement& of_size(BySize& kept, std::size_t rows, Make make);
  /// Raises, locks and fills in. False: not all of them are there, or batch_place is not whole.
  bool raise_heads(std::span<Head> heads);
  bool raise_packed(std::span<Head> heads);
  /// What a raise ends with: MariaDB gives the raised rows back, MySQL has to be asked for them.
  [[nodiscard]] std::string raised_tail() const;
  /// Runs a raise that gives its rows back.
  bool take_heads(sql::PreparedStatement& raise, std::span<Head> heads);
  static void take_head(const sql::ResultSet& row, Head& head);
  /// False: not all of them are there.
  bool read_heads(std::span<Head> heads);
  bool read_packed(std::span<Head> heads);
  bool predecessors_stand(std::span<const AppendItem* const> items);
  bool is_known(const AppendItem& item, const ClientMsgId& id);
  /// False: batch_place is not whole, and not every row was written.
  bool insert_rows(std::span<const AppendItem* const> items, std::span<const Placed> placed);
  bool insert_packed(std::span<const AppendItem* const> items, std::span<const Placed> placed);
  Result<AppendedOne> append_under_lock(const AppendItem& item);

  Connection& connection_;
  BySize raises_{};
  BySize reads_{};
  BySize inserts_{};
  sql::PreparedStatement* raise_packed_ = nullptr;
  sql::PreparedStatement* read_packed_ = nullptr;
  sql::PreparedStatement* insert_packed_ = nullptr;
  std::array<PackedColumn, 12> columns_;
};

/// The smallest fixed size that holds n: 1 .. 256 (for lists that are padded).
std::size_t padded_size(std::size_t n);

}  // namespace hy::das::mysql
