// What a logged-in, idle session costs in each daemon, structure by structure: the product's own
// tables are filled and the heap is asked. Beside `hy bench idle`, which sees the process as a
// whole, this says where the bytes are.
//   connection_bytes --sessions 15000,20000,100000,1000000
#include <malloc.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <functional>
#include <memory>
#include <vector>

#include "common/net/timer_wheel.h"
#include "das/cache/change_counters.h"
#include "entry/link/placement_log.h"
#include "entry/net/connection.h"
#include "entry/session/conn_table.h"
#include "logic/session/auth_fence.h"
#include "logic/session/rates.h"
#include "router/placement/placement_table.h"
#include "tests/support/fake_ports.h"

namespace {

using namespace hy;

constexpr MonoTime kStart = MonoTime{} + std::chrono::hours(1);

std::size_t heap_bytes() {
  const struct mallinfo2 info = ::mallinfo2();
  return info.uordblks + info.hblkhd;
}

/// Heap that `fill` takes and keeps for `sessions`, by session.
template <class T>
void measure(const char* what, std::size_t sessions, std::unique_ptr<T> table,
             const std::function<void(T&)>& fill) {
  const std::size_t before = heap_bytes();
  fill(*table);
  std::printf("  %-58s %7.1f\n", what,
              static_cast<double>(heap_bytes() - before) / static_cast<double>(sessions));
}

void entry_tables(std::size_t n) {
  std::printf("entry\n");
  const auto slots = static_cast<std::uint32_t>(n);
  using Connections = entry::ConnTable<entry::Connection>;
  measure<Connections>("connections: socket, keys, session, times, counters", n,
                       std::make_unique<Connections>(0, slots), [n](Connections& table) {
                         for (std::size_t i = 0; i < n; ++i) table.open();
                       });
  std::printf("    of which: cipher %zu, session and grant %zu, address %zu, rate %zu, rest %zu\n",
              sizeof(wire::Transport), sizeof(entry::Session), sizeof(entry::IpAddress),
              sizeof(entry::RateMeter),
              sizeof(entry::Connection) - sizeof(wire::Transport) - sizeof(entry::Session) -
                  sizeof(entry::IpAddress) - sizeof(entry::RateMeter));
  measure<net::TimerWheel>("timer", n, std::make_unique<net::TimerWheel>(kStart),
                           [n](net::TimerWheel& wheel) {
                             for (std::size_t i = 0; i < n; ++i) {
                               wheel.set(static_cast<std::uint32_t>(i), kStart + Millis{60'000});
                             }
                           });
  measure<entry::PlacementLog>(
      "placements held here, and what routers have not confirmed", n,
      std::make_unique<entry::PlacementLog>(), [n](entry::PlacementLog& log) {
        log.reset_digest(0, 1);
        for (std::size_t i = 0; i < n; ++i) {
          const std::uint64_t op = log.put(Uid{i + 1}, Slot::kPhone, {2, 1}, ConnId{i});
          if (i % 200 == 0) log.confirm(op);
        }
        log.confirm(UINT64_MAX);
      });
}

void logic_tables(std::size_t n) {
  std::printf("logic\n");
  logic::test::FakeAccounts accounts;
  logic::test::HandClock clock;
  measure<logic::AuthFence>(
      "fence of (uid, slot)", n,
      std::make_unique<logic::AuthFence>(accounts, clock, logic::AuthFence::Options{}),
      [n](logic::AuthFence& fence) {
        for (std::size_t i = 0; i < n; ++i) fence.learn({Uid{i + 1}, Slot::kPhone}, 2);
      });
  measure<logic::Rates>(
      "rates (only of those who sent something)", n,
      std::make_unique<logic::Rates>(logic::Rates::Limits{}, n, 1), [n](logic::Rates& rates) {
        for (std::size_t i = 0; i < n; ++i)
          static_cast<void>(rates.take(logic::RateClass::kSend, Uid{i + 1}, kStart));
      });
}

void router_tables(std::size_t n) {
  std::printf("router\n");
  auto table = std::make_unique<router::PlacementTable>();
  table->set_incarnation(EntryId{1}, Incarnation{1}, kStart);
  measure<router::PlacementTable>(
      "placement", n, std::move(table), [n](router::PlacementTable& placements) {
        for (std::size_t i = 0; i < n; ++i) {
          placements.merge({Uid{i + 1},
                            Slot::kPhone,
                            {2, 1},
                            false,
                            EntryId{1},
                            Incarnation{1},
                            ConnId{(std::uint64_t{i} << 32U) | 1}},
                           kStart);
        }
        std::printf("  %-58s %7.1f\n", "the same by its own count, pages outside the heap too",
                    static_cast<double>(placements.bytes()) / static_cast<double>(n));
      });
}

void das_tables(std::size_t n) {
  std::printf("das (embedded engine; with mysql this is in Redis)\n");
  measure<das::ChangeCounters>("change counter (only of those whose state changed)", n,
                               std::make_unique<das::ChangeCounters>(n, 1),
                               [n](das::ChangeCounters& cache) {
                                 for (std::size_t i = 0; i < n; ++i) cache.changed(Uid{i + 1});
                               });
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::size_t> sessions = {15'000, 20'000, 100'000, 1'000'000};
  CLI::App app("bytes of a session, structure by structure");
  app.add_option("--sessions", sessions)->delimiter(',');
  CLI11_PARSE(app, argc, argv);
  for (const std::size_t n : sessions) {
    std::printf("== %zu sessions: bytes of heap a session\n", n);
    entry_tables(n);
    logic_tables(n);
    router_tables(n);
    das_tables(n);
  }
  return 0;
}
