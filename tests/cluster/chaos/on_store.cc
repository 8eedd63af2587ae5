// Faults of MariaDB and Redis.
#include <signal.h>

#include "tests/cluster/chaos/live_fault.h"

namespace hy::chaos {
namespace {

Millis millis(double seconds) {
  return Millis{static_cast<std::int64_t>(seconds * 1'000)};
}

Status nothing() {
  return {};
}

std::function<bool()> was_started_again(Rig& rig, const std::string& name) {
  const int before = rig.cluster().supervisor().starts(name);
  return [&rig, name, before] { return rig.cluster().supervisor().starts(name) > before; };
}

Result<LiveFault> begin_on_server(Rig& rig, const Planned& planned, const std::string& name,
                                  std::string_view deed) {
  const pid_t pid = rig.pid(name);
  if (pid <= 0) return fail(Errc::kUnavailable, name);
  LiveFault out{nothing, was_started_again(rig, name), {}};
  if (deed == "kill") {
    rig.cluster().supervisor().signal(name, SIGKILL);
  } else if (deed == "stop") {
    HY_TRY_VOID(rig.cluster().supervisor().hold(name, SIGKILL));
    out.felt = [] { return true; };  // hold() returns when it is gone
    out.end = [&rig, name] { return rig.cluster().supervisor().release(name); };
  } else {
    HY_TRY_VOID(rig.pauses().pause(pid, millis(planned.lasts)));
    out.felt = [] { return true; };
    out.end = [&rig, pid] {
      rig.pauses().resume(pid);
      return Status{};
    };
  }
  return out;
}

/// The server answered the tool's own command with what the product now meets.
LiveFault by_command(std::function<Status()> end, bool felt, std::string detail = {}) {
  return {std::move(end), [felt] { return felt; }, std::move(detail)};
}

Result<LiveFault> begin_on_redis(Rig& rig, const Planned& planned) {
  const std::string_view kind = planned.kind->name;
  if (kind == "redis-stop") return begin_on_server(rig, planned, "redis", "stop");
  if (kind == "redis-kill") return begin_on_server(rig, planned, "redis", "kill");
  if (kind == "redis-hang") return begin_on_server(rig, planned, "redis", "hang");
  faults::RedisFaults& redis = *rig.redis();
  const auto end = [&redis] { return redis.heal(); };
  if (kind == "redis-flush") {
    HY_TRY(const std::string before, redis.command({"DBSIZE"}));
    HY_TRY_VOID(redis.flush_all());
    return by_command(nothing, before != ":0", before + " keys");
  }
  if (kind == "redis-slow") {
    HY_TRY_VOID(redis.pause_clients(millis(planned.lasts)));
    return by_command([&redis] { return redis.end_pause(); }, true);
  }
  if (kind == "redis-read-only") HY_TRY_VOID(redis.read_only(true));
  if (kind == "redis-full") HY_TRY_VOID(redis.out_of_memory(true));
  // The tool's own write has to be turned away as the product's are.
  const auto answer = redis.command({"SET", "chaos", "1"});
  return by_command(end, !answer, answer ? *answer : answer.error().detail);
}

Result<LiveFault> begin_on_mariadb(Rig& rig, const Planned& planned) {
  const std::string_view kind = planned.kind->name;
  if (kind == "store-stop") return begin_on_server(rig, planned, "mariadb", "stop");
  if (kind == "store-kill") return begin_on_server(rig, planned, "mariadb", "kill");
  if (kind == "store-hang") return begin_on_server(rig, planned, "mariadb", "hang");
  faults::MariadbFaults& db = *rig.mariadb();
  const auto end = [&db] { return db.heal(); };
  if (kind == "store-lock-rows") {
    HY_TRY(const std::uint64_t rows,
           db.hold_rows("SELECT conv FROM hongyan.conversation", millis(planned.lasts + 1)));
    return by_command([&db] { return db.release_rows(); }, rows > 0,
                      std::to_string(rows) + " rows");
  }
  if (kind == "store-lock-tables") {
    HY_TRY_VOID(db.lock_tables({"hongyan.message", "hongyan.conversation"}));
    return by_command([&db] { return db.unlock_tables(); }, true);
  }
  if (kind == "store-read-only") {
    HY_TRY_VOID(db.read_only(true));
    HY_TRY(const std::string value, db.ask("SELECT @@global.read_only"));
    return by_command(end, value == "1");
  }
  if (kind == "store-too-many") {
    HY_TRY_VOID(db.too_many_connections(true));
    return by_command(end, true);
  }
  HY_TRY(const std::string before,
         db.ask("SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'hongyan'"));
  HY_TRY_VOID(db.kill_connections());
  return by_command(nothing, before != "0", before + " connections");
}

}  // namespace

Result<LiveFault> begin_on_store(Rig& rig, const Planned& planned) {
  // A server that was killed a moment ago answers again first.
  constexpr Millis kAnswersWithin{20'000};
  HY_TRY_VOID(rig.cluster().wait_ready({planned.target}, kAnswersWithin));
  return planned.kind->strikes == Strikes::kRedis ? begin_on_redis(rig, planned)
                                                  : begin_on_mariadb(rig, planned);
}

}  // namespace hy::chaos
