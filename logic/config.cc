#include "logic/config.h"

#include <algorithm>
#include <array>

namespace hy::logic {
namespace {

using config::Apply;
using config::Kind;
using config::Property;

constexpr std::array kProperties{
    Property{.key = "logic.admin",
             .kind = Kind::kText,
             .sentence = "Address of the admin port; empty = listen port + 1 on 127.0.0.1, "
                         "\"off\" = none."},
    Property{.key = "logic.token_key",
             .kind = Kind::kSecret,
             .sentence = "Seed of the Ed25519 key that signs tokens; the same on every logic.",
             .required = true,
             .hex_bytes = 32},
    Property{.key = "logic.operator_token",
             .kind = Kind::kSecret,
             .sentence = "What `hy user` and other operator calls prove; unset = nobody may.",
             .hex_bytes = 32},
    Property{.key = "logic.insecure_peers",
             .kind = Kind::kBool,
             .fallback = "false",
             .sentence = "Accept plain TCP from other hosts (never on a public network)."},
    Property{.key = "logic.send_rate",
             .kind = Kind::kRate,
             .fallback = "5/s burst 60",
             .sentence = "Messages a user may send; above: HY-7001."},
    Property{.key = "logic.relay_rate",
             .kind = Kind::kRate,
             .fallback = "2/s burst 20",
             .sentence = "Messages a user may send while the store is down."},
    Property{.key = "logic.read_rate",
             .kind = Kind::kRate,
             .fallback = "10/s burst 60",
             .sentence = "Read marks a user may set."},
    Property{.key = "logic.sync_rate",
             .kind = Kind::kRate,
             .fallback = "1/s burst 10",
             .sentence = "SYNC requests of a user, all devices together."},
    Property{.key = "logic.pull_rate",
             .kind = Kind::kRate,
             .fallback = "5/s burst 30",
             .sentence = "PULL, HISTORY and RECENTS requests of a user."},
    Property{.key = "logic.query_rate",
             .kind = Kind::kRate,
             .fallback = "5/s burst 30",
             .sentence = "Other questions of a user: PING, look-ups, blocks."},
    Property{.key = "logic.send_per_group",
             .kind = Kind::kRate,
             .fallback = "10/s burst 20",
             .sentence = "Messages into one group, all members together; each costs as many "
                         "deliveries as the group has members."},
    Property{.key = "logic.group_creates",
             .kind = Kind::kRate,
             .fallback = "10/min burst 5",
             .sentence = "Groups that a user may make."},
    Property{.key = "logic.group_members_max",
             .kind = Kind::kInteger,
             .fallback = "500",
             .min = "2",
             .max = "512",
             .sentence = "Members of a group, its owner included; more are refused with HY-4008."},
    Property{
        .key = "logic.receipts_up_to",
        .kind = Kind::kInteger,
        .fallback = "200",
        .min = "0",
        .max = "512",
        .sentence = "Members of a group whose messages earn receipts; larger groups get none."},
    Property{.key = "logic.group_members_cached",
             .kind = Kind::kInteger,
             .fallback = "1M",
             .min = "1k",
             .max = "100M",
             .sentence = "Members remembered, all groups together (about 32 B each)."},
    Property{.key = "logic.rate_groups",
             .kind = Kind::kInteger,
             .fallback = "100k",
             .min = "1k",
             .max = "10M",
             .sentence = "Groups whose rate is remembered; the least recent one is forgotten."},
    Property{.key = "logic.rate_users",
             .kind = Kind::kInteger,
             .fallback = "1M",
             .min = "1k",
             .max = "100M",
             .sentence = "Users whose rates are remembered; the least recent one is forgotten."},
    Property{.key = "logic.pairs_cached",
             .kind = Kind::kInteger,
             .fallback = "500k",
             .min = "1k",
             .max = "50M",
             .sentence = "Pairs whose permissions are remembered (about 150 B each)."},
    Property{.key = "logic.heartbeat_phone",
             .kind = Kind::kDuration,
             .fallback = "240s",
             .min = "1s",
             .max = "540s",
             .sentence = "How long a phone or pad may be silent before it sends PING."},
    Property{.key = "logic.heartbeat",
             .kind = Kind::kDuration,
             .fallback = "60s",
             .min = "1s",
             .max = "540s",
             .sentence = "The same for desktop, web and other devices."},
    Property{.key = "logic.storm_window",
             .kind = Kind::kDuration,
             .fallback = "2s",
             .min = "0ms",
             .max = "10m",
             .sentence = "Over how long devices spread their first reconnect after a loss."},
    Property{.key = "logic.session_token_life",
             .kind = Kind::kDuration,
             .fallback = "24h",
             .min = "1m",
             .max = "90d",
             .sentence = "Life of the token that a password login gives."},
    Property{
        .key = "logic.grant_life",
        .kind = Kind::kDuration,
        .fallback = "10m",
        .min = "10s",
        .max = "1h",
        .sentence =
            "How long an entry may act for a session without a renewal, at least 2.5 heartbeats."},
    Property{.key = "logic.deadline",
             .kind = Kind::kDuration,
             .fallback = "3s",
             .min = "100ms",
             .max = "30s",
             .sentence = "Time that a command may take here, das included."},
    Property{.key = "logic.das_deadline",
             .kind = Kind::kDuration,
             .fallback = "2s",
             .min = "50ms",
             .max = "30s",
             .sentence = "Time that one call to das may take."},
    Property{.key = "logic.das_retries",
             .kind = Kind::kInteger,
             .fallback = "1k",
             .min = "10",
             .max = "1M",
             .sentence = "Calls that may go to another das at once when one is lost; beside them "
                         "every tenth may."},
    Property{.key = "logic.queue_wait",
             .kind = Kind::kDuration,
             .fallback = "2s",
             .min = "10ms",
             .max = "30s",
             .sentence = "A command that waited longer than this before it started is refused."},
    Property{.key = "logic.session_queue",
             .kind = Kind::kInteger,
             .fallback = "64",
             .min = "1",
             .max = "10k",
             .sentence = "Commands of one session that may wait in line."},
    Property{.key = "logic.recheck_after",
             .kind = Kind::kDuration,
             .fallback = "5s",
             .min = "1s",
             .max = "10m",
             .sentence =
                 "After RELAYED a device sends again after 1 s, growing to this with the outage."},
    Property{.key = "logic.password_memory",
             .kind = Kind::kSize,
             .fallback = "64MiB",
             .min = "19MiB",
             .max = "1GiB",
             .sentence = "Memory of one Argon2id hash."},
    Property{.key = "logic.password_passes",
             .kind = Kind::kInteger,
             .fallback = "2",
             .min = "2",
             .max = "20",
             .sentence = "Passes of one Argon2id hash."},
    Property{.key = "logic.password_queue",
             .kind = Kind::kInteger,
             .fallback = "100",
             .min = "1",
             .max = "10k",
             .sentence = "Password logins that may wait; more are refused with HY-7003."},
    Property{.key = "logic.trace_messages",
             .kind = Kind::kInteger,
             .fallback = "16k",
             .min = "1k",
             .max = "10M",
             .sentence = "Messages whose way is remembered for hy trace (about 170 B each)."},
    Property{.key = "logic.drain_within",
             .kind = Kind::kDuration,
             .fallback = "4s",
             .min = "0ms",
             .max = "10m",
             .sentence = "At a stop: how long open commands may still be answered."},
};

RateLimit limit_of(const config::Values& values, std::string_view key) {
  const config::Rate rate = values.rate(key);
  return {rate.per_second(), rate.burst};
}

}  // namespace

std::span<const config::Property> properties() {
  return kProperties;
}

Status check_together(const config::Values& values) {
  const Millis heartbeat =
      std::max(values.duration("logic.heartbeat"), values.duration("logic.heartbeat_phone"));
  // An entry bears so much silence (entry/session/heartbeat.h); the word that ends it renews the
  // grant, and needs one that holds.
  const Millis silence = heartbeat * 5 / 2;
  if (values.duration("logic.grant_life") >= silence) return {};
  return fail(Errc::kConfigOutOfBounds,
              "logic.grant_life must be at least 2.5 times logic.heartbeat and "
              "logic.heartbeat_phone, which is " +
                  std::to_string(silence.count() / 1'000) + "s");
}

Rates::Limits rate_limits(const config::Values& values) {
  return {.send = limit_of(values, "logic.send_rate"),
          .read = limit_of(values, "logic.read_rate"),
          .sync = limit_of(values, "logic.sync_rate"),
          .pull = limit_of(values, "logic.pull_rate"),
          .query = limit_of(values, "logic.query_rate"),
          .relay = limit_of(values, "logic.relay_rate"),
          .new_group = limit_of(values, "logic.group_creates"),
          .group = limit_of(values, "logic.send_per_group")};
}

PasswordPool::Options password_options(const config::Values& values, std::size_t cores) {
  constexpr std::uint64_t kKib = 1024;
  crypto::PasswordCost cost;
  cost.memory_kib = static_cast<std::uint32_t>(values.bytes("logic.password_memory") / kKib);
  cost.passes = static_cast<std::uint32_t>(values.integer("logic.password_passes"));
  return {.threads = std::max<std::size_t>(cores / 2, 1),
          .queue_max = static_cast<std::size_t>(values.integer("logic.password_queue")),
          .cost = cost};
}

}  // namespace hy::logic
