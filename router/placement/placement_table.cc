#include "router/placement/placement_table.h"

#include <algorithm>
#include <cmath>

#include "common/base/check.h"
#include "common/base/test_hooks.h"

namespace hy::router {
namespace {

constexpr std::size_t kBuckets = flow::kDigestBuckets;
constexpr std::size_t kLivesPerEntryMax = 250;

/// Bits above those that choose the bucket: 0 .. 2^32-1, even.
std::uint64_t fraction_of(Uid uid) {
  return (mix64(uid.value()) >> 8) & 0xFFFF'FFFF;
}

/// Where bucket b is cut: 1/3 · 2^(b/256) of it goes to the first shard, so both parts lie between
/// 1/3 and 2/3 and all sizes are spread evenly over that factor of two.
std::array<std::uint64_t, kBuckets> make_cuts() {
  std::array<std::uint64_t, kBuckets> cuts{};
  for (std::size_t b = 0; b < kBuckets; ++b) {
    const double share = std::exp2(static_cast<double>(b) / kBuckets) / 3.0;
    cuts.at(b) = static_cast<std::uint64_t>(share * 4'294'967'296.0);
  }
  return cuts;
}

}  // namespace

/// 24 bytes; with the uid as key 32, plus one control byte of the map.
struct PlacementTable::Packed {
  std::uint32_t auth = 0;
  std::uint32_t counter = 0;
  std::uint32_t conn_high = 0;
  std::uint32_t conn_low = 0;
  std::uint32_t dead_since = 0;  // seconds + 1; 0 = live
  std::uint16_t entry = 0;
  std::uint8_t life = 0;  // index into the entry's lives
  std::uint8_t dump = 0;  // the dump in which it was seen last
};

struct PlacementTable::EntryState {
  std::vector<Incarnation> lives;
  std::uint8_t current = 0;  // index of the life that counts
  std::uint8_t dump = 0;
  std::uint32_t current_since = 0;  // seconds
  std::size_t live = 0;
  flow::PlacementDigest digest;
};

struct PlacementTable::Shards {
  struct Hash {
    std::size_t operator()(std::uint64_t uid) const { return mix64(~uid); }
  };
  using SlotMap = FlatMap<std::uint64_t, Packed, Hash>;
  using SlotMaps = std::array<SlotMap, kSlotMax>;

  std::array<std::uint64_t, kBuckets> cuts = make_cuts();
  std::vector<SlotMaps> parts{kBuckets * 2};

