#include "das/engines/mysql/session.h"

#include "common/base/clock.h"
#include "das/engines/mysql/row.h"
#include "das/engines/mysql/startup_checks.h"
#include "das/engines/mysql/statements.h"

namespace hy::das::mysql {

Result<StoreFacts> MysqlSession::facts() {
  return guarded(*connection_, [&]() -> Result<StoreFacts> {
    if (connection_->use() == Use::kWrite && is_read_only(*connection_)) {
      connection_->mark_broken();
      return fail(Errc::kStoreDown, "the server is read-only", Millis{1'000});
    }
    const auto row = connection_->query(connection_->prepared(text(sql_text::kFacts)));
    if (!row->next()) return fail(Errc::kSchemaBroken, "store_state is empty");
    StoreFacts facts;
    facts.store_epoch = row->getUInt64(1);
    facts.clock_steps = row->getUInt64(2);
    facts.beat_ms = row->getInt64(3);
    facts.store_ms = row->getInt64(4);
    const Durability durability = read_durability(*connection_, replicated_);
    facts.durable = durability.durable;
    facts.why_not_durable = durability.why_not;
    return facts;
  });
}

Status MysqlSession::beat(std::int64_t store_ms) {
  return guarded(*connection_, [&]() -> Status {
    Transaction transaction(*connection_);
    sql::PreparedStatement& s = connection_->prepared(text(sql_text::kBeat));
    put_all(s, store_ms);
    s.executeUpdate();
    transaction.commit();
    return {};
  });
}

Status MysqlSession::raise_clock_steps(std::uint64_t seen) {
  return guarded(*connection_, [&]() -> Status {
    Transaction transaction(*connection_);
    sql::PreparedStatement& s = connection_->prepared(text(sql_text::kRaiseSteps));
    put_all(s, seen);
    s.executeUpdate();
    transaction.commit();
    return {};
  });
}

}  // namespace hy::das::mysql
