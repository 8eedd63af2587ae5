// The placement table of a router: bytes a placement, look-ups, pauses while it grows, and the
// passes of snapshot and repair.
//   router_table_bench --rows 1000000,4000000,10000000
// Every table is made anew; resident memory is read before and after.
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <span>
#include <vector>

#include "common/base/random.h"
#include "router/placement/placement_table.h"

namespace {

using namespace hy;
using router::PlacementTable;
using router::Row;

constexpr MonoTime kStart = MonoTime{} + std::chrono::hours(1);
constexpr std::uint16_t kEntries = 8;
constexpr std::size_t kBatch = 64;

std::size_t resident_bytes() {
  std::ifstream in("/proc/self/statm");
  std::size_t size = 0;
  std::size_t resident = 0;
  in >> size >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

/// CPU time of this thread: other programs on the machine do not show in it, page faults do.
double cpu_micros() {
  timespec t{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) * 1e6 + static_cast<double>(t.tv_nsec) / 1e3;
}

/// Person i has a phone, each fourth one a desktop as well; connections of eight entries, as these
/// number them: an index below 20,000 and a generation.
Row row_of(std::uint64_t i) {
  Row row;
  row.uid = Uid{1 + i - i / 5};
  row.slot = i % 5 == 4 ? Slot::kDesktop : Slot::kPhone;
  row.epoch = {static_cast<std::uint32_t>(2 + i % 3), static_cast<std::uint32_t>(mix64(i))};
  row.entry = EntryId{static_cast<std::uint16_t>(1 + i % kEntries)};
  row.incarnation = Incarnation{1};
  row.conn = ConnId{((mix64(i) % 2'000'000) << 32) | (1 + i % 1'000)};
  return row;
}

struct Pauses {
  double worst_us = 0;
  std::size_t above_100us = 0;
  std::size_t above_1ms = 0;
  void note(double us) {
    worst_us = std::max(worst_us, us);
    above_100us += us > 100 ? 1U : 0U;
    above_1ms += us > 1'000 ? 1U : 0U;
  }
};

void grow(PlacementTable& table, std::size_t rows) {
  for (std::uint16_t entry = 1; entry <= kEntries; ++entry) {
    table.set_incarnation(EntryId{entry}, Incarnation{1}, kStart);
    table.set_digest_key(EntryId{entry}, entry);
  }
  const std::size_t before = resident_bytes();
  Pauses pauses;
  double worst_each = 0;
  const double began = cpu_micros();
  double last = began;
  for (std::uint64_t i = 0; i < rows; ++i) {
    table.merge(row_of(i), kStart);
    const double now = cpu_micros();
    pauses.note(now - last);
    last = now;
    if (i >= rows / 4 && i % 65'536 == 0) {
      worst_each = std::max(worst_each,
                            static_cast<double>(table.bytes()) / static_cast<double>(table.rows()));
      last = cpu_micros();
    }
  }
  const double ns = (cpu_micros() - began) * 1e3 / static_cast<double>(rows);
  const auto n = static_cast<double>(table.rows());
  std::printf(
      "%9zu rows: resident %.1f B a row, own count %.1f, worst own count from a quarter on %.1f; "
      "merge %.0f ns, worst pause %.0f us (%zu above 0.1 ms, %zu above 1 ms)\n",
      table.rows(), static_cast<double>(resident_bytes() - before) / n,
      static_cast<double>(table.bytes()) / n, worst_each, ns, pauses.worst_us, pauses.above_100us,
      pauses.above_1ms);
}

/// Look-ups of present people in random order, `kBatch` at a time as a delivery has targets.
template <class LookUp>
void look_up(const char* what, std::size_t rows, const LookUp& batch) {
  SeededRandom random(7);
  std::vector<Uid> uids(1U << 20U);
  for (Uid& uid : uids) uid = row_of(random.below(rows)).uid;
  double best = 1e9;
  std::size_t found = 0;
  for (int round = 0; round < 9; ++round) {
    const double began = cpu_micros();
    for (std::size_t at = 0; at < uids.size(); at += kBatch) {
      found += batch(std::span<const Uid>(uids).subspan(at, kBatch));
    }
    best = std::min(best, cpu_micros() - began);
  }
  std::printf("          %-34s %5.1f M/s (%zu rows found)\n", what,
              static_cast<double>(uids.size()) / best, found / 9);
}

void look_ups(const PlacementTable& table, std::size_t rows) {
  const auto each = [&](std::span<const Uid> uids) {
    std::size_t found = 0;
    for (const Uid uid : uids) found += table.find(uid, Slot::kPhone).has_value() ? 1U : 0U;
    return found;
  };
  const auto all = [&](std::span<const Uid> uids) {
    std::size_t found = 0;
    std::array<Row, kSlotMax> out;
    for (const Uid uid : uids) found += table.find_all(uid, out);
    return found;
  };
  const auto ahead = [&](std::span<const Uid> uids) {
    for (const Uid uid : uids) table.prefetch(uid);
  };
  look_up("one slot, one by one", rows, each);
  look_up("one slot, batch fetched ahead", rows, [&](std::span<const Uid> uids) {
    ahead(uids);
    return each(uids);
  });
  look_up("all slots, batch fetched ahead", rows, [&](std::span<const Uid> uids) {
    ahead(uids);
    return all(uids);
  });
}

void snapshot_and_repair(PlacementTable& table) {
  double worst_bucket = 0;
  std::size_t seen = 0;
  double began = cpu_micros();
  for (std::uint16_t entry = 1; entry <= kEntries; ++entry) {
    for (std::uint32_t bucket = 0; bucket < flow::kDigestBuckets; ++bucket) {
      const double one = cpu_micros();
      seen += table.rows_of(EntryId{entry}, bucket).size();
      worst_bucket = std::max(worst_bucket, (cpu_micros() - one));
    }
  }
  const double all_ms = (cpu_micros() - began) / 1e3;
  began = cpu_micros();
  table.set_digest_key(EntryId{1}, 99);
  const double digest_ms = (cpu_micros() - began) / 1e3;
  // A dump of one entry that changes nothing.
  std::vector<Row> dump;
  for (std::uint32_t bucket = 0; bucket < flow::kDigestBuckets; ++bucket) {
    for (const Row& row : table.rows_of(EntryId{1}, bucket)) dump.push_back(row);
  }
  table.begin_dump(EntryId{1});
  began = cpu_micros();
  for (const Row& row : dump) table.merge(row, kStart);
  const double dump_ns = (cpu_micros() - began) * 1e3 / static_cast<double>(dump.size());
  began = cpu_micros();
  const std::size_t ended = table.end_dump(EntryId{1}, kStart);
  const double end_ms = (cpu_micros() - began) / 1e3;
  double worst_sweep = 0;
  for (std::uint32_t bucket = 0; bucket < flow::kDigestBuckets; ++bucket) {
    const double one = cpu_micros();
    seen += table.sweep(bucket, kStart - std::chrono::minutes(1), [](EntryId) { return false; });
    worst_sweep = std::max(worst_sweep, (cpu_micros() - one));
  }
  std::printf(
      "          rows of %d entries by bucket: %.0f ms in all (%zu rows), worst bucket %.0f us; "
      "new digest key %.1f ms; dump of %zu rows: %.0f ns a row, its end %.1f ms (%zu ended); worst "
      "sweep of a bucket %.0f us\n",
      kEntries, all_ms, seen, worst_bucket, digest_ms, dump.size(), dump_ns, end_ms, ended,
      worst_sweep);
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::size_t> rows = {1'000'000, 4'000'000, 10'000'000};
  CLI::App app("the placement table of a router, by size");
  app.add_option("--rows", rows)->delimiter(',');
  CLI11_PARSE(app, argc, argv);
  for (const std::size_t n : rows) {
    // A process each: memory that an earlier table gave back would hide what this one takes.
    if (const pid_t child = ::fork(); child != 0) {
      ::waitpid(child, nullptr, 0);
      continue;
    }
    PlacementTable table;
    grow(table, n);
    look_ups(table, n);
    snapshot_and_repair(table);
    return 0;
  }
  return 0;
}