  [[nodiscard]] SlotMap& of(Uid uid, Slot slot) {
    const std::uint32_t bucket = flow::digest_bucket_of(uid);
    const std::size_t part = fraction_of(uid) < cuts.at(bucket) ? 0 : 1;
    return parts[bucket * 2 + part].at(static_cast<std::size_t>(slot) - 1);
  }
  template <class Visit>
  void for_bucket(std::uint32_t bucket, const Visit& visit) {
    for (std::size_t part = 0; part < 2; ++part) {
      for (std::size_t s = 0; s < kSlotMax; ++s) {
        visit(parts[bucket * 2 + part].at(s), static_cast<Slot>(s + 1));
      }
    }
  }
};

PlacementTable::PlacementTable() : shards_(std::make_unique<Shards>()) {}
PlacementTable::~PlacementTable() = default;

std::uint32_t PlacementTable::seconds(MonoTime t) const {
  return static_cast<std::uint32_t>(
      std::chrono::duration_cast<std::chrono::seconds>(t.time_since_epoch()).count());
}

PlacementTable::EntryState& PlacementTable::state(EntryId entry) {
  auto& slot = entries_[entry.value()];
  if (!slot) slot = std::make_unique<EntryState>();
  return *slot;
}

const PlacementTable::EntryState* PlacementTable::state_if(EntryId entry) const {
  const auto found = entries_.find(entry.value());
  return found == entries_.end() ? nullptr : found->second.get();
}

std::optional<Incarnation> PlacementTable::incarnation(EntryId entry) const {
  const EntryState* s = state_if(entry);
  if (s == nullptr || s->lives.empty()) return std::nullopt;
  return s->lives[s->current];
}

void PlacementTable::set_incarnation(EntryId entry, Incarnation incarnation, MonoTime now) {
  EntryState& s = state(entry);
  if (!s.lives.empty() && s.lives[s.current] == incarnation) return;
  if (s.lives.size() >= kLivesPerEntryMax) purge(entry);
  s.lives.push_back(incarnation);
  s.current = static_cast<std::uint8_t>(s.lives.size() - 1);
  s.current_since = seconds(now);
  s.live = 0;
  s.digest = flow::PlacementDigest(s.digest.key());
}

/// All rows of the entry go, with their lives' numbers.
void PlacementTable::purge(EntryId entry) {
  for (auto& maps : shards_->parts) {
    for (auto& map : maps) {
      rows_ -=
          absl::erase_if(map, [&](const auto& row) { return row.second.entry == entry.value(); });
    }
  }
  EntryState& s = state(entry);
  s.lives.clear();
  s.current = 0;
}

Row PlacementTable::unpack(std::uint64_t uid, Slot slot, const Packed& packed) const {
  const EntryState* s = state_if(EntryId{packed.entry});
  return {.uid = Uid{uid},
          .slot = slot,
          .epoch = {packed.auth, packed.counter},
          .dead = packed.dead_since != 0,
          .entry = EntryId{packed.entry},
          .incarnation = s->lives[packed.life],
          .conn = ConnId{(std::uint64_t{packed.conn_high} << 32) | packed.conn_low}};
}

bool PlacementTable::is_live(const Packed& packed) const {
  return packed.dead_since == 0 && (mutant(Mutant::kOldIncarnationLives) ||
                                    state_if(EntryId{packed.entry})->current == packed.life);
}

bool PlacementTable::is_live(const Row& row) const {
  return !row.dead &&
         (mutant(Mutant::kOldIncarnationLives) || incarnation(row.entry) == row.incarnation);
}

void PlacementTable::count_live(const Row& row, bool add) {
  EntryState& s = state(row.entry);
  const flow::DigestRow digest_row{row.uid, row.slot, row.epoch, row.conn};
  if (add) {
    ++s.live;
    s.digest.add(digest_row);
  } else {
    --s.live;
    s.digest.remove(digest_row);
  }
}

MergeOutcome PlacementTable::merge(const Row& row, MonoTime now) {
  EntryState& s = state(row.entry);
  const auto life = std::ranges::find(s.lives, row.incarnation);
  if (life == s.lives.end()) return {};
  auto& map = shards_->of(row.uid, row.slot);
  if (mutant(Mutant::kNoTombstone) && row.dead) {
    const auto found = map.find(row.uid.value());
    if (found == map.end()) return {MergeOutcome::Kind::kApplied, std::nullopt};
    const Row before = unpack(row.uid.value(), row.slot, found->second);
    if (is_live(found->second)) count_live(before, false);
    map.erase(found);
    --rows_;
    return {MergeOutcome::Kind::kApplied, before};
  }
  const auto [at, is_new] = map.try_emplace(row.uid.value());
  Packed& packed = at->second;
  MergeOutcome outcome{MergeOutcome::Kind::kApplied, std::nullopt};
  bool was_live = false;
  if (is_new) {
    ++rows_;
  } else {
    outcome.before = unpack(row.uid.value(), row.slot, packed);
    was_live = is_live(packed);
    const bool same = *outcome.before == row;
    if (same) packed.dump = s.dump;
    const bool wins = mutant(Mutant::kMergeReversed) ? rank(row) < rank(*outcome.before)
                                                     : rank(*outcome.before) < rank(row);
    if (!wins) {
      outcome.kind = same ? MergeOutcome::Kind::kSame : MergeOutcome::Kind::kLost;
      return outcome;
    }
  }
  if (was_live) count_live(*outcome.before, false);
  packed = {.auth = row.epoch.auth,
            .counter = row.epoch.conn,
            .conn_high = static_cast<std::uint32_t>(row.conn.value() >> 32),
            .conn_low = static_cast<std::uint32_t>(row.conn.value()),
            .dead_since = row.dead ? seconds(now) + 1 : 0,
            .entry = row.entry.value(),
            .life = static_cast<std::uint8_t>(life - s.lives.begin()),
            .dump = s.dump};
  if (is_live(packed)) count_live(row, true);
  return outcome;
}

std::optional<Row> PlacementTable::find(Uid uid, Slot slot) const {
  const auto& map = shards_->of(uid, slot);
  const auto found = map.find(uid.value());
  if (found == map.end()) return std::nullopt;
  return unpack(uid.value(), slot, found->second);
}

std::vector<Row> PlacementTable::rows_of(EntryId entry, std::uint32_t bucket) const {
  std::vector<Row> out;
  shards_->for_bucket(bucket, [&](const Shards::SlotMap& map, Slot slot) {
    for (const auto& [uid, packed] : map) {
      if (packed.entry == entry.value() && is_live(packed))
        out.push_back(unpack(uid, slot, packed));
    }
  });
  return out;
}

void PlacementTable::begin_dump(EntryId entry) {
  ++state(entry).dump;  // wraps; rows of 256 dumps ago are seen again only if nothing was merged
}

std::size_t PlacementTable::end_dump(EntryId entry, MonoTime now) {
  if (mutant(Mutant::kSnapshotDoesNotRemove)) return 0;
  EntryState& s = state(entry);
  std::size_t ended = 0;
  for (std::uint32_t bucket = 0; bucket < kBuckets && s.live > 0; ++bucket) {
    shards_->for_bucket(bucket, [&](Shards::SlotMap& map, Slot slot) {
      for (auto& [uid, packed] : map) {
        if (packed.entry != entry.value() || packed.dump == s.dump || !is_live(packed)) continue;
        count_live(unpack(uid, slot, packed), false);
        packed.dead_since = seconds(now) + 1;
        ++ended;
      }
    });
  }
  return ended;
}

void PlacementTable::set_digest_key(EntryId entry, std::uint64_t key) {
  EntryState& s = state(entry);
  s.digest = flow::PlacementDigest(key);
  for (std::uint32_t bucket = 0; bucket < kBuckets && s.live > 0; ++bucket) {
    for (const Row& row : rows_of(entry, bucket)) {
      s.digest.add({row.uid, row.slot, row.epoch, row.conn});
    }
  }
}

const flow::PlacementDigest& PlacementTable::digest(EntryId entry) const {
  static const flow::PlacementDigest kNone;
  const EntryState* s = state_if(entry);
  return s == nullptr ? kNone : s->digest;
}

std::size_t PlacementTable::sweep(std::uint32_t bucket, MonoTime before,
                                  const std::function<bool(EntryId)>& entry_gone) {
  const std::uint32_t limit = seconds(before);
  std::size_t dropped = 0;
  shards_->for_bucket(bucket, [&](Shards::SlotMap& map, Slot slot) {
    for (auto row = map.begin(); row != map.end();) {
      const Packed& packed = row->second;
      const EntryState& s = *state_if(EntryId{packed.entry});
      const bool live = is_live(packed);
      const bool gone = live && entry_gone(EntryId{packed.entry});
      const bool old =
          packed.dead_since != 0 ? packed.dead_since <= limit : !live && s.current_since < limit;
      if (!gone && !old) {
        ++row;
        continue;
      }
      if (live) count_live(unpack(row->first, slot, packed), false);
      map.erase(row++);
      ++dropped;
    }
    // A table that has emptied gives its memory back.
    if (map.empty()) Shards::SlotMap().swap(map);
  });
  rows_ -= dropped;
  return dropped;
}

std::size_t PlacementTable::live_rows(EntryId entry) const {
  const EntryState* s = state_if(entry);
  return s == nullptr ? 0 : s->live;
}

std::size_t PlacementTable::live_rows() const {
  std::size_t sum = 0;
  for (const auto& entry : entries_) sum += entry.second->live;
  return sum;
}

std::size_t PlacementTable::bytes() const {
  std::size_t sum =
      sizeof(*this) + sizeof(Shards) + shards_->parts.size() * sizeof(Shards::SlotMaps);
  for (const auto& maps : shards_->parts) {
    for (const auto& map : maps) {
      // One control byte a slot, and the sentinel with its cloned group.
      if (map.capacity() > 0) {
        sum += map.capacity() * (sizeof(Shards::SlotMap::value_type) + 1) + 16;
      }
    }
  }
  return sum + entries_.size() * (sizeof(EntryState) + kLivesPerEntryMax);
}

void PlacementTable::for_each(const std::function<void(const Row&)>& visit) const {
  for (std::uint32_t bucket = 0; bucket < kBuckets; ++bucket) {
    shards_->for_bucket(bucket, [&](const Shards::SlotMap& map, Slot slot) {
      for (const auto& [uid, packed] : map) visit(unpack(uid, slot, packed));
    });
  }
}

}  // namespace hy::router
