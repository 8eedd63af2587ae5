#include "tests/cluster/chaos/replicas.h"

#include <array>
#include <charconv>
#include <map>

#include "common/http/http_get.h"

namespace hy::chaos {
namespace {

constexpr Millis kAnswerWithin{3'000};

using Key = std::pair<std::uint64_t, int>;  // uid, slot
using Place = std::pair<EntryId, Epoch>;

Result<std::string> ask(Rig& rig, const std::string& daemon) {
  const auto answer = http::get(rig.admin(daemon), "/placements", kAnswerWithin);
  if (!answer || answer->status != 200 || answer->body.starts_with("{\"error\""))
    return fail(Errc::kUnavailable, daemon + " does not say who is placed where");
  return answer->body;
}

std::string text(const Key& key, const Place& place) {
  return std::to_string(key.first) + " slot " + std::to_string(key.second) + " at entry " +
         std::to_string(place.first.value()) + ", epoch " + std::to_string(place.second.auth) +
         "." + std::to_string(place.second.conn);
}

}  // namespace

Result<StoredRows> read_rows(Rig& rig) {
  const std::filesystem::path& folder = rig.options().folder;
  return rig.has_mysql() ? read_mysql(folder / "store")
                         : read_embedded(folder / "data" / "hongyan.db");
}

std::vector<judge::PlacementRow> parse_placements(const std::string& json) {
  std::vector<judge::PlacementRow> out;
  std::size_t at = json.find("\"rows\":[");
  if (at == std::string::npos) return out;
  at += 8;
  while (at < json.size() && (json[at] == '[' || json[at] == ',')) {
    if (json[at] == ',') ++at;
    std::array<std::uint64_t, 5> field{};
    for (std::uint64_t& value : field) {
      const auto read = std::from_chars(&json[at] + 1, json.data() + json.size(), value);
      if (read.ec != std::errc()) return out;
      at = static_cast<std::size_t>(read.ptr - json.data());
    }
    ++at;  // the closing bracket
    out.push_back(
        {.uid = Uid{field[0]},
         .slot = static_cast<Slot>(field[1]),
         .device = 0,
         .entry = EntryId{static_cast<std::uint16_t>(field[2])},
         .epoch = {static_cast<std::uint32_t>(field[3]), static_cast<std::uint32_t>(field[4])}});
  }
  return out;
}

Result<Placements> read_placements(Rig& rig) {
  Placements out;
  for (const std::string& entry : rig.cluster().layout().names_of("entry")) {
    HY_TRY(const std::string json, ask(rig, entry));
    for (const judge::PlacementRow& row : parse_placements(json))
      out.sessions.push_back({row.entry, row.uid, row.slot, row.device, row.epoch});
  }
  for (const std::string& router : rig.cluster().layout().names_of("router")) {
    HY_TRY(const std::string json, ask(rig, router));
    out.routers.push_back({.name = router,
                           .is_live = json.find("\"ready\":true") != std::string::npos,
                           .rows = parse_placements(json)});
  }
  return out;
}

std::vector<std::string> compare(const Placements& placements) {
  std::vector<std::string> out;
  std::map<Key, Place> held;
  for (const judge::EntrySession& s : placements.sessions) {
    const Key key{s.uid.value(), static_cast<int>(s.slot)};
    const Place place{s.entry, s.epoch};
    if (!held.emplace(key, place).second) out.push_back("two sessions of " + text(key, place));
  }
  for (const judge::RouterDump& router : placements.routers) {
    if (!router.is_live) out.push_back(router.name + " is not ready");
    std::map<Key, Place> known;
    for (const judge::PlacementRow& row : router.rows)
      known[{row.uid.value(), static_cast<int>(row.slot)}] = {row.entry, row.epoch};
    for (const auto& [key, place] : held) {
      const auto at = known.find(key);
      if (at == known.end()) {
        out.push_back(router.name + " does not know " + text(key, place));
      } else if (at->second != place) {
        out.push_back(router.name + " says " + text(key, at->second) + ", held is " +
                      text(key, place));
      }
    }
    for (const auto& [key, place] : known) {
      if (!held.contains(key)) out.push_back(router.name + " has a ghost: " + text(key, place));
    }
  }
  return out;
}

}  // namespace hy::chaos
