#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "common/base/test_hooks.h"
#include "common/rpc/stream.h"
#include "hy/router/v1/logic_stream.pb.h"
#include "tests/sim/kernel/network.h"
#include "tests/sim/kernel/world.h"

namespace hy::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Out = router::v1::LogicBatch;
using In = router::v1::RouterAnswerBatch;

/// A node that counts what the other side says to it.
struct Dialler final : rpc::ClientEvents<Out, In> {
  explicit Dialler(std::string target, Millis silence = Millis{0}) {
    rpc::ClientOptions options;
    options.target = std::move(target);
    options.method = "/echo";
    options.silence_max = silence;
    client = std::make_unique<rpc::Client>(loop, std::move(options), *this);
    client->start();
  }
  void on_up(rpc::Stream<Out> s) override {
    stream = s;
    ++ups;
  }
  void on_batch(In& batch) override {
    for (const auto& result : batch.results()) got.push_back(result.id());
  }
  void on_down(const std::string& why) override {
    stream.reset();
    downs.push_back(why);
  }
  void say(std::uint64_t id) {
    if (!stream) return;
    stream->next().add_delivers()->set_id(id);
    stream->queued(16);
  }
  rpc::Loop loop;
  std::optional<rpc::Stream<Out>> stream;
  std::vector<std::uint64_t> got;
  std::vector<std::string> downs;
  int ups = 0;
  std::unique_ptr<rpc::Client> client;  // the last: its end tells this object
};

/// Echoes each id.
struct Echo {
  struct Handler final : rpc::Handler<In, Out> {
    Handler(Echo& e, rpc::Stream<In> s) : echo(e), stream(s) {}
    void on_batch(Out& batch) override {
      for (const auto& deliver : batch.delivers()) {
        echo.got.push_back(deliver.id());
        stream.next().add_results()->set_id(deliver.id());
        stream.queued(16);
      }
    }
    void on_close(const std::string& why) override { echo.closes.push_back(why); }
    Echo& echo;
    rpc::Stream<In> stream;
  };
  explicit Echo(std::vector<std::uint64_t>& log) : got(log) {
    rpc::ServerOptions options;
    options.listen = {"echo:1"};
    server.emplace(loop, options);
    server->serve_with<Handler, In>("/echo", {}, [this](rpc::Stream<In> stream) {
      return std::make_unique<Handler>(*this, stream);
    });
    EXPECT_TRUE(server->start());
  }
  std::vector<std::uint64_t>& got;
  std::vector<std::string> closes;
  rpc::Loop loop;
  std::optional<rpc::Server> server;
};

struct Pair {
  explicit Pair(std::uint64_t seed, Millis silence = Millis{0})
      : world(seed), net(world), a(world.add_node("a")), b(world.add_node("b")) {
    a.boot = [this, silence] { dialler = std::make_unique<Dialler>("echo:1", silence); };
    a.destroy = [this] { dialler.reset(); };
    b.boot = [this] { echo = std::make_unique<Echo>(echoed); };
    b.destroy = [this] { echo.reset(); };
    world.start(b);
    world.start(a);
  }
  void say(std::uint64_t first, std::uint64_t last) {
    for (std::uint64_t id = first; id <= last; ++id) {
      world.after(milliseconds(id - first), &a,
                  [this, id] { dialler->loop.post([this, id] { dialler->say(id); }); });
    }
  }
  World world;
  Network net;
  Node& a;
  Node& b;
  std::unique_ptr<Dialler> dialler;
  std::unique_ptr<Echo> echo;
  std::vector<std::uint64_t> echoed;
};

std::vector<std::uint64_t> run_of(std::uint64_t last) {
  std::vector<std::uint64_t> out;
  for (std::uint64_t id = 1; id <= last; ++id) out.push_back(id);
  return out;
}

TEST(SimKernel, EchoesInOrderUnderJitter) {
  Pair pair(1);
  pair.net.inner.jitter = milliseconds(20);
  pair.net.inner.loss_per_mille = 100;
  pair.world.run_for(seconds(1));
  ASSERT_EQ(pair.dialler->ups, 1);
  pair.say(1, 200);
  pair.world.run_for(seconds(60));
  EXPECT_EQ(pair.echoed, run_of(200));
  EXPECT_EQ(pair.dialler->got, run_of(200));
}

TEST(SimKernel, SameSeedSameHash) {
  const auto run = [](std::uint64_t seed) {
    Pair pair(seed);
    pair.net.inner.jitter = milliseconds(5);
    pair.world.run_for(seconds(1));
    pair.say(1, 100);
    pair.world.run_for(milliseconds(50));
    pair.world.kill(pair.b);
    pair.world.run_for(seconds(1));
    pair.world.start(pair.b);
    pair.world.run_for(seconds(5));
    return pair.world.hash();
  };
  EXPECT_EQ(run(7), run(7));
  EXPECT_NE(run(7), run(8));
}

TEST(SimKernel, AResetStreamDeliversAPrefixAndIsDialledAgain) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Pair pair(seed);
    pair.net.inner.latency = milliseconds(50);
    pair.world.run_for(seconds(1));
    pair.say(1, 100);
    pair.world.run_for(milliseconds(80));
    for (const auto& connection : pair.net.connections()) connection->cut();
    pair.world.run_for(milliseconds(150));
    const auto got = pair.echoed;
    EXPECT_LT(got.size(), 100U);
    EXPECT_EQ(got, run_of(got.size())) << "seed " << seed;
    EXPECT_EQ(pair.dialler->downs.size(), 1U);
    pair.world.run_for(seconds(5));
    EXPECT_EQ(pair.dialler->ups, 2);
  }
}

