#include "das/engines/mysql/packed_rows.h"

namespace hy::das::mysql {

void PackedColumn::add_id(std::span<const std::uint8_t, 16> id) {
  bytes_ += as_text(id);
}

void PackedColumn::add_id(const ConversationId& conv) {
  std::array<std::uint8_t, 16> bytes;
  put_be(bytes.data(), conv.hi);
  put_be(bytes.data() + 8, conv.lo);
  add_id(bytes);
}

void PackedColumn::add_number(std::uint64_t value) {
  std::array<char, 20> digits;
  for (std::size_t i = digits.size(); i-- > 0; value /= 10)
    digits[i] = static_cast<char>('0' + value % 10);
  bytes_.append(digits.data(), digits.size());
}

void put_packed(sql::PreparedStatement& s, std::span<const PackedColumn> columns,
                std::size_t rows) {
  unsigned index = 0;
  for (const PackedColumn& column : columns) put(s, ++index, column.bytes());
  put(s, ++index, std::uint64_t{rows});
}

}  // namespace hy::das::mysql
