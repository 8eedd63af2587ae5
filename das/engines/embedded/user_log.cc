#include "das/engines/embedded/user_log.h"

#include "das/engines/embedded/statements.h"

namespace hy::das::embedded {

Result<UserEvents> SqliteUserLog::read(Uid uid, Useq after, std::uint32_t limit) {
  return link_.read([&](sqlite::Database& db) -> Result<UserEvents> {
    UserEvents out;
    HY_TRY(auto head, db.prepare(sql::kUseqHead));
    head.bind(1, uid.value());
    HY_TRY(const bool known, head.step());
    if (!known) return fail(Errc::kUnknownUser);
    out.head = Useq{head.unsigned_integer(0)};
    if (after > out.head) {
      out.too_far = true;
      return out;
    }
    if (after == out.head) return out;
    HY_TRY(auto rows, db.prepare(sql::kEvents));
    rows.bind(1, uid.value()).bind(2, after.value()).bind(3, limit);
    for (;;) {
      HY_TRY(const bool row, rows.step());
      if (!row) break;
      UserEvent event;
      event.useq = Useq{rows.unsigned_integer(0)};
      event.kind = static_cast<UserEventKind>(rows.integer(1));
      if (!rows.is_null(2)) event.conv = ConversationId::from_bytes(rows.blob(2));
      event.seq = Seq{rows.unsigned_integer(3)};
      event.peer = Uid{rows.unsigned_integer(4)};
      event.on = rows.integer(5) != 0;
      out.events.push_back(event);
    }
    const Useq next{after.value() + 1};
    if (out.events.empty() || out.events.front().useq != next) {
      out.events.clear();
      out.too_far = true;
      return out;
    }
    out.more = out.events.back().useq < out.head;
    return out;
  });
}

}  // namespace hy::das::embedded
