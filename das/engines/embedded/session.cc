#include "das/engines/embedded/session.h"

#include "das/engines/embedded/statements.h"

namespace hy::das::embedded {
namespace {

/// Counters of attempts that nobody touched for a day say nothing any more.
constexpr std::int64_t kGuardLifeMs = 86'400'000;

}  // namespace

Result<StoreFacts> Session::facts() {
  return link_.read([&](sqlite::Database& db) -> Result<StoreFacts> {
    HY_TRY(auto row, db.prepare(sql::kFacts));
    HY_TRY(const bool found, row.step());
    if (!found) return fail(Errc::kSchemaBroken, "store_epoch has no row");
    StoreFacts facts;
    facts.store_epoch = row.unsigned_integer(0);
    facts.clock_steps = row.unsigned_integer(1);
    facts.beat_ms = row.integer(2);
    facts.store_ms = link_.now_ms();
    facts.durable = true;  // WAL and synchronous=FULL are set at open, which fails without them
    return facts;
  });
}

Status Session::beat(std::int64_t store_ms) {
  return link_.write([&](sqlite::Database& db) -> Status {
    HY_TRY(auto set, db.prepare(sql::kBeat));
    set.bind(1, store_ms);
    HY_TRY_VOID(set.run());
    HY_TRY(auto forget, db.prepare(sql::kForgetGuards));
    forget.bind(1, store_ms - kGuardLifeMs);
    return forget.run();
  });
}

Status Session::raise_clock_steps(std::uint64_t seen) {
  return link_.write([&](sqlite::Database& db) -> Status {
    HY_TRY(auto raise, db.prepare(sql::kRaiseSteps));
    raise.bind(1, seen).bind(2, link_.now_ms());
    return raise.run();
  });
}

}  // namespace hy::das::embedded
