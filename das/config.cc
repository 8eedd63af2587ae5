#include "das/config.h"

#include <algorithm>
#include <array>

namespace hy::das {
namespace {

using config::Kind;
using config::Property;

constexpr std::array kProperties{
    Property{.key = "das.engine",
             .kind = Kind::kEnum,
             .fallback = "embedded",
             .sentence = "Where messages are kept: a file of this das, or MySQL and Redis.",
             .choices = "embedded|mysql"},
    Property{.key = "das.durability",
             .kind = Kind::kEnum,
             .fallback = "refuse",
             .sentence = "What to do when the store's settings would make STORED untrue.",
             .choices = "refuse|warn"},
    Property{.key = "das.auto_schema",
             .kind = Kind::kBool,
             .fallback = "false",
             .sentence = "Apply missing schema steps to the server at start; a file always gets "
                         "its first schema."},
    Property{.key = "das.admin",
             .kind = Kind::kText,
             .max = "64",
             .sentence = "Admin HTTP: IP:PORT, empty = listen port + 1 on 127.0.0.1, off = none."},
    Property{.key = "das.readers",
             .kind = Kind::kInteger,
             .fallback = "2",
             .min = "1",
             .max = "64",
             .sentence = "Threads that answer reads, each with a connection of its own."},
    Property{.key = "das.batch_rows",
             .kind = Kind::kInteger,
             .fallback = "200",
             .min = "1",
             .max = "256",
             .sentence = "Messages in one transaction at most; above 200 only latency grows."},
    Property{.key = "das.queue_appends",
             .kind = Kind::kInteger,
             .fallback = "8k",
             .min = "64",
             .max = "1M",
             .sentence = "Messages that may wait for one lane; more are refused with a time to "
                         "come again."},
    Property{.key = "das.cache_entries",
             .kind = Kind::kInteger,
             .fallback = "500k",
             .min = "1k",
             .max = "100M",
             .sentence = "Change counters and heads that the embedded engine keeps in memory."},
    Property{.key = "das.embedded.file",
             .kind = Kind::kText,
             .fallback = "hongyan.db",
             .min = "1",
             .max = "1024",
             .sentence = "The embedded engine's file; a relative path starts at host.data."},
    Property{.key = "das.mysql.server",
             .kind = Kind::kAddress,
             .fallback = "127.0.0.1:3306",
             .sentence = "The MySQL or MariaDB server."},
    Property{.key = "das.mysql.user",
             .kind = Kind::kText,
             .fallback = "hongyan",
             .min = "1",
             .max = "80",
             .sentence = "User at the MySQL server."},
    Property{.key = "das.mysql.database",
             .kind = Kind::kText,
             .fallback = "hongyan",
             .min = "1",
             .max = "64",
             .sentence = "Database at the MySQL server."},
    Property{.key = "das.mysql.password",
             .kind = Kind::kSecret,
             .sentence = "Password at the MySQL server."},
    Property{.key = "das.mysql.lanes",
             .kind = Kind::kInteger,
             .fallback = "2",
             .min = "1",
             .max = "64",
             .sentence = "Writers, each a thread with a connection; few with large batches are "
                         "faster than many."},
    Property{.key = "das.redis.server",
             .kind = Kind::kAddress,
             .sentence = "The Redis server beside MySQL; empty = no cache."},
    Property{.key = "das.redis.password",
             .kind = Kind::kSecret,
             .sentence = "Password at the Redis server."},
};

constexpr std::array kFlags{
    config::ExtraFlag{"--schema", "status|apply", "Show or apply the store's schema, then exit."}};

}  // namespace

const config::DaemonSpec& daemon_spec() {
  static const config::DaemonSpec spec{
      .role = config::Role::kDas,
      .sentence = "Keeps the conversations: the only process that touches the stores.",
      .properties = kProperties,
      .extra_flags = kFlags};
  return spec;
}

StoreOptions store_options(const config::Start& start) {
  const config::Values& values = start.values;
  StoreOptions out;
  out.engine = values.text("das.engine");
  out.durability_required = values.text("das.durability") == "refuse";
  out.auto_schema = values.flag("das.auto_schema");
  out.lanes = static_cast<unsigned>(values.integer("das.mysql.lanes"));
  // An absolute das.embedded.file replaces host.data altogether.
  out.file = std::filesystem::path(values.text("host.data")) / values.text("das.embedded.file");
  out.cache_entries_max = static_cast<std::size_t>(values.integer("das.cache_entries"));
  out.mysql_server = values.text("das.mysql.server");
  out.mysql_user = values.text("das.mysql.user");
  out.mysql_database = values.text("das.mysql.database");
  out.mysql_password = values.secret("das.mysql.password");
  out.redis_server = values.text("das.redis.server");
  out.redis_password = values.secret("das.redis.password");
  return out;
}

WorkerOptions worker_options(const config::Start& start, unsigned writers_max) {
  const config::Values& values = start.values;
  WorkerOptions out;
  const auto lanes = static_cast<unsigned>(values.integer("das.mysql.lanes"));
  out.lanes = std::max(1U, std::min(lanes, writers_max));
  out.lane.limits.batch_rows_max = static_cast<std::size_t>(values.integer("das.batch_rows"));
  out.lane.limits.queue_appends_max = static_cast<std::size_t>(values.integer("das.queue_appends"));
  // A commit is a round trip and a flush of another process; in one's own it is cheap enough.
  if (values.text("das.engine") != "embedded") {
    out.lane.commit_distance_max = Millis{1};
    out.further_distance_max = Millis{4};
  }
  out.readers.threads = static_cast<std::size_t>(values.integer("das.readers"));
  return out;
}

}  // namespace hy::das
