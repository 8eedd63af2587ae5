#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "client/judge/file/history_file.h"
#include "client/judge/judge.h"
#include "tests/judge/world.h"

namespace hy::judge {
namespace {

namespace fs = std::filesystem;

class HistoryFile : public testing::Test {
 protected:
  void SetUp() override {
    char pattern[] = "/tmp/hy-judge-XXXXXX";
    ASSERT_NE(mkdtemp(pattern), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { fs::remove_all(folder_); }

  fs::path write(const std::string& text) {
    const fs::path file = folder_ / "device-1.phone.1.jsonl";
    std::ofstream(file, std::ios::binary) << text;
    return file;
  }
  fs::path folder_;
};

const std::string kEnd =
    R"({"v":1,"run":"r","dev":"1.phone.1","n":1,"mono":5,"ev":"end","drained":true})";

TEST_F(HistoryFile, WhatIsWrittenIsReadAgain) {
  const Evidence a = World(3).run();
  ASSERT_TRUE(write_evidence(a, folder_, "run-3"));
  const auto b = read_evidence(folder_);
  ASSERT_TRUE(b) << b.error().detail;
  ASSERT_EQ(b->histories.size(), a.histories.size());
  for (const History& history : a.histories) {
    const auto same = std::ranges::find(b->histories, history.device(), &History::device);
    ASSERT_NE(same, b->histories.end());
    ASSERT_EQ(same->events().size(), history.events().size());
    for (std::size_t i = 0; i < history.events().size(); ++i) {
      EXPECT_EQ(event_line(*same, same->events()[i], "r", 1),
                event_line(history, history.events()[i], "r", 1));
      const Event& x = history.events()[i];
      const Event& y = same->events()[i];
      EXPECT_TRUE(x.at == y.at && x.conv == y.conv && x.cmid == y.cmid && x.seq == y.seq &&
                  x.low == y.low && x.phash == y.phash && x.uid == y.uid && x.number == y.number &&
                  x.code == y.code && x.flags == y.flags && x.from == y.from && x.to == y.to)
          << event_line(history, x, "r", i + 1);
    }
  }
  EXPECT_EQ(b->store.messages.size(), a.store.messages.size());
  EXPECT_EQ(b->store.cursors.size(), a.store.cursors.size());
  EXPECT_EQ(b->routers.size(), a.routers.size());
  EXPECT_EQ(b->sessions.size(), a.sessions.size());
  EXPECT_EQ(b->faults.size(), a.faults.size());
  EXPECT_EQ(b->healed_at, a.healed_at);
  const Verdict of_files = judge(*b, World::rules());
  Evidence without_lines = a;  // they are judged by the process that tapped them
  without_lines.wire.reset();
  const Verdict of_memory = judge(without_lines, World::rules());
  EXPECT_EQ(of_files.outcome(), Outcome::kClean) << of_files.text();
  for (std::size_t i = 0; i < of_memory.reports.size(); ++i)
    EXPECT_EQ(of_files.reports[i].looked_at, of_memory.reports[i].looked_at);
}

TEST_F(HistoryFile, ALineThatWasNotFinishedIsDropped) {
  const auto history = read_history(write(kEnd + "\n" + kEnd.substr(0, 30)));
  ASSERT_TRUE(history) << history.error().detail;
  EXPECT_EQ(history->events().size(), 1u);
  EXPECT_TRUE(history->is_drained());
  const auto nothing = read_history(write(kEnd));
  ASSERT_TRUE(nothing);
  EXPECT_FALSE(nothing->has_end()) << "the only line has no newline";
}

TEST_F(HistoryFile, ABadLineIsNamed) {
  const auto error_of = [&](const std::string& text) {
    const auto history = read_history(write(text));
    return history ? std::string("no error") : history.error().detail;
  };
  EXPECT_TRUE(error_of("{\n").ends_with(":1: no JSON object"));
  EXPECT_TRUE(error_of(kEnd + "\n[]\n").ends_with(":2: no JSON object"));
  EXPECT_TRUE(error_of(kEnd + "\n" + kEnd + "\n").ends_with(":2: line 2 was expected"));
  const auto with = [](std::string_view from, std::string_view to) {
    std::string line = kEnd;
    return line.replace(line.find(from), from.size(), to) + "\n";
  };
  EXPECT_TRUE(error_of(with("\"v\":1", "\"v\":2")).ends_with("another version of the format"));
  EXPECT_TRUE(error_of(with("1.phone.1", "1.toaster.1")).ends_with("dev is no device"));
  EXPECT_TRUE(error_of(with("\"end\"", "\"fin\"")).ends_with("no such event"));
  EXPECT_TRUE(
      error_of(with("\"mono\":5", "\"mono\":\"5\"")).ends_with("mono is no number of 64 bits"));
  EXPECT_TRUE(
      error_of(with("\"drained\":true", "\"drained\":1")).ends_with("drained is no boolean"));
  EXPECT_TRUE(error_of(with("\"ev\":\"end\"", "\"ev\":\"ack\"")).find("push is no number") !=
              std::string::npos);
}

TEST_F(HistoryFile, ADumpWithoutItsEndIsNotWhole) {
  Evidence a = World(4).run();
  ASSERT_TRUE(write_evidence(a, folder_, "r"));
  std::ifstream in(folder_ / "store.jsonl");
  std::string text((std::istreambuf_iterator<char>(in)), {});
  text.resize(text.size() - 12);
  std::ofstream(folder_ / "store.jsonl", std::ios::binary) << text;
  const auto b = read_evidence(folder_);
  ASSERT_TRUE(b) << b.error().detail;
  EXPECT_FALSE(b->has_store);
  const Verdict verdict = judge(*b, World::rules());
  EXPECT_EQ(verdict.outcome(), Outcome::kNoVerdict);
  EXPECT_EQ(verdict.exit_code(), 8);
}

// ── no verdict ──────────────────────────────────────────────────────────────────────────────────

bool lacks(const Evidence& evidence, Missing what) {
  const Verdict verdict = judge(evidence, World::rules());
  return verdict.outcome() == Outcome::kNoVerdict &&
         std::ranges::any_of(verdict.missing, [&](const Gap& gap) { return gap.what == what; });
}

TEST(NoVerdict, WhenEvidenceIsMissing) {
  const Evidence whole = World(5).run();
  ASSERT_EQ(judge(whole, World::rules()).exit_code(), 0);
  EXPECT_TRUE(lacks({}, Missing::kNoHistory));

  Evidence e = whole;
  e.histories[1].events().pop_back();
  EXPECT_TRUE(lacks(e, Missing::kClientEnd));

  e = whole;
  e.histories[1].events()[3].at = 0;
  EXPECT_TRUE(lacks(e, Missing::kBrokenHistory));

  e = whole;
  e.histories.push_back(e.histories[0]);
  EXPECT_TRUE(lacks(e, Missing::kBrokenHistory));

  e = whole;
  e.has_store = false;
  EXPECT_TRUE(lacks(e, Missing::kStoreDump));

  e = whole;
  e.has_placement = false;
  EXPECT_TRUE(lacks(e, Missing::kPlacement));

  e = whole;
  e.faults[0].was_felt = false;
  EXPECT_TRUE(lacks(e, Missing::kFaultNotFelt));

  e = whole;
  for (History& history : e.histories) {
    std::erase_if(history.events(), [](const Event& ev) { return ev.ev == Ev::kSendInvoke; });
  }
  EXPECT_TRUE(lacks(e, Missing::kNoMessage));
}

TEST(NoVerdict, ViolationsDoNotMakeUpForMissingEvidence) {
  Evidence e = World(6).run();
  e.store.messages.pop_back();
  EXPECT_EQ(judge(e, World::rules()).exit_code(), 4);
  e.histories[0].events().pop_back();
  EXPECT_EQ(judge(e, World::rules()).exit_code(), 8);
}

}  // namespace
}  // namespace hy::judge
