#include "router/placement/placement_table.h"

#include <algorithm>

#include "common/base/check.h"
#include "common/base/test_hooks.h"

namespace hy::router {
namespace {

constexpr std::size_t kBuckets = flow::kDigestBuckets;
constexpr std::size_t kLivesPerEntryMax = 250;
constexpr std::size_t kWritersMax = 65'536;
constexpr std::uint32_t kAuthMax = (1U << 11U) - 1;
constexpr std::uint32_t kIndexMax = (1U << 24U) - 1;

std::uint64_t key_of(std::uint64_t hash, Slot slot) {
  return ((hash & ~0xFFULL) >> 5U) | static_cast<std::uint64_t>(slot);
}

std::uint32_t seconds(MonoTime t) {
  return static_cast<std::uint32_t>(
      std::chrono::duration_cast<std::chrono::seconds>(t.time_since_epoch()).count());
}

std::uint16_t stamp_of(MonoTime t) {
  return static_cast<std::uint16_t>(seconds(t));
}

}  // namespace

struct PlacementTable::EntryState {
  struct Life {
    Incarnation incarnation;
    std::uint16_t writer = 0;  // 0: has no rows
  };
  std::vector<Life> lives;
  std::size_t current = 0;  // index of the life that counts
  std::uint16_t dump = 0;
  std::uint32_t current_since = 0;  // seconds
  std::size_t live = 0;
  flow::PlacementDigest digest;

  [[nodiscard]] bool is_current(Incarnation incarnation) const {
    return !lives.empty() && lives[current].incarnation == incarnation;
  }
};

PlacementTable::PlacementTable() : shards_(kBuckets * kShardsPerBucket) {}
PlacementTable::~PlacementTable() = default;

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
  return s->lives[s->current].incarnation;
}

void PlacementTable::set_incarnation(EntryId entry, Incarnation incarnation, MonoTime now) {
  EntryState& s = state(entry);
  if (s.is_current(incarnation)) return;
  if (s.lives.size() >= kLivesPerEntryMax) purge(entry);
  const std::uint16_t before = s.lives.empty() ? std::uint16_t{0} : s.lives[s.current].writer;
  s.lives.push_back({incarnation, 0});
  s.current = s.lives.size() - 1;
  s.current_since = seconds(now);
  s.live = 0;
  s.digest = flow::PlacementDigest(s.digest.key());
  release_if_idle(before);
}

/// The number of this life, given at its first row. Lives without rows give theirs back, so numbers
/// last as long as entries and unswept lives together are below 65,536.
std::uint16_t PlacementTable::writer_of(EntryState& s, EntryId entry, std::size_t life) {
  if (s.lives[life].writer != 0) return s.lives[life].writer;
  if (writers_free_.empty() && writers_.size() == kWritersMax) {
    drop_rows([this](const PackedRow& packed) { return !is_live(packed) && !packed.is_dead(); });
  }
  std::uint16_t number = 0;
  if (!writers_free_.empty()) {
    number = writers_free_.back();
    writers_free_.pop_back();
  } else {
    HY_CHECK(writers_.size() < kWritersMax);  // entries are numbered by 16 bits, from 1
    number = static_cast<std::uint16_t>(writers_.size());
    writers_.emplace_back();
  }
  writers_[number] = {&s, entry, s.lives[life].incarnation, 0};
  s.lives[life].writer = number;
  return number;
}

void PlacementTable::release_if_idle(std::uint16_t number) {
  Writer& writer = writers_[number];
  if (number == 0 || writer.rows > 0 || writer.state->is_current(writer.incarnation)) return;
  const auto life = std::ranges::find(writer.state->lives, number, &EntryState::Life::writer);
  if (life != writer.state->lives.end()) life->writer = 0;
  writer = {};
  writers_free_.push_back(number);
}

void PlacementTable::let_go(const PackedRow& packed) {
  if (packed.is_wide()) wide_free_.push_back(packed.rest);
  --writers_[packed.writer].rows;
  release_if_idle(packed.writer);
}

void PlacementTable::remove(RowShard& shard, RowShard::Spot spot) {
  const PackedRow packed = *spot.row;
  shard.erase(spot.row);
  --rows_;
  let_go(packed);
}