TEST(SimKernel, HalfOpenIsFoundBySilenceAlone) {
  Pair pair(3, Millis{2'000});
  pair.world.run_for(seconds(1));
  for (const auto& connection : pair.net.connections()) connection->darken();
  pair.say(1, 10);
  pair.world.run_for(milliseconds(900));
  EXPECT_TRUE(pair.echoed.empty());
  EXPECT_TRUE(pair.dialler->downs.empty());
  pair.world.run_for(seconds(10));
  ASSERT_FALSE(pair.dialler->downs.empty());
  EXPECT_EQ(pair.dialler->downs.front(), "silent");
}

TEST(SimKernel, ADarkLinkIsFoundByKeepAlive) {
  Pair pair(13);
  pair.world.run_for(seconds(1));
  for (const auto& connection : pair.net.connections()) connection->darken();
  pair.say(1, 10);
  pair.world.run_for(rpc::kKeepAliveEvery - seconds(1));
  EXPECT_TRUE(pair.dialler->downs.empty());
  pair.world.run_for(rpc::kKeepAliveWithin + seconds(2));
  ASSERT_FALSE(pair.dialler->downs.empty());
  pair.world.run_for(seconds(2));
  pair.say(11, 20);
  pair.world.run_for(seconds(1));
  EXPECT_FALSE(pair.echoed.empty()) << "dialled again";
}

TEST(SimKernel, AOneWayCutStopsOneDirectionAndHealsWithoutLoss) {
  Pair pair(4);
  pair.world.run_for(seconds(1));
  pair.net.block(pair.a.id(), pair.b.id());
  pair.say(1, 10);
  pair.world.run_for(seconds(2));
  EXPECT_TRUE(pair.echoed.empty());
  pair.net.unblock(pair.a.id(), pair.b.id());
  pair.world.run_for(seconds(5));
  EXPECT_EQ(pair.echoed, run_of(10));
  EXPECT_EQ(pair.dialler->got, run_of(10));
}

TEST(SimKernel, APausedNodeTakesEverythingUpAgain) {
  Pair pair(5);
  pair.world.run_for(seconds(1));
  pair.world.pause(pair.b);
  pair.say(1, 50);
  pair.world.run_for(seconds(3));
  EXPECT_TRUE(pair.echoed.empty());
  pair.world.resume(pair.b);
  pair.world.run_for(seconds(1));
  EXPECT_EQ(pair.echoed, run_of(50));
}

TEST(SimKernel, AKilledNodeEndsItsStreamsAndIsFoundAgain) {
  Pair pair(6);
  pair.world.run_for(seconds(1));
  pair.world.kill(pair.b);
  EXPECT_EQ(pair.echo, nullptr);
  pair.world.run_for(seconds(1));
  ASSERT_EQ(pair.dialler->downs.size(), 1U);
  pair.world.start(pair.b);
  pair.world.run_for(seconds(5));
  EXPECT_EQ(pair.dialler->ups, 2);
}

TEST(SimKernel, ALostHostIsSilentUntilItComesBack) {
  Pair pair(7);
  pair.world.run_for(seconds(1));
  pair.world.kill(pair.b, Death::kHost);
  pair.say(1, 3);
  pair.world.run_for(seconds(5));
  EXPECT_TRUE(pair.dialler->downs.empty());
  pair.world.start(pair.b);
  pair.world.run_for(seconds(10));
  EXPECT_EQ(pair.dialler->downs.size(), 1U);
  EXPECT_EQ(pair.dialler->ups, 2);
}

TEST(SimKernel, FullWindowStopsTheWriterAndSaysSo) {
  Pair pair(8);
  pair.net.inner.window = 64;
  pair.world.run_for(seconds(1));
  pair.net.block(pair.a.id(), pair.b.id());
  pair.say(1, 200);
  pair.world.run_for(milliseconds(500));
  EXPECT_GT(pair.dialler->stream->queued_envelopes(), 100U);
  pair.net.unblock(pair.a.id(), pair.b.id());
  pair.world.run_for(seconds(10));
  EXPECT_EQ(pair.echoed, run_of(200));
}

#if defined(HY_TEST_HOOKS)
TEST(SimKernel, DeathAtASyncPointDropsTheRestOfTheEvent) {
  Pair pair(9);
  pair.world.run_for(seconds(1));
  pair.world.on_sync_point = [&](Node& node, std::string_view name) {
    return &node == &pair.a && name == "here";
  };
  pair.world.after(milliseconds(1), &pair.a, [&] {
    pair.dialler->loop.post([&] {
      pair.dialler->say(1);
      sync_point("here");
      EXPECT_TRUE(is_dead_here());
      pair.dialler->say(2);
    });
  });
  pair.world.run_for(seconds(1));
  EXPECT_FALSE(pair.a.is_running());
  EXPECT_EQ(pair.dialler, nullptr);
  EXPECT_TRUE(pair.echoed.empty());  // its turn had not ended: nothing was written
  pair.world.start(pair.a);
  pair.world.run_for(seconds(3));
  EXPECT_EQ(pair.dialler->ups, 1);
}
#endif

TEST(SimKernel, WallClocksJumpPerNode) {
  World world(1);
  Node& a = world.add_node("a");
  Node& b = world.add_node("b");
  const auto before = b.clock.wall_ms();
  a.clock.jump(-5'000);
  EXPECT_EQ(a.clock.wall_ms(), before - 5'000);
  world.run_for(seconds(1));
  EXPECT_EQ(b.clock.wall_ms(), before + 1'000);
  EXPECT_EQ(a.clock.now(), b.clock.now());
}

}  // namespace
}  // namespace hy::sim
