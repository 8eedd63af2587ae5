// Those who are logged in keep talking while somebody else floods the entry (security.md E1, E2,
// E3, E7, E11). Bounds of time are generous: what is held here is that people are served at all,
// that limits hold and that memory has an end.
#include "tests/attack/swarm.h"
#include "tests/attack/world.h"

#include "common/crypto/system_random.h"
#include "hy/client/v1/command.pb.h"

namespace hy::attack {
namespace {

namespace pb = hy::client::v1;

constexpr Millis kP99Max{3'000};
constexpr std::size_t kMiB = 1'024 * 1'024;

class Flood : public testing::Test {
 public:
  static void TearDownTestSuite() { world_.reset(); }

 protected:
  void SetUp() override {
    descriptors_ = raise_descriptors();
    if (!world_) world_ = std::make_unique<World>();
    ASSERT_EQ(world_->error(), "");
  }
  static World& world() { return *world_; }
  static Millis span() { return is_full_form() ? Millis{60'000} : Millis{6'000}; }
  static std::string entry() { return world().cluster().layout().entry_addresses().front(); }

  /// Logged in before the flood begins.
  static Pair pair() {
    Pair out = world().pair();
    EXPECT_TRUE(out.a != nullptr && out.b != nullptr) << "nobody could log in";
    return out;
  }
  static void expect_people_talk(Pair& pair, Millis span) {
    const Talk talk = World::talk(pair, span);
    RecordProperty("sent", static_cast<int>(talk.sent));
    RecordProperty("p99_ms", static_cast<int>(talk.p99.count()));
    std::printf("           %zu messages, p99 %lld ms\n", talk.sent,
                static_cast<long long>(talk.p99.count()));
    ASSERT_GT(talk.sent, 0U);
    EXPECT_EQ(talk.stored, talk.sent);
    EXPECT_EQ(talk.arrived, talk.sent) << "each message arrives, once and in order";
    EXPECT_LT(talk.p99, kP99Max);
  }
  static Bytes hello() {
    raw::Client client(world().options());
    return client.first_flight();  // HELLO and a HANDSHAKE_1 that is right
  }
  static Bytes bogus_handshake() {
    Bytes out = hello();
    // The tag of HANDSHAKE_1: it fails after one key was computed, the dearest bogus one there is.
    out.back() = static_cast<char>(out.back() ^ 1);
    return out;
  }

  std::size_t descriptors_ = 0;
  static std::unique_ptr<World> world_;
};
std::unique_ptr<World> Flood::world_;

TEST_F(Flood, SlowLorisEndsOnTimeAndHurtsNobody) {
  Pair people = pair();
  const std::size_t held = is_full_form() ? 5'000 : 1'000;
  Swarm swarm({.address = entry(),
               .connections = held,
               .says = [] { return hello(); },
               .one_byte_every = Millis{3'000},
               .pause = Millis{200}});
  ASSERT_TRUE(swarm.wait_standing(held * 9 / 10, Millis{20'000})) << swarm.standing();
  expect_people_talk(people, span() + Millis{2'000});
  EXPECT_NE(world().sign_in(world().somebody()), nullptr) << "logins go on";
  EXPECT_GT(swarm.ended(), held / 2) << "five seconds from accept, whatever trickles in";
  EXPECT_EQ(swarm.heard(), 0U) << "closed without a byte";
  EXPECT_LE(world().entry_metric("hy_entry_connections", "unauthenticated"),
            static_cast<double>(held) * 2);
}

TEST_F(Flood, ManySilentConnectionsAreHeldCheaplyAndWithinTheLimit) {
  Pair people = pair();
  // Both ends are descriptors of this machine; a process has its own limit of them.
  const std::size_t wanted = is_full_form() ? 20'000 : 2'000;
  const std::size_t held = std::min(wanted, descriptors_ - 500);
  const std::size_t before = world().resident("entry-a");
  Swarm swarm({.address = entry(), .connections = held, .says = {}, .pause = Millis{200}});
  EXPECT_TRUE(swarm.wait_standing(std::min<std::size_t>(held, 1'800) * 9 / 10, Millis{30'000}));
  const double limit = world().entry_metric("hy_entry_connections_limit");
  EXPECT_LE(world().entry_metric("hy_entry_connections", "unauthenticated"), limit);
  expect_people_talk(people, span());
  const std::size_t after = world().resident("entry-a");
  EXPECT_LT(after, before + 64 * kMiB) << "an unauthenticated connection costs a few KiB at most";
  std::printf("           %zu held, entry %zu MiB\n", swarm.standing(), after / kMiB);
}

TEST_F(Flood, OneAddressGetsItsShareAndNoMore) {
  Pair people = pair();
  Swarm swarm({.address = entry(),
               .connections = 200,
               .per_address = 200,
               .says = {},
               .pause = Millis{50}});
  EXPECT_TRUE(swarm.wait_standing(30, Millis{5'000}));
  expect_people_talk(people, Millis{2'000});
  EXPECT_LE(world().entry_metric("hy_entry_connections", "unauthenticated"), 32 + 4);
  EXPECT_GT(world().entry_metric("hy_entry_refused_total"), 0);
}

TEST_F(Flood, BogusHandshakesAtTheHighestRate) {
  Pair people = pair();
  const std::size_t before = world().resident("entry-a");
  // Many addresses: the rate of one address is 20 a second.
  const Bytes says = bogus_handshake();
  Swarm swarm({.address = entry(),
               .connections = 300,
               .per_address = 1,
               .says = [says] { return says; },
               .pause = Millis{1}});
  expect_people_talk(people, span());
  std::printf("           %llu handshakes tried\n", static_cast<unsigned long long>(swarm.made()));
  EXPECT_GT(swarm.made(), 1'000U);
  EXPECT_EQ(swarm.heard(), 0U) << "each ends without a byte";
  EXPECT_LT(world().resident("entry-a"), before + 64 * kMiB);
}

TEST_F(Flood, ValidHandshakesAtTheHighestRate) {
  Pair people = pair();
  const std::size_t before = world().resident("entry-a");
  const Bytes says = hello();  // replayed for each: all of them are right
  Swarm swarm({.address = entry(),
               .connections = 300,
               .per_address = 1,
               .says = [says] { return says; },
               .hangs_up = true,
               .pause = Millis{1}});
  expect_people_talk(people, span());
  std::printf("           %llu handshakes begun\n", static_cast<unsigned long long>(swarm.made()));
  EXPECT_GT(swarm.made(), 1'000U);
  EXPECT_LT(world().resident("entry-a"), before + 64 * kMiB);
}

TEST_F(Flood, GarbageInFrontOfTheDoor) {
  Pair people = pair();
  const std::size_t before = world().resident("entry-a");
  crypto::SystemRandom random;
  Swarm swarm({.address = entry(),
               .connections = 200,
               .per_address = 1,
               .says =
                   [&random] {
                     Bytes out(64 + random.below(2'000), '\0');
                     random.fill({reinterpret_cast<std::uint8_t*>(out.data()), out.size()});
                     return out;
                   },
               .pause = Millis{1}});
  expect_people_talk(people, Millis{3'000});
  EXPECT_GT(swarm.ended(), 500U);
  EXPECT_EQ(swarm.heard(), 0U);
  EXPECT_LT(world().resident("entry-a"), before + 32 * kMiB);
}

// Four devices that stop reading, written to by people who do not: the entry's memory has an end,
// and nobody else waits.
TEST_F(Flood, StoppedReadersCostThemselvesAlone) {
  Pair people = pair();
  const std::size_t before = world().resident("entry-a");
  const double hints = world().entry_metric("hy_entry_sync_hints_total");
  std::vector<std::unique_ptr<raw::Client>> stopped;
  std::vector<Uid> uids;
  for (int i = 0; i < 4; ++i) {
    const Somebody who = world().somebody();
    stopped.push_back(world().sign_in(who));
    ASSERT_NE(stopped.back(), nullptr);
    uids.push_back(who.uid);
  }
  const std::string body(16 * 1'024, 's');
  std::size_t stored = 0;
  for (int sender = 0; sender < 8; ++sender) {
    const auto client = world().sign_in(world().somebody());
    ASSERT_NE(client, nullptr);
    // 60 frames at once are what the rate allows; the readers' sockets and queues fill from these.
    for (int i = 0; i < 50; ++i) {
      const auto answer = client->call(
          pb::SEND, World::send_body(uids[static_cast<std::size_t>(i) % uids.size()], body));
      if (answer.ok()) ++stored;
    }
  }
  EXPECT_GT(stored, 100U);
  expect_people_talk(people, Millis{3'000});
  EXPECT_GT(world().entry_metric("hy_entry_sync_hints_total"), hints)
      << "each got more than a window holds: the rest became hints";
  // Four queues and four windows of 1 MiB each are the bound; the rest is the allocator's.
  EXPECT_LT(world().resident("entry-a"), before + 48 * kMiB);
}

}  // namespace
}  // namespace hy::attack
