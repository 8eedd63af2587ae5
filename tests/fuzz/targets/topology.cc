// topology.toml: a topology that holds its own rules, or mistakes; the hash is over the meaning.
#include "common/config/topology.h"

#include "common/config/value_text.h"
#include "tests/fuzz/target.h"

namespace hy::fuzz {
namespace {

using config::Role;
using config::Topology;

void check(const Topology& topology) {
  law(!topology.cluster.empty() && topology.hash.size() == 16, "a cluster has a name and a hash");
  for (const auto& [name, idc] : topology.idcs) {
    for (const Role role : config::kRoles) {
      const auto& addresses = idc.of(role);
      for (std::size_t i = 0; i < addresses.size(); ++i) {
        law(config::check_address(addresses[i]).has_value(), "an address is an address");
        const std::string instance = config::instance_name(static_cast<std::uint32_t>(i));
        law(config::instance_index(instance) == i, "instance names count");
        const auto found = topology.address(name, role, instance);
        law(found && *found == addresses[i], "each instance is found by its name");
      }
      law(!topology.address(name, role,
                            config::instance_name(static_cast<std::uint32_t>(addresses.size()))),
          "there is no instance more");
    }
    if (idc.shards.empty()) continue;
    std::vector<int> held(1'024, 0);
    for (const auto& range : idc.shards) {
      law(range.first <= range.last && range.last < 1'024, "a shard range lies in 0 … 1023");
      for (std::uint32_t s = range.first; s <= range.last; ++s) ++held[s];
    }
    law(std::ranges::all_of(held, [](int n) { return n == 1; }), "each shard has one server");
  }
}

void run(ByteView input) {
  const std::string text(as_text(input));
  const auto topology = config::parse_topology(text, "topology.toml");
  if (!topology) {
    law(!topology.error().empty(), "a refusal says why");
    return;
  }
  check(*topology);
  const auto again = config::parse_topology(text + "\n# a comment\n", "other.toml");
  law(again && again->hash == topology->hash, "comments do not count");
}

std::vector<Seed> seeds() {
  const std::string head = "version = 1\ncluster = \"demo\"\n";
  const std::string idc =
      "[idc.hz]\nentry = [\"127.0.0.1:14000\"]\nlogic = [\"127.0.0.1:14100\"]\n"
      "router = [\"127.0.0.1:14200\", \"127.0.0.1:14201\"]\ndas = [\"unix:/run/das\"]\n";
  return {
      {"empty", ""},
      {"head", head},
      {"plain", head + idc},
      {"weight", head + idc + "weight = 50\n"},
      {"shards", head + idc + "shards = { \"0-511\" = \"a:1\", \"512-1023\" = \"b:1\" }\n"},
      {"shards-hole", head + idc + "shards = { \"0-510\" = \"a:1\", \"512-1023\" = \"b:1\" }\n"},
      {"shards-overlap", head + idc + "shards = { \"0-600\" = \"a:1\", \"512-1023\" = \"b:1\" }\n"},
      {"shards-huge", head + idc + "shards = { \"0-4294967295\" = \"a:1\" }\n"},
      {"fallback", head + idc + "fallback = [\"sh\"]\n[idc.sh]\nentry = [\"h:1\"]\n"},
      {"no-version", "cluster = \"demo\"\n" + idc},
      {"version-0", "version = 0\ncluster = \"demo\"\n" + idc},
      {"bad-address", head + "[idc.hz]\nentry = [\"127.0.0.1\", \":1\", \"h:65536\"]\n"},
      {"twice", head + "[idc.hz]\nentry = [\"h:1\", \"h:1\"]\n"},
      {"not-a-table", head + "idc = 3\n"},
      {"bad-name", head + "[idc.\"\"]\nentry = [\"h:1\"]\n[idc.\"a b\"]\nentry = []\n"},
      {"broken", head + "[idc.hz\nentry = [\n"}};
}

HY_FUZZ_TARGET(topology, run, seeds, 4'096);

}  // namespace
}  // namespace hy::fuzz
