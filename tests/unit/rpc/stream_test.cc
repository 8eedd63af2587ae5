#include <gtest/gtest.h>

#include <map>

#include "common/base/limits.h"
#include "common/obs/metrics.h"
#include "tests/unit/rpc/rpc_fixture.h"

namespace hy::rpc::testing {
namespace {

ClientOptions options_for(const std::string& target) {
  ClientOptions options;
  options.target = target;
  options.method = kMethod;
  options.backoff_max = Millis{500};
  return options;
}

TEST(RpcStream, EchoesInOrderAndBatches) {
  EchoServer echo("127.0.0.1:0");
  ASSERT_TRUE(echo.server.start());
  LoopThread thread;
  Caller caller;
  Client client(thread.loop, options_for(echo.target()), caller);
  client.start();
  ASSERT_TRUE(eventually([&] { return caller.ups == 1; }));
  constexpr int kCount = 2'000;
  thread.run([&] {
    for (std::uint64_t i = 1; i <= kCount; ++i) caller.ask(i);
  });
  ASSERT_TRUE(eventually([&] { return caller.answers == kCount; }));
  EXPECT_TRUE(caller.in_order);
  EXPECT_EQ(echo.counters.envelopes, kCount);
  // One turn's worth, sealed at kBatchEnvelopesMax: a write per batch, not per envelope.
  EXPECT_EQ(echo.counters.batches, (kCount + 255) / 256);
  EXPECT_LE(caller.batches, 40);
  client.stop();
  EXPECT_EQ(caller.downs, 1);
  EXPECT_TRUE(eventually([&] { return echo.counters.closed == 1; }));
}

TEST(RpcStream, MessagesAndEnvelopesThatWereWrittenAreShown) {
  EchoServer echo("127.0.0.1:0");
  ASSERT_TRUE(echo.server.start());
  obs::Registry registry;
  LoopThread thread;
  thread.loop.show_traffic(kMethod, registry);
  Caller caller;
  Client client(thread.loop, options_for(echo.target()), caller);
  client.start();
  ASSERT_TRUE(eventually([&] { return caller.ups == 1; }));
  constexpr std::uint64_t kCount = 600;
  thread.run([&] {
    for (std::uint64_t i = 1; i <= kCount; ++i) caller.ask(i);
  });
  ASSERT_TRUE(eventually([&] { return caller.answers == kCount; }));
  std::map<std::string, double> shown;
  for (const obs::Family& family : registry.collect()) {
    ASSERT_EQ(family.samples.size(), 1U);
    EXPECT_EQ(family.samples[0].labels, (obs::Labels{{"stream", kMethod}}));
    shown[family.name] = family.samples[0].value;
  }
  EXPECT_EQ(shown["hy_rpc_envelopes_sent_total"], kCount);
  EXPECT_EQ(shown["hy_rpc_messages_sent_total"], echo.counters.batches);
}

TEST(RpcStream, WorksOverUnixSockets) {
  const TempDir dir;
  EchoServer echo("unix:" + dir / "s.sock");
  ASSERT_TRUE(echo.server.start());
  EXPECT_EQ(echo.server.ports().at(0), 0);
  LoopThread thread;
  Caller caller;
  caller.up_hook = [&] { caller.ask(1); };
  Client client(thread.loop, options_for("unix:" + dir / "s.sock"), caller);
  client.start();
  EXPECT_TRUE(eventually([&] { return caller.answers == 1; }));
}

TEST(RpcStream, WhatGathersBehindAWriteGoesOutAsOneBatch) {
  EchoServer echo("127.0.0.1:0");
  ASSERT_TRUE(echo.server.start());
  LoopThread thread;
  Caller caller;
  Client client(thread.loop, options_for(echo.target()), caller);
  client.start();
  ASSERT_TRUE(eventually([&] { return caller.ups == 1; }));
  // Many tasks that wait, posted from the loop: however slow this thread is, they wait together.
  // Far fewer writes than envelopes follow.
  thread.run([&] {
    for (std::uint64_t i = 1; i <= 500; ++i) thread.loop.post([&caller, i] { caller.ask(i); });
  });
  ASSERT_TRUE(eventually([&] { return caller.answers == 500; }));
  EXPECT_TRUE(caller.in_order);
  EXPECT_LT(echo.counters.batches, 400);
}

TEST(RpcStream, AFullQueueSaysSo) {
  EchoServer echo("127.0.0.1:0");
  ASSERT_TRUE(echo.server.start());
  LoopThread thread;
  Caller caller;
  ClientOptions options = options_for(echo.target());
  options.queue.envelopes_max = 100;
  Client client(thread.loop, options, caller);
  client.start();
  ASSERT_TRUE(eventually([&] { return caller.ups == 1; }));
  int accepted = 0;
  thread.run([&] {
    while (caller.stream.has_room() && accepted < 1'000) {
      caller.ask(static_cast<std::uint64_t>(++accepted));
    }
  });
  EXPECT_EQ(accepted, 100);
  ASSERT_TRUE(eventually([&] { return caller.answers == 100; }));
  thread.run([&] { EXPECT_TRUE(caller.stream.has_room()); });
}

TEST(RpcStream, CloseFlushesWhatIsQueued) {
  EchoServer echo("127.0.0.1:0");
  ASSERT_TRUE(echo.server.start());
  LoopThread thread;
  Caller caller;
  Client client(thread.loop, options_for(echo.target()), caller);
  client.start();
  ASSERT_TRUE(eventually([&] { return caller.ups == 1; }));
  thread.run([&] {
    for (std::uint64_t i = 1; i <= 1'000; ++i) caller.ask(i);
    caller.stream.close();
  });
  EXPECT_TRUE(eventually([&] { return echo.counters.envelopes == 1'000; }));
  EXPECT_TRUE(eventually([&] { return caller.downs >= 1; }));
  EXPECT_EQ(caller.why(), "ended by the peer") << "in order, not by the time limit";
}

TEST(RpcStream, AServerThatClosesFlushesToo) {
  EchoServer echo("127.0.0.1:0");
  echo.counters.close_on_query = true;
  ASSERT_TRUE(echo.server.start());
  LoopThread thread;
  Caller caller;
  caller.up_hook = [&] {
    caller.up_hook = nullptr;
    for (std::uint64_t i = 1; i <= 200; ++i) caller.ask(i);
  };
  Client client(thread.loop, options_for(echo.target()), caller);
  client.start();
  EXPECT_TRUE(eventually([&] { return caller.downs >= 1; }));
  EXPECT_EQ(caller.answers, 200);
}

TEST(RpcStream, ComesBackAfterTheServerWasKilled) {
  LoopThread thread;
  Caller caller;
  auto first = std::make_unique<EchoServer>("127.0.0.1:0");
  ASSERT_TRUE(first->server.start());
  const std::string target = first->target();
  Client client(thread.loop, options_for(target), caller);
  client.start();
  ASSERT_TRUE(eventually([&] { return caller.ups == 1; }));
  first.reset();
  ASSERT_TRUE(eventually([&] { return caller.downs == 1; }));
  EXPECT_FALSE(client.is_up());
  EchoServer second(target);
  ASSERT_TRUE(second.server.start());
  // Our own tries, at most backoff_max (2 s) apart: the library's come every 5 s.
  EXPECT_TRUE(eventually([&] { return caller.ups == 2; }, 4'000));
  EXPECT_TRUE(client.is_up());
}

TEST(RpcStream, ASilentServerIsDroppedAndDialledAnew) {
  EchoServer echo("127.0.0.1:0");
  ASSERT_TRUE(echo.server.start());
  LoopThread thread;
  Caller caller;
  ClientOptions options = options_for(echo.target());
  options.silence_max = Millis{300};
  Client client(thread.loop, options, caller);
  client.start();
  EXPECT_TRUE(eventually([&] { return caller.ups >= 2; }));
  EXPECT_EQ(caller.why(), "silent");
}

TEST(RpcStream, RedialTakesANewStream) {
  EchoServer echo("127.0.0.1:0");
  ASSERT_TRUE(echo.server.start());
  LoopThread thread;
  Caller caller;
  Client client(thread.loop, options_for(echo.target()), caller);
  client.start();
  ASSERT_TRUE(eventually([&] { return caller.ups == 1; }));
  client.redial("told to");
  EXPECT_TRUE(eventually([&] { return caller.ups == 2; }));
  EXPECT_EQ(caller.why(), "told to");
  EXPECT_TRUE(eventually([&] { return echo.counters.closed == 1; }));
}

TEST(RpcStream, AnUnknownMethodIsRefused) {
  EchoServer echo("127.0.0.1:0");
  ASSERT_TRUE(echo.server.start());
  LoopThread thread;
  Caller caller;
  ClientOptions options = options_for(echo.target());
  options.method = "/hy.router.v1.LogicStream/Nothing";
  Client client(thread.loop, options, caller);
  Caller good_caller;
  Client good(thread.loop, options_for(echo.target()), good_caller);
  client.start();
  good.start();
  ASSERT_TRUE(eventually([&] { return good_caller.ups == 1; }));
  client.stop();
  EXPECT_EQ(caller.ups, 0);
  // A client may be up before the server has made its handler.
  EXPECT_TRUE(eventually([&] { return echo.counters.opened >= 1; }));
  EXPECT_EQ(echo.counters.opened, 1);
}

TEST(RpcStream, ABatchAboveTheLimitEndsTheStreamHere) {
  EchoServer echo("127.0.0.1:0");
  ASSERT_TRUE(echo.server.start());
  LoopThread thread;
  Caller caller;
  Client client(thread.loop, options_for(echo.target()), caller);
  client.start();
  ASSERT_TRUE(eventually([&] { return caller.ups == 1; }));
  thread.run([&] {
    caller.stream.next().add_delivers()->set_body(std::string(limits::kRpcMessageBytesMax, 'x'));
    caller.stream.queued(limits::kRpcMessageBytesMax);
  });
  EXPECT_TRUE(eventually([&] { return caller.downs == 1; }));
  EXPECT_NE(caller.why().find("above the limit"), std::string::npos);
  EXPECT_TRUE(eventually([&] { return caller.ups == 2; }));
}

TEST(RpcServer, RefusesAUsedPort) {
  EchoServer first("127.0.0.1:0");
  ASSERT_TRUE(first.server.start());
  EchoServer second(first.target());
  const Status status = second.server.start();
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Errc::kPortInUse);
}

TEST(RpcServer, RefusesAUsedUnixPathAndTakesAStaleOne) {
  const TempDir dir;
  const std::string address = "unix:" + dir / "s.sock";
  auto first = std::make_unique<EchoServer>(address);
  ASSERT_TRUE(first->server.start());
  {
    EchoServer second(address);
    const Status status = second.server.start();
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, Errc::kPortInUse);
  }
  LoopThread thread;
  Caller caller;
  Client client(thread.loop, options_for(address), caller);
  client.start();
  EXPECT_TRUE(eventually([&] { return caller.ups == 1; })) << "the refused one took the path";
  first.reset();
  EchoServer third(address);
  EXPECT_TRUE(third.server.start());
  EXPECT_TRUE(eventually([&] { return caller.ups == 2; }));
}

TEST(RpcServer, RefusesALongUnixPathAndPublicAddressesWithoutTls) {
  for (const std::string& address : {"unix:/" + std::string(107, 'x'), std::string("0.0.0.0:0"),
                                     std::string("8.8.8.8:1"), std::string("localhost:0")}) {
    EchoServer echo(address);
    EXPECT_FALSE(echo.server.start()) << address;
  }
}

// Every order of ending must come back; a hang is a failure by the test's time limit.
TEST(RpcShutdown, InEveryOrder) {
  for (int order = 0; order < 6; ++order) {
    auto echo = std::make_unique<EchoServer>("127.0.0.1:0");
    ASSERT_TRUE(echo->server.start());
    auto thread = std::make_unique<LoopThread>();
    Caller caller;
    auto client = std::make_unique<Client>(thread->loop, options_for(echo->target()), caller);
    client->start();
    if (order != 5) {
      ASSERT_TRUE(eventually([&] { return caller.ups == 1; }));
    }
    switch (order) {
      case 0:
        client.reset();
        thread->stop();
        echo.reset();
        break;
      case 1:
        echo.reset();
        client.reset();
        break;
      case 2:
        thread->stop();
        client.reset();
        echo.reset();
        break;  // loop no longer runs
      case 3:
        echo->thread.stop();
        echo.reset();
        client.reset();
        break;  // nor does the server's
      case 4:
        thread->run([&] { client->stop(); });
        client.reset();
        break;
      default: client.reset(); break;  // while it dials
    }
  }
}

TEST(RpcShutdown, AServerThatNeverRan) {
  Loop loop;
  {
    Server server(loop, {.listen = {"127.0.0.1:0"}});
    ASSERT_TRUE(server.start());
  }
  Caller caller;
  Client client(loop, options_for("127.0.0.1:1"), caller);
  client.start();
}

}  // namespace
}  // namespace hy::rpc::testing
