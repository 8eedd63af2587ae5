#include "router/config.h"

#include <array>

namespace hy::router {
namespace {

using config::Apply;
using config::Kind;
using config::Property;

constexpr std::array kProperties = {
    Property{.key = "router.admin",
             .kind = Kind::kText,
             .fallback = "",
             .sentence = "Address of the admin HTTP server; empty = listen port + 1 on 127.0.0.1, "
                         "\"off\" = none."},
    Property{.key = "router.insecure_peers",
             .kind = Kind::kBool,
             .fallback = "false",
             .sentence = "Allows plain TCP beyond loopback, within private address ranges."},
    Property{.key = "router.suspect_after",
             .kind = Kind::kDuration,
             .fallback = "3s",
             .min = "2s",
             .max = "1m",
             .sentence = "Silence of an entry after which its sessions are unknown."},
    Property{.key = "router.dead_after",
             .kind = Kind::kDuration,
             .fallback = "10s",
             .min = "5s",
             .max = "5m",
             .sentence = "Silence of an entry after which its sessions are offline."},
    Property{.key = "router.tombstone_min",
             .kind = Kind::kDuration,
             .fallback = "10m",
             .min = "1m",
             .max = "24h",
             .sentence = "How long the end of a session is remembered at least."},
    Property{.key = "router.queue_envelopes",
             .kind = Kind::kInteger,
             .fallback = "16384",
             .min = "256",
             .max = "1000000",
             .sentence = "Deliveries that may wait for one peer; more are answered unknown."},
    Property{.key = "router.queue_bytes",
             .kind = Kind::kSize,
             .fallback = "32MiB",
             .min = "2MiB",
             .max = "1GiB",
             .sentence = "Bytes that may wait for one peer."},
};

}  // namespace

std::span<const Property> properties() {
  return kProperties;
}

config::DaemonSpec daemon_spec() {
  return {.role = config::Role::kRouter,
          .sentence = "Knows which entry holds a session and forwards deliveries to it.",
          .properties = kProperties};
}

Result<Config> read_config(const config::Start& start) {
  const config::Values& v = start.values;
  Config out;
  out.listen = start.address;
  out.tls = {v.text("tls.ca"), v.text("tls.certificate"), v.text("tls.key")};
  out.insecure_peers = v.flag("router.insecure_peers");
  out.queue.envelopes_max = static_cast<std::size_t>(v.integer("router.queue_envelopes"));
  out.queue.bytes_max = v.bytes("router.queue_bytes");
  out.leases.suspect_after = v.duration("router.suspect_after");
  out.leases.dead_after = v.duration("router.dead_after");
  out.link.topology_version = start.topology.version;
  out.link.tombstone_min = v.duration("router.tombstone_min");
  if (out.leases.dead_after <= out.leases.suspect_after) {
    return fail(Errc::kConfigOutOfBounds,
                "router.dead_after must be longer than router.suspect_after");
  }
  return out;
}

}  // namespace hy::router
