// Rows of the placement table: merge is commutative, associative and idempotent; two replicas that
// heard the same in any order hold the same, with the same digests.
#include "common/base/random.h"
#include "router/placement/placement_table.h"
#include "tests/fuzz/target.h"

namespace hy::fuzz {
namespace {

using router::PlacementTable;
using router::Row;

constexpr MonoTime kStart = MonoTime{} + std::chrono::hours(1);
constexpr std::uint64_t kKey = 0xC0FFEE;
constexpr std::uint64_t kUids = 4;

/// Few values of each kind, so that rows meet.
Row read_row(Reader& reader) {
  Row row;
  row.uid = Uid{1 + reader.u8() % kUids};
  row.slot = static_cast<Slot>(1 + reader.u8() % 2);
  row.epoch = {1 + reader.u8() % 2U, reader.u8() % 3U};
  const std::uint8_t who = reader.u8();
  row.dead = (who & 1) != 0;
  row.entry = EntryId{static_cast<std::uint16_t>(1 + (who >> 1) % 2)};
  row.incarnation = Incarnation{10U + (who >> 2) % 2U};
  row.conn = ConnId{1U + (who >> 3) % 3U};
  return row;
}

void laws_of_merge(const Row& a, const Row& b, const Row& c) {
  law(merge(a, b) == merge(b, a), "merge is commutative");
  law(merge(a, merge(b, c)) == merge(merge(a, b), c), "merge is associative");
  law(merge(a, a) == a && merge(a, merge(a, b)) == merge(a, b), "merge is idempotent");
  law(!(merge(a, b).epoch < std::max(a.epoch, b.epoch)), "no epoch goes back");
}

void prepare(PlacementTable& table) {
  for (const std::uint16_t entry : {std::uint16_t{1}, std::uint16_t{2}}) {
    for (const std::uint64_t incarnation : {10U, 11U}) {
      table.set_incarnation(EntryId{entry}, Incarnation{incarnation}, kStart);
    }
    table.set_digest_key(EntryId{entry}, kKey);
  }
}

bool same(const PlacementTable& a, const PlacementTable& b) {
  bool equal = a.rows() == b.rows() && a.live_rows() == b.live_rows();
  a.for_each([&](const Row& row) {
    const auto other = b.find(row.uid, row.slot);
    equal = equal && other && *other == row && a.is_live(row) == b.is_live(*other);
  });
  for (const std::uint16_t entry : {std::uint16_t{1}, std::uint16_t{2}}) {
    equal = equal && a.digest(EntryId{entry}).root() == b.digest(EntryId{entry}).root() &&
            a.digest(EntryId{entry}).buckets() == b.digest(EntryId{entry}).buckets() &&
            a.live_rows(EntryId{entry}) == b.live_rows(EntryId{entry});
  }
  return equal;
}

/// The digest kept by additions and removals is that of the live rows.
void check_digests(const PlacementTable& table) {
  for (const std::uint16_t entry : {std::uint16_t{1}, std::uint16_t{2}}) {
    flow::PlacementDigest fresh(kKey);
    std::size_t live = 0;
    table.for_each([&](const Row& row) {
      if (row.entry != EntryId{entry} || !table.is_live(row)) return;
      fresh.add({row.uid, row.slot, row.epoch, row.conn});
      ++live;
    });
    law(fresh.root() == table.digest(EntryId{entry}).root(), "the digest is that of the live rows");
    law(live == table.live_rows(EntryId{entry}), "live rows are counted");
    std::size_t in_buckets = 0;
    for (std::uint64_t uid = 1; uid <= kUids; ++uid) {
      for (const Row& row : table.rows_of(EntryId{entry}, flow::digest_bucket_of(Uid{uid}))) {
        in_buckets += row.uid == Uid{uid} ? 1U : 0U;
      }
    }
    law(in_buckets == live, "each live row lies in one bucket");
  }
}

void run(ByteView input) {
  Reader reader(input);
  SeededRandom order(reader.u16());
  const bool dump = (reader.u8() & 1) != 0;
  std::vector<Row> rows;
  while (!reader.empty() && rows.size() < 64) rows.push_back(read_row(reader));
  for (std::size_t i = 0; i + 2 < rows.size(); ++i) {
    Row b = rows[i + 1];
    Row c = rows[i + 2];
    b.uid = c.uid = rows[i].uid;
    b.slot = c.slot = rows[i].slot;
    laws_of_merge(rows[i], b, c);
  }
  PlacementTable one;
  PlacementTable other;
  prepare(one);
  prepare(other);
  for (const Row& row : rows) {
    const auto before = one.find(row.uid, row.slot);
    const auto outcome = one.merge(row, kStart);
    law(outcome.before == before, "merge tells what was there");
    const auto after = one.find(row.uid, row.slot);
    law(after.has_value(), "a key that was merged has a row");
    law(*after == (before ? merge(*before, row) : row), "a table merges as rows do");
    law(one.merge(row, kStart).kind != router::MergeOutcome::Kind::kApplied, "twice is once");
  }
  std::vector<Row> shuffled = rows;
  for (std::size_t i = shuffled.size(); i > 1; --i) {
    std::swap(shuffled[i - 1], shuffled[order.below(i)]);
  }
  for (const Row& row : shuffled) other.merge(row, kStart);
  law(same(one, other), "replicas agree, whatever the order");
  check_digests(one);
  if (!dump) return;
  // A dump of entry 1 that names its rows: nothing changes; one that names none: all of them die.
  one.begin_dump(EntryId{1});
  for (const Row& row : rows) {
    if (row.entry == EntryId{1}) one.merge(row, kStart);
  }
  one.end_dump(EntryId{1}, kStart);
  law(same(one, other), "a dump of the same state changes nothing");
  one.begin_dump(EntryId{1});
  one.end_dump(EntryId{1}, kStart);
  law(one.live_rows(EntryId{1}) == 0, "what a dump does not name is dead");
  law(one.live_rows(EntryId{2}) == other.live_rows(EntryId{2}), "one entry's dump is its own");
  check_digests(one);
}

std::vector<Seed> seeds() {
  std::vector<Seed> out;
  SeededRandom random(11);
  for (const std::size_t rows : {1U, 2U, 3U, 5U, 8U, 13U, 30U, 60U}) {
    for (const char dump : {'\0', '\1'}) {
      Bytes bytes{'\0', static_cast<char>(rows), dump};
      for (std::size_t i = 0; i < rows * 5; ++i) bytes += static_cast<char>(random.next());
      out.emplace_back(std::to_string(rows) + (dump == 0 ? "-rows" : "-rows-dump"), bytes);
    }
  }
  return out;
}

HY_FUZZ_TARGET(router_ops, run, seeds, 512);

}  // namespace
}  // namespace hy::fuzz
