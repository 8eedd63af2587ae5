// Both ends of the stream between an entry and a router replica. Honest: any order of logins,
// losses, deliveries and time, then rest: the replica holds what the entry holds. Hostile: an entry
// that was taken over says what it likes: rows carry its own name alone, and memory is bounded.
#include <deque>
#include <functional>
#include <map>
#include <span>

#include "common/base/random.h"
#include "entry/link/router_link.h"
#include "router/link/router_link.h"
#include "tests/fuzz/target.h"

namespace hy::fuzz {
namespace {

constexpr EntryId kA{1};
constexpr EntryId kB{2};

std::vector<router::OfferedRow> offered(std::span<const entry::PlacementRow> rows) {
  std::vector<router::OfferedRow> out;
  for (const auto& row : rows) {
    out.push_back(
        {row.uid.value(), static_cast<std::uint32_t>(row.slot), row.epoch, row.conn, row.dead});
  }
  return out;
}

/// One entry, one replica, and two lines that keep their order until they are cut.
class World final : entry::RouterPort, router::EntryPort {
 public:
  World()
      : leases_({}, {kA}, now_),
        replica_({}, table_, leases_, *this, stats_),
        entry_(*this, random_, 1, Incarnation{100}, {}) {}

  void event(Reader& reader) {
    const std::uint8_t what = reader.u8();
    const Uid uid{1 + what / 16U % 3U};
    switch (what % 8) {
      case 0:
      case 1: return login(uid);
      case 2: return logout(uid);
      case 3: return connect();
      case 4: return cut();
      case 5: return advance(Millis{reader.u8() * 10});
      default:
        for (unsigned n = 1 + what / 16U; n > 0; --n) deliver_one((what & 8) != 0);
        return entry_.flush(now_);
    }
  }
  void rest() {
    // At most 150 s, which is longer than every interval of the two ends.
    int settled = 0;
    for (int i = 0; i < 600 && settled < 4; ++i) {
      connect();
      advance(Millis{250});
      int turns = 0;
      for (bool any = true; any;) {
        any = deliver_one(true);
        any = deliver_one(false) || any;
        law(++turns < 20'000, "the two ends do not talk for ever");
      }
      entry_.flush(now_);
      settled = is_settled() ? settled + 1 : 0;
    }
  }
  [[nodiscard]] bool is_settled() const {
    return entry_.live() == 1 && entry_.placements().held() == 0 && replica_.is_ready() &&
           table_.live_rows() == entry_.placements().live_rows() &&
           replica_.last_op(kA) == entry_.placements().last_op();
  }
  void check() {
    const auto rows = entry_.placements().all_rows();
    for (const auto& row : rows) {
      const auto held = table_.find(row.uid, row.slot);
      law(held && table_.is_live(*held) && held->conn == row.conn && held->epoch == row.epoch,
          "at rest the replica holds each session");
    }
    law(table_.live_rows() == rows.size(), "at rest the replica holds no other session");
    law(entry_.live() == 1 && entry_.placements().held() == 0, "at rest everything is confirmed");
    law(replica_.is_ready(), "at rest the replica may say offline");
  }

 private:
  // What the entry sends.
  [[nodiscard]] bool has_room(std::uint32_t) const override { return to_replica_.size() < 64; }
  void hello(std::uint32_t, const entry::LinkHello& said) override {
    to_replica_.emplace_back([this, said] {
      const router::EntryHello hello{.entry = kA,
                                     .incarnation = said.incarnation,
                                     .role = "entry",
                                     .version_low = 1,
                                     .version_high = 1,
                                     .digest_key = said.digest_key,
                                     .first_op_held = said.first_op_held};
      law(replica_.check(hello).kind == router::HelloVerdict::Kind::kAccepted,
          "the entry's own hello is accepted");
      is_up_ = true;
      replica_.accept(hello, now_);
    });
  }
  void ops(std::uint32_t, std::uint64_t after, std::uint64_t last,
           std::span<const entry::PlacementRow> rows) override {
    to_replica_.emplace_back([this, after, last, rows = offered(rows)] {
      replica_.on_ops(kA, after, last, rows, now_);
    });
  }
  void snapshot(std::uint32_t, std::span<const entry::PlacementRow> rows, bool end,
                std::uint64_t last_op) override {
    to_replica_.emplace_back([this, end, last_op, rows = offered(rows)] {
      replica_.on_snapshot(kA, rows, end, last_op, now_);
    });
  }
  void bucket_rows(std::uint32_t, std::uint32_t bucket,
                   std::span<const entry::PlacementRow> rows) override {
    to_replica_.emplace_back(
        [this, bucket, rows = offered(rows)] { replica_.on_bucket_rows(kA, bucket, rows, now_); });
  }
  void bucket_digests(
      std::uint32_t, std::uint64_t last_op,
      const std::array<flow::DigestBucket, flow::kDigestBuckets>& buckets) override {
    to_replica_.emplace_back(
        [this, last_op, buckets] { replica_.on_buckets(kA, buckets, last_op, now_); });
  }
  void heartbeat(std::uint32_t, const entry::LinkHeartbeat& b) override {
    to_replica_.emplace_back([this, b] {
      replica_.on_heartbeat(kA, {b.incarnation, b.last_op, b.rows, b.digest_root, b.draining},
                            now_);
    });
  }
  void result(std::uint32_t, const entry::DeliveryResult&) override {}
  void redial(std::uint32_t, const std::string&) override { wants_cut_ = true; }

  // What the replica sends.
  [[nodiscard]] bool is_up(EntryId) const override { return is_up_; }
  [[nodiscard]] bool has_room(EntryId) const override { return true; }
  void forward(EntryId, std::uint64_t, const router::Delivery&, std::span<const ConnId>) override {}
  void kick(EntryId, const router::KickOrder& order) override {
    to_entry_.emplace_back([this, order] {
      const auto open = entry_.placements().find(order.uid, order.slot);
      if (open && open->conn == order.conn && open->epoch < order.below) logout(order.uid);
    });
  }
  void ack(EntryId, std::uint64_t op) override { news({.acked_op = op}); }
  void need_snapshot(EntryId) override { news({.need_snapshot = true}); }
  void ask_digests(EntryId) override { news({.digests_wanted = true}); }
  void ask_rows(EntryId, const std::vector<std::uint32_t>& buckets) override {
    news({.rows_wanted = buckets});
  }
  void news(entry::RouterNews said) {
    to_entry_.emplace_back([this, said = std::move(said)] { entry_.on_news(0, said, now_); });
  }

  void login(Uid uid) {
    logout(uid);
    entry_.placements().put(uid, Slot::kPhone, {1, ++epoch_}, ConnId{++conn_});
  }
  void logout(Uid uid) {
    const auto open = entry_.placements().find(uid, Slot::kPhone);
    if (open) entry_.placements().erase(uid, Slot::kPhone, open->conn);
  }
  void connect() {
    if (is_linked_) return;
    is_linked_ = true;
    entry_.on_up(0, now_);
  }
  void cut() {
    wants_cut_ = false;
    if (!is_linked_) return;
    is_linked_ = is_up_ = false;
    to_replica_.clear();
    to_entry_.clear();
    replica_.on_lost(kA, now_);
    entry_.on_down(0, now_);
  }
  void advance(Millis by) {
    now_ += by;
    replica_.observe(now_);
    entry_.step(now_, false);
    if (!replica_.tick(now_).empty()) cut();
    entry_.flush(now_);
  }
  bool deliver_one(bool to_replica) {
    auto& line = to_replica ? to_replica_ : to_entry_;
    if (line.empty()) return false;
    const auto what = std::move(line.front());
    line.pop_front();
    what();
    if (wants_cut_) cut();
    return true;
  }

  MonoTime now_ = MonoTime{} + std::chrono::hours(1);
  SeededRandom random_{7};
  router::RouterStats stats_;
  router::PlacementTable table_;
  router::LeaseTable leases_;
  router::RouterLink replica_;
  entry::RouterLink entry_;
  std::deque<std::function<void()>> to_replica_;
  std::deque<std::function<void()>> to_entry_;
  bool is_linked_ = false;
  bool is_up_ = false;
  bool wants_cut_ = false;
  std::uint32_t epoch_ = 0;
  std::uint64_t conn_ = 0;
};

/// Counts what a replica says; entries that are played are always up.
class Silent final : public router::EntryPort {
 public:
  [[nodiscard]] bool is_up(EntryId) const override { return true; }
  [[nodiscard]] bool has_room(EntryId) const override { return true; }
  void forward(EntryId, std::uint64_t, const router::Delivery&, std::span<const ConnId>) override {}
  void kick(EntryId entry, const router::KickOrder& order) override {
    law(order.conn.value() != 0 || entry == kA, "a kick names a connection");
    ++said;
  }
  void ack(EntryId, std::uint64_t) override { ++said; }
  void need_snapshot(EntryId) override { ++said; }
  void ask_digests(EntryId) override { ++said; }
  void ask_rows(EntryId, const std::vector<std::uint32_t>& buckets) override {
    law(buckets.size() <= flow::kDigestBuckets, "no more buckets than there are");
    ++said;
  }
  std::size_t said = 0;
};

router::OfferedRow hostile_row(Reader& reader) {
  const std::uint8_t shape = reader.u8();
  router::OfferedRow row;
  row.uid = (shape & 1) != 0 ? reader.u64() : reader.u8() % 4U;
  row.slot = (shape & 2) != 0 ? reader.u32() : 1 + reader.u8() % 5U;
  row.epoch = (shape & 4) != 0 ? Epoch{reader.u32(), reader.u32()} : Epoch{1, reader.u8()};
  row.conn = ConnId{(shape & 8) != 0 ? reader.u64() : reader.u8()};
  row.dead = (shape & 16) != 0;
  return row;
}

void hostile(Reader& reader) {
  MonoTime now = MonoTime{} + std::chrono::hours(1);
  router::RouterStats stats;
  router::PlacementTable table;
  router::LeaseTable leases({}, {kA, kB}, now);
  Silent port;
  router::RouterLink link({}, table, leases, port, stats);
  const auto hello_of = [](EntryId entry) {
    return router::EntryHello{.entry = entry,
                              .incarnation = Incarnation{10},
                              .role = "entry",
                              .version_low = 1,
                              .version_high = 1,
                              .digest_key = 5,
                              .first_op_held = 1};
  };
  for (const EntryId entry : {kA, kB}) {
    law(link.check(hello_of(entry)).kind == router::HelloVerdict::Kind::kAccepted, "accepted");
    link.accept(hello_of(entry), now);
  }
  const std::vector<router::OfferedRow> honest = {{1, 1, {1, 5}, ConnId{50}, false},
                                                  {2, 1, {1, 5}, ConnId{51}, false}};
  link.on_snapshot(kB, honest, true, 9, now);
  std::size_t offered_rows = honest.size();
  for (int events = 0; events < 64 && !reader.empty(); ++events) {
    const std::uint8_t what = reader.u8();
    std::vector<router::OfferedRow> rows;
    for (std::size_t n = what >> 5; n > 0; --n) rows.push_back(hostile_row(reader));
    offered_rows += rows.size();
    switch (what % 8) {
      case 0: link.on_ops(kA, link.last_op(kA), link.last_op(kA) + 1, rows, now); break;
      case 1: link.on_ops(kA, reader.u64(), reader.u64(), rows, now); break;
      case 2: link.on_snapshot(kA, rows, (reader.u8() & 1) != 0, reader.u64(), now); break;
      case 3:
        link.on_heartbeat(kA,
                          {Incarnation{reader.u8()}, reader.u64(), reader.u64(), reader.u64(),
                           (reader.u8() & 1) != 0},
                          now);
        break;
      case 4: {
        std::vector<flow::DigestBucket> buckets(reader.u16() % 400U, {reader.u64(), reader.u64()});
        link.on_buckets(kA, buckets, (reader.u8() & 1) != 0 ? link.last_op(kA) : reader.u64(), now);
        break;
      }
      case 5: link.on_bucket_rows(kA, reader.u16(), rows, now); break;
      case 6: {
        router::EntryHello hello = hello_of(kA);
        hello.incarnation = Incarnation{reader.u16()};
        hello.first_op_held = reader.u64();
        if (link.check(hello).kind == router::HelloVerdict::Kind::kAccepted)
          link.accept(hello, now);
        break;
      }
      default:
        now += Millis{reader.u8() * 50};
        link.observe(now);
        link.tick(now);
    }
  }
  law(table.rows() <= offered_rows, "no more rows than were offered");
  law(link.last_op(kB) == 9, "one entry's numbers are its own");
  table.for_each([&](const router::Row& row) {
    law(row.uid.value() != 0 && is_valid_slot(static_cast<std::uint64_t>(row.slot)),
        "a row without a user or with a strange slot is not kept");
    if (row.entry != kB) return;
    const bool is_honest = std::ranges::any_of(honest, [&](const router::OfferedRow& h) {
      return row.uid == Uid{h.uid} && row.conn == h.conn && row.epoch == h.epoch;
    });
    law(is_honest, "nobody writes rows in another entry's name");
  });
  for (const EntryId entry : {kA, kB}) {
    flow::PlacementDigest fresh(table.digest(entry).key());
    table.for_each([&](const router::Row& row) {
      if (row.entry == entry && table.is_live(row)) {
        fresh.add({row.uid, row.slot, row.epoch, row.conn});
      }
    });
    law(fresh.buckets() == table.digest(entry).buckets(), "digests are those of the live rows");
  }
}

void run(ByteView input) {
  Reader reader(input);
  if ((reader.u8() & 1) != 0) return hostile(reader);
  World world;
  for (int events = 0; events < 200 && !reader.empty(); ++events) world.event(reader);
  world.rest();
  world.check();
}

std::vector<Seed> seeds() {
  std::vector<Seed> out;
  SeededRandom random(13);
  const auto random_bytes = [&](std::size_t n) {
    Bytes bytes;
    for (std::size_t i = 0; i < n; ++i) bytes += static_cast<char>(random.next());
    return bytes;
  };
  // Login, connect, deliver; a loss between; a logout while cut.
  out.emplace_back("honest-plain", Bytes{'\0', '\3', '\x7e', '\0', '\x7e', '\x76'});
  out.emplace_back("honest-cut", Bytes{'\0', '\3', '\x7e', '\0', '\4', '\2', '\3', '\x7e'});
  for (const std::size_t n : {10U, 40U, 150U}) {
    out.emplace_back("honest-" + std::to_string(n), Bytes{'\0'} + random_bytes(n));
    out.emplace_back("hostile-" + std::to_string(n), Bytes{'\1'} + random_bytes(n));
  }
  for (char what = 0; what < 8; ++what) {
    out.emplace_back("hostile-kind-" + std::to_string(what),
                     Bytes{'\1', static_cast<char>(0x40 | what)} + random_bytes(40));
  }
  return out;
}

HY_FUZZ_TARGET(router_link, run, seeds, 1'024);

}  // namespace
}  // namespace hy::fuzz