template <class Gone>
void PlacementTable::drop_rows(const Gone& gone) {
  for (RowShard& shard : shards_) {
    shard.sweep([&](const PackedRow& packed) {
      if (!gone(packed)) return true;
      --rows_;
      let_go(packed);
      return false;
    });
  }
}

/// All rows of the entry go, with its lives.
void PlacementTable::purge(EntryId entry) {
  drop_rows([&](const PackedRow& packed) { return writers_[packed.writer].entry == entry; });
  EntryState& s = state(entry);
  const std::uint16_t last = s.lives.empty() ? std::uint16_t{0} : s.lives[s.current].writer;
  s.lives.clear();
  s.current = 0;
  release_if_idle(last);
}

PackedRow PlacementTable::pack(const Row& row, std::uint16_t writer, std::uint16_t stamp) {
  const auto index = static_cast<std::uint32_t>(row.conn.value() >> 32U);
  PackedRow out;
  out.place = key_of(mix64(row.uid.value()), row.slot) << 5U;
  if (row.dead) out.place |= PackedRow::kDead;
  out.counter = row.epoch.conn;
  out.generation = static_cast<std::uint32_t>(row.conn.value());
  out.writer = writer;
  out.stamp = stamp;
  if (row.epoch.auth <= kAuthMax && index <= kIndexMax) {
    out.place |= row.epoch.auth >> 8U;
    out.rest = (index << 8U) | (row.epoch.auth & 0xFF);
    return out;
  }
  out.place |= PackedRow::kWide;
  if (wide_free_.empty()) {
    wide_free_.push_back(static_cast<std::uint32_t>(wide_.size()));
    wide_.emplace_back();
  }
  out.rest = wide_free_.back();
  wide_free_.pop_back();
  wide_[out.rest] = {row.epoch.auth, index};
  return out;
}

Row PlacementTable::unpack(std::uint32_t bucket, const PackedRow& packed) const {
  const Writer& writer = writers_[packed.writer];
  Wide wide{static_cast<std::uint32_t>((packed.place & PackedRow::kAuthHigh) << 8U) |
                (packed.rest & 0xFF),
            packed.rest >> 8U};
  if (packed.is_wide()) wide = wide_[packed.rest];
  return {.uid = Uid{unmix64((packed.place & ~0xFFULL) | bucket)},
          .slot = packed.slot(),
          .epoch = {wide.auth, packed.counter},
          .dead = packed.is_dead(),
          .entry = writer.entry,
          .incarnation = writer.incarnation,
          .conn = ConnId{(std::uint64_t{wide.index} << 32U) | packed.generation}};
}

bool PlacementTable::is_live(const PackedRow& packed) const {
  if (packed.is_dead()) return false;
  const Writer& writer = writers_[packed.writer];
  return mutant(Mutant::kOldIncarnationLives) || writer.state->is_current(writer.incarnation);
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
  const auto life = std::ranges::find(s.lives, row.incarnation, &EntryState::Life::incarnation);
  if (life == s.lives.end()) return {};
  const std::uint64_t hash = mix64(row.uid.value());
  const auto bucket = static_cast<std::uint32_t>(hash & 0xFF);
  RowShard& shard = shard_of(hash);
  RowShard::Spot spot = shard.locate(key_of(hash, row.slot));
  MergeOutcome outcome{MergeOutcome::Kind::kApplied, std::nullopt};
  bool was_live = false;
  if (spot.found) {
    outcome.before = unpack(bucket, *spot.row);
    was_live = is_live(*spot.row);
  }
  if (mutant(Mutant::kNoTombstone) && row.dead) {
    if (was_live) count_live(*outcome.before, false);
    if (spot.found) remove(shard, spot);
    return outcome;
  }
  if (spot.found) {
    const bool same = *outcome.before == row;
    if (same && !row.dead) spot.row->stamp = s.dump;
    const bool wins = mutant(Mutant::kMergeReversed) ? rank(row) < rank(*outcome.before)
                                                     : rank(*outcome.before) < rank(row);
    if (!wins) {
      outcome.kind = same ? MergeOutcome::Kind::kSame : MergeOutcome::Kind::kLost;
      return outcome;
    }
  }
  if (was_live) count_live(*outcome.before, false);
  const std::uint16_t writer =
      writer_of(s, row.entry, static_cast<std::size_t>(life - s.lives.begin()));
  ++writers_[writer].rows;
  const PackedRow packed = pack(row, writer, row.dead ? stamp_of(now) : s.dump);
  if (spot.found) {
    let_go(std::exchange(*spot.row, packed));
  } else {
    shard.insert(spot, packed);
    ++rows_;
  }
  if (is_live(packed)) count_live(row, true);
  return outcome;
}

