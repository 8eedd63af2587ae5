#include "das/engines/embedded/append_rows.h"

#include "das/engines/embedded/statements.h"

namespace hy::das::embedded {

Result<AppendStatements> AppendStatements::prepare(sqlite::Database& db) {
  HY_TRY(auto head, db.prepare(sql::kHead));
  HY_TRY(auto insert, db.prepare(sql::kInsertMessage));
  HY_TRY(auto raise, db.prepare(sql::kRaiseHead));
  return AppendStatements{std::move(head), std::move(insert), std::move(raise)};
}

Result<std::optional<Head>> read_head(AppendStatements& use, std::string_view conv) {
  use.head.bind_blob_in_place(1, conv);
  HY_TRY(const bool row, use.head.step());
  std::optional<Head> out;
  if (row)
    out = Head{Seq{use.head.unsigned_integer(0)},
               use.head.unsigned_integer(1),
               use.head.unsigned_integer(2),
               Seq{use.head.unsigned_integer(3)},
               Seq{use.head.unsigned_integer(4)},
               use.head.integer(5),
               use.head.integer(6)};
  use.head.reset();
  return out;
}

Status insert_message(sqlite::Database& db, AppendStatements& use, std::string_view conv,
                      const AppendItem& item, Head& head, std::int64_t now_ms) {
  if ((head.seq.value() == 0) != (head.last_id == 0))
    return fail(Errc::kInternal, "the store's file is damaged: a head without its row");
  head.seq = Seq{head.seq.value() + 1};
  if (item.countable) ++head.countable;
  if (!item.conv.is_group())
    (item.conv.hi == item.sender.value() ? head.low_last : head.high_last) = head.seq;
  use.insert.bind_blob_in_place(1, conv)
      .bind(2, head.seq.value())
      .bind(3, item.sender.value())
      .bind_blob_in_place(4, as_text(item.client_msg_id.bytes))
      .bind_blob_in_place(5, as_text(item.payload_hash))
      .bind(6, item.kind)
      .bind(7, item.countable ? 1 : 0)
      .bind(8, head.countable)
      .bind(9, now_ms)
      .bind_blob_in_place(10, item.body.bytes)
      .bind(11, head.last_id);
  HY_TRY_VOID(use.insert.run());
  head.last_id = db.last_insert_rowid();
  return {};
}

Status raise_head(AppendStatements& use, std::string_view conv, const Head& head,
                  std::int64_t now_ms) {
  use.raise.bind_blob_in_place(1, conv)
      .bind(2, head.seq.value())
      .bind(3, head.countable)
      .bind(4, now_ms)
      .bind(5, head.low_last.value())
      .bind(6, head.high_last.value())
      .bind(7, head.last_id);
  return use.raise.run();
}

}  // namespace hy::das::embedded
