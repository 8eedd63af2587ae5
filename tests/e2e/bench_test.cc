#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>

#include <filesystem>
#include <future>
#include <nlohmann/json.hpp>

#include "client/cli/private_folder.h"
#include "client/cli/process.h"
#include "common/http/http_get.h"
#include "tests/e2e/cluster_fixture.h"

namespace hy::cli {
namespace {

using Json = nlohmann::json;

/// `hy bench` against a real cluster, as a shell would run it. Speed is not judged here: the
/// machine may be busy, so a run may end without a verdict (8); what it counted must be right all
/// the same.
class BenchTest : public ClusterTest {
 protected:
  struct Done {
    int code = -1;
    Json report;
    std::string text;
  };
  static std::string program() { return "'" + std::string(HY_BUILD_DIR) + "/bin/hy'"; }
  static Finished shell(const std::string& script) {
    Command command;
    command.argv = {"/bin/sh", "-c", script};
    const auto done = run(command, Millis(120'000));
    return done ? *done : Finished{-1, done.error().detail};
  }
  /// stdout alone, as JSON.
  static Done bench(const std::string& arguments, const std::string& progress = "/dev/null") {
    const Finished done =
        shell(program() + " bench " + arguments + " --profile e2e -o json 2>'" + progress + "'");
    return {done.code, Json::parse(done.output, nullptr, false), done.output};
  }
  static bool is_counted(int code) { return code == 0 || code == 8; }
  static void expect_clean(const Done& done) {
    ASSERT_TRUE(is_counted(done.code)) << done.code << " " << done.text;
    ASSERT_FALSE(done.report.is_discarded()) << done.text;
    for (const char* fault : {"lost", "shown_twice", "out_of_order", "dishonest"})
      EXPECT_EQ(done.report["ledger"][fault], 0) << fault;
  }
};

TEST_P(BenchTest, GroupsAreMadeLoadedAndEveryDeliveryIsChecked) {
  const Done done = bench("group --groups 2 --members 5 --rate 4/s --for 2s --warmup 1s");
  expect_clean(done);
  const Json& total = done.report["total"];
  EXPECT_GE(total["sent"], 10);
  EXPECT_EQ(total["sent"], total["stored"]);
  EXPECT_EQ(total["delivered"], total["stored"].get<int>() * 4);
  EXPECT_GT(done.report["extra"]["cpu_us_a_delivery(daemons)"], 0);
}

TEST_P(BenchTest, PairsOnAScheduleAreCountedAndClean) {
  const Done done = bench("p2p --conns 20 --rate 200 --for 2s --windows 2 --warmup 1s");
  expect_clean(done);
  const Json& total = done.report["total"];
  EXPECT_GE(total["sent"], 800);
  EXPECT_EQ(total["sent"], total["stored"]);
  EXPECT_EQ(total["stored"], total["delivered"]);
  EXPECT_EQ(total["stored"], total["confirmed"]);
  EXPECT_EQ(done.report["mode"], "open");
  EXPECT_EQ(done.report["windows"].size(), 2U);
  for (const char* curve : {"stored", "delivered", "confirmed", "stored_raw"})
    EXPECT_GT(done.report["whole"]["latency_ms"][curve]["count"], 0) << curve;
  EXPECT_GT(done.report["whole"]["cpu_us_per_message"]["entry"], 0) << "daemons of this host";
}

TEST_P(BenchTest, AClosedLoopIsLabelledAndItsAssertionsAreJudged) {
  const Done done = bench(
      "p2p --conns 10 --closed --outstanding 2 --for 2s --warmup 1s --assert 'lost==0' "
      "--assert 'stored_per_s>1000000'");
  ASSERT_TRUE(done.code == 4 || done.code == 8) << done.text;
  EXPECT_EQ(done.report["mode"], "closed");
  ASSERT_EQ(done.report["verdict"]["asserts"].size(), 2U);
  EXPECT_EQ(done.report["verdict"]["asserts"][0]["holds"], true);
  EXPECT_EQ(done.report["verdict"]["asserts"][1]["holds"], false);
}

TEST_P(BenchTest, SeveralWorkersAndSourceAddressesCountAsOne) {
  const Done done = bench(
      "p2p --conns 40 --workers 2 --source-ip 127.0.0.2-127.0.0.5 --rate 200 --for 2s --warmup 1s");
  expect_clean(done);
  EXPECT_EQ(done.report["workers"], 2);
  EXPECT_EQ(done.report["open_at_end"], 40);
  EXPECT_EQ(done.report["total"]["sent"], done.report["total"]["confirmed"]);
}

TEST_P(BenchTest, BesideACpuHogThereIsNoVerdict) {
  const Finished done = shell(
      "taskset -c 0 sh -c 'while :; do :; done' & hog=$!; "
      "taskset -c 0 sh -c 'while :; do :; done' & hog2=$!; taskset -c 0 " +
      program() +
      " bench p2p --conns 20 --rate 1000 --for 3s --warmup 1s --profile e2e; code=$?; "
      "kill $hog $hog2; exit $code");
  EXPECT_EQ(done.code, 8) << done.output;
  EXPECT_NE(done.output.find("NO VERDICT"), std::string::npos) << done.output;
}

TEST_P(BenchTest, ALowDescriptorLimitIsRefusedBeforeDialling) {
  const Finished done =
      shell("ulimit -n 128; exec " + program() + " bench idle --conns 5000 --profile e2e");
  EXPECT_EQ(done.code, 2) << done.output;
  EXPECT_NE(done.output.find("128 descriptors"), std::string::npos) << done.output;
  EXPECT_EQ(done.output.find("open "), std::string::npos) << "nobody dialled: " << done.output;
}

TEST_P(BenchTest, AServerThatStandsStillShowsInTheCorrectedPercentilesAlone) {
  const std::filesystem::path progress = scratch("progress");
  auto running = std::async(std::launch::async, [&] {
    return bench("p2p --conns 20 --rate 1000 --for 6s --warmup 1s", progress.string());
  });
  // "s left" stands in the lines of measured seconds alone.
  const MonoTime until = std::chrono::steady_clock::now() + kSoon;
  for (bool is_measured = false; !is_measured;) {
    ASSERT_LT(std::chrono::steady_clock::now(), until) << "no second was measured";
    ::poll(nullptr, 0, 50);
    const auto text = read_file(progress);
    is_measured = text && text->find("s left") != std::string::npos;
  }
  for (const std::string& entry : cluster().layout().names_of("entry"))
    cluster().supervisor().signal(entry, SIGSTOP);
  ::poll(nullptr, 0, 1'000);  // the length of the fault
  for (const std::string& entry : cluster().layout().names_of("entry"))
    cluster().supervisor().signal(entry, SIGCONT);
  const Done done = running.get();
  // What the entry could not confirm in that second may be pushed again under another number.
  expect_clean(done);
  ASSERT_TRUE(done.report.contains("whole")) << done.text;
  const Json& latency = done.report["whole"]["latency_ms"];
  const double corrected = latency["stored"]["p99"];
  const double uncorrected = latency["stored_raw"]["p99"];
  EXPECT_GT(corrected, 400) << "a second's sends met the pause";
  EXPECT_LT(uncorrected, corrected / 2) << "one message of each connection met it";
}

/// The first entry whose I/O thread runs the stream loop's turns too (ADR 17); empty: none does.
std::string busy_entry(const ClusterLayout& layout) {
  for (const DaemonPlace& daemon : layout.daemons) {
    if (daemon.tier != "entry") continue;
    const auto answer = http::get(daemon.admin, "/metrics", Millis(500));
    if (answer && answer->body.find("\nhy_entry_guest_active 1\n") != std::string::npos)
      return daemon.name();
  }
  return {};
}

TEST_P(BenchTest, ABusyEntryRunsOnOneThreadAndEmptiesItselfAllTheSame) {
  Supervisor& supervisor = cluster().supervisor();
  std::string busy;
  // What makes an entry busy and not full depends on the machine.
  for (const int rate : {8'000, 12'000, 16'000, 5'000, 3'000}) {
    auto running = std::async(std::launch::async, [rate] {
      return bench("p2p --conns 100 --for 10s --warmup 1s --rate " + std::to_string(rate));
    });
    (void)running.wait_for(Millis(2'000));
    ASSERT_TRUE(supervisor.hold("entry-b")) << "the other one has the whole load";
    while (busy.empty() && running.wait_for(Millis(50)) != std::future_status::ready)
      busy = busy_entry(cluster().layout());
    ASSERT_TRUE(supervisor.release("entry-b"));
    EXPECT_TRUE(supervisor.wait_ready({"entry-b"}, kSoon));
    const int starts = supervisor.starts(busy);
    if (!busy.empty()) supervisor.signal(busy, SIGTERM);
    expect_clean(running.get());
    if (busy.empty()) continue;
    EXPECT_TRUE(supervisor.wait_ready({busy}, kSoon));
    EXPECT_GT(supervisor.starts(busy), starts) << "it has stopped by itself";
    break;
  }
  EXPECT_EQ(busy, "entry-a") << "it ran on two threads";
}

TEST_P(BenchTest, ACutHalfComesBack) {
  const Done done = bench("reconnect-storm --conns 40 --drop 50% --warmup 1s");
  ASSERT_TRUE(is_counted(done.code)) << done.text;
  EXPECT_GT(done.report["extra"]["dropped"], 5);
  EXPECT_EQ(done.report["extra"]["missing"], 0);
  EXPECT_EQ(done.report["open_at_end"], 40);
}

TEST_P(BenchTest, AKilledEntryLosesNobodyForGood) {
  const Done done = bench("entry-loss --conns 40 --rate 200 --for 2s --warmup 1s");
  expect_clean(done);
  const Json& figures = done.report["extra"];
  EXPECT_EQ(figures["lost"], 20) << "pairs share an entry, half of them each";
  EXPECT_EQ(figures["missing"], 0);
  EXPECT_GT(figures["bystander_p99_ms"], 0);
  EXPECT_LT(figures["back_p50_ms"], figures["back_ms"]);
  EXPECT_EQ(done.report["open_at_end"], 40);
}

TEST_P(BenchTest, TwiceTheLoadIsOfferedAndTheWayBackIsWatched) {
  const Done done = bench("overload --conns 20 --for 2s --warmup 1s");
  expect_clean(done);
  const Json& figures = done.report["extra"];
  const double saturation = figures["saturation_per_s"];
  EXPECT_GT(figures["offered_per_s"], saturation);
  EXPECT_GT(saturation, 0.1 * figures["closed_loop_per_s"].get<double>());
  EXPECT_NEAR(figures["goodput"], figures["goodput_per_s"].get<double>() / saturation, 0.01);
  EXPECT_GT(figures["goodput"], 0.1);
  EXPECT_LT(figures["normal_after_s"], 30);
}

TEST_P(BenchTest, WhatPiledUpIsFetchedWhole) {
  const Done done = bench("offline-flood --conns 20 --backlog 50 --warmup 1s");
  expect_clean(done);
  EXPECT_EQ(done.report["total"]["stored"], 500);
  EXPECT_EQ(done.report["total"]["delivered"], 500);
  EXPECT_GE(done.report["total"]["pulled"], 450);
}

TEST_P(BenchTest, AScenarioFileIsTheSameAsFlagsAndItsReportsCanBeCompared) {
  const std::filesystem::path file = scratch("office.toml");
  const std::filesystem::path a = scratch("run-a");
  ASSERT_TRUE(write_private(file,
                            "[bench]\nscenario = \"p2p\"\nconns = 10\nrate = \"100/s\"\n"
                            "for = \"2s\"\nwarmup = \"1s\"\nassert = [\"lost==0\"]\n"
                            "report = \"" +
                                a.string() + "\"\n"));
  const Finished done = shell(program() + " bench run " + file.string() + " --profile e2e");
  ASSERT_TRUE(is_counted(done.code)) << done.output;
  for (const char* name : {"report.json", "report.html", "latency.hlog"})
    EXPECT_TRUE(std::filesystem::exists(a / name)) << name;
  const auto page = read_file(a / "report.html");
  ASSERT_TRUE(page);
  EXPECT_NE(page->find("<svg"), std::string::npos);
  EXPECT_EQ(page->find("http"), std::string::npos) << "a page that needs no network";
  EXPECT_EQ(shell(program() + " bench compare " + a.string() + " " + a.string()).code, 0);
  const auto wrong = scratch("wrong.toml");
  ASSERT_TRUE(write_private(wrong, "[bench]\nscenario = \"p2p\"\ncons = 10\n"));
  const Finished refused = shell(program() + " bench run " + wrong.string() + " --profile e2e");
  EXPECT_EQ(refused.code, 2);
  EXPECT_NE(refused.output.find("conns"), std::string::npos) << refused.output;
}

HY_BOTH_ENGINES(BenchTest);

}  // namespace
}  // namespace hy::cli
