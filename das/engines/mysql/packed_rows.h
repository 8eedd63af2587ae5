#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "das/engines/mysql/connection.h"

namespace hy::das::mysql {

/// From how many rows on a batch is packed. Below, a statement with one parameter per value costs
/// the server less: cutting apart has about 50 us of its own, and gains 2 us a row.
constexpr std::size_t kPackedRowsMin = 32;
/// Rows of the table batch_place.
constexpr std::size_t kPackedRowsMax = 256;
/// Bodies in one packed statement, bytes. The connector sends parameters above 256 KiB in another
/// way.
constexpr std::size_t kPackedBodiesMax = 192 * 1024;

/// The values that one column gets in all rows of a batch, bound as ONE parameter: the connector
/// allocates two or three times per parameter (25 times a message, with one parameter per value)
/// and the server prepares each anew. The statement cuts row n out at the places that batch_place
/// holds for n (schema step 3). The statement's text is a constant and the columns are its
/// parameters, so no byte of a message can be taken for SQL. Keeps its buffer. One thread. Figures:
/// docs/decisions/0011-batches-as-columns.md.
class PackedColumn {
 public:
  void clear() { bytes_.clear(); }
  /// 16 bytes.
  void add_id(std::span<const std::uint8_t, 16> id);
  void add_id(const ConversationId& conv);
  /// 20 decimal digits, which hold every 64-bit number.
  void add_number(std::uint64_t value);
  /// Any bytes; where they stand is the business of two other columns.
  void add_bytes(std::string_view bytes) { bytes_ += bytes; }
  [[nodiscard]] std::string_view bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

/// Binds the columns from parameter 1 on, then the number of rows.
void put_packed(sql::PreparedStatement& s, std::span<const PackedColumn> columns, std::size_t rows);

}  // namespace hy::das::mysql
