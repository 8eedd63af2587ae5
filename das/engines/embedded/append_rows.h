#pragma once

#include <array>
#include <optional>
#include <string_view>

#include "common/sqlite/database.h"
#include "das/engines/embedded/head_cache.h"
#include "das/storage/types.h"

/// The rows of an append, for whoever writes messages inside a transaction.
namespace hy::das::embedded {

/// A conversation's 16 bytes, without memory of their own.
class ConvKey {
 public:
  explicit ConvKey(const ConversationId& conv) {
    put_be(bytes_.data(), conv.hi);
    put_be(bytes_.data() + 8, conv.lo);
  }
  [[nodiscard]] std::string_view view() const { return as_text(bytes_); }

 private:
  std::array<std::uint8_t, 16> bytes_{};
};

/// The statements of an append, got once for a batch.
struct AppendStatements {
  sqlite::Statement head;
  sqlite::Statement insert;
  sqlite::Statement raise;

  static Result<AppendStatements> prepare(sqlite::Database& db);
};

/// As the file has it; nothing: no such conversation.
Result<std::optional<Head>> read_head(AppendStatements& use, std::string_view conv);
/// Inserts below a head that the transaction holds, and moves the head in memory.
Status insert_message(sqlite::Database& db, AppendStatements& use, std::string_view conv,
                      const AppendItem& item, Head& head, std::int64_t now_ms);
/// Writes the head.
Status raise_head(AppendStatements& use, std::string_view conv, const Head& head,
                  std::int64_t now_ms);

}  // namespace hy::das::embedded