std::optional<Row> PlacementTable::find(Uid uid, Slot slot) const {
  const std::uint64_t hash = mix64(uid.value());
  const PackedRow* const found = shard_of(hash).find(key_of(hash, slot));
  if (found == nullptr) return std::nullopt;
  return unpack(static_cast<std::uint32_t>(hash & 0xFF), *found);
}

std::size_t PlacementTable::find_all(Uid uid, std::array<Row, kSlotMax>& out) const {
  const std::uint64_t hash = mix64(uid.value());
  const std::uint64_t end = key_of(hash, Slot::kNone) | 7U;
  const PackedRow* row = shard_of(hash).first_from(key_of(hash, Slot::kNone));
  std::size_t n = 0;
  // The place behind a shard's last row is empty, and a row there has a greater key.
  for (; row != nullptr && row->writer != 0 && row->key() <= end && n < out.size(); ++row) {
    out.at(n++) = unpack(static_cast<std::uint32_t>(hash & 0xFF), *row);
  }
  return n;
}

void PlacementTable::prefetch(Uid uid) const {
  const std::uint64_t hash = mix64(uid.value());
  shard_of(hash).prefetch(key_of(hash, Slot::kNone));
}

std::vector<Row> PlacementTable::rows_of(EntryId entry, std::uint32_t bucket) const {
  std::vector<Row> out;
  for (const RowShard& shard : this->bucket(bucket)) {
    shard.for_each([&](const PackedRow& packed) {
      if (writers_[packed.writer].entry == entry && is_live(packed))
        out.push_back(unpack(bucket, packed));
    });
  }
  return out;
}

void PlacementTable::begin_dump(EntryId entry) {
  ++state(entry).dump;  // wraps: rows of 65,536 dumps ago are seen again only if nothing was merged
}

std::size_t PlacementTable::end_dump(EntryId entry, MonoTime now) {
  if (mutant(Mutant::kSnapshotDoesNotRemove)) return 0;
  EntryState& s = state(entry);
  std::size_t ended = 0;
  for (std::uint32_t bucket = 0; bucket < kBuckets && s.live > 0; ++bucket) {
    for (RowShard& shard : this->bucket(bucket)) {
      shard.sweep([&](PackedRow& packed) {
        if (writers_[packed.writer].entry != entry || packed.stamp == s.dump || !is_live(packed))
          return true;
        count_live(unpack(bucket, packed), false);
        packed.place |= PackedRow::kDead;
        packed.stamp = stamp_of(now);
        ++ended;
        return true;
      });
    }
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
  for (RowShard& shard : this->bucket(bucket)) {
    shard.sweep([&](const PackedRow& packed) {
      const Writer& writer = writers_[packed.writer];
      const bool live = is_live(packed);
      const bool gone = live && entry_gone(writer.entry);
      const auto age = static_cast<std::int16_t>(packed.stamp - static_cast<std::uint16_t>(limit));
      const bool old = packed.is_dead() ? age < 0 : !live && writer.state->current_since < limit;
      if (!gone && !old) return true;
      if (live) count_live(unpack(bucket, packed), false);
      ++dropped;
      let_go(packed);
      return false;
    });
    shard.shrink();
  }
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
  std::size_t sum = sizeof(*this) + shards_.size() * sizeof(RowShard) +
                    writers_.capacity() * sizeof(Writer) + wide_.capacity() * sizeof(Wide) +
                    entries_.size() * sizeof(EntryState);
  for (const RowShard& shard : shards_) sum += shard.bytes();
  return sum;
}

void PlacementTable::for_each(const std::function<void(const Row&)>& visit) const {
  for (std::uint32_t bucket = 0; bucket < kBuckets; ++bucket) {
    for (const RowShard& shard : this->bucket(bucket)) {
      shard.for_each([&](const PackedRow& packed) { visit(unpack(bucket, packed)); });
    }
  }
}

}  // namespace hy::router
