#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <random>

#include "client/cli/demo/scripts.h"
#include "client/cli/private_folder.h"
#include "common/base/limits.h"
#include "tests/e2e/cluster_fixture.h"

namespace hy::cli {
namespace {

using CorpusTest = ClusterTest;
constexpr std::size_t kFortuneLines = 5'000;
constexpr std::size_t kLinesMin = 5'000;

/// Evenly chosen lines of Debian's fortune files, Chinese and Russian ones among them where they
/// are installed.
std::vector<Bytes> fortunes() {
  namespace fs = std::filesystem;
  std::vector<fs::path> files;
  std::error_code ignored;
  for (const auto& entry : fs::recursive_directory_iterator("/usr/share/games/fortunes", ignored)) {
    const std::string extension = entry.path().extension();
    if (entry.is_regular_file(ignored) && !entry.is_symlink(ignored) && extension != ".dat") {
      files.push_back(entry.path());
    }
  }
  std::ranges::sort(files);
  std::vector<Bytes> out;
  for (const fs::path& file : files) {
    const auto lines = read_corpus(file.string());
    if (!lines) continue;
    const std::size_t share = kFortuneLines / files.size() + 1;
    const std::size_t step = std::max<std::size_t>(1, lines->size() / share);
    for (std::size_t i = 0; i < lines->size() && i < share * step; i += step) {
      out.push_back((*lines)[i]);
    }
  }
  return out;
}

/// What no ordinary text holds.
std::vector<Bytes> awkward() {
  std::vector<Bytes> out = {
      "",
      " ",
      std::string(1, '\0'),
      std::string("a\0b", 3),
      "\r\n",
      "\n\n\n",
      "\x1b[2J\x1b[31m",
      "👩‍👩‍👧‍👦 👍🏽 🇨🇳 ⌨️",
      "e\u0301 \u0928\u093f \uAC00\u11A8",
      "שלום עולם",
      "مرحبا بالعالم ١٢٣",
      "\u202Eabc\u202C",
      "\xff\xfe\x00\x80",
      "\xed\xa0\x80",
      "\xf4\x90\x80\x80",
      "\xc0\xaf",
      "你好，世界。這是繁體中文。日本語テキスト 한국어",
      Bytes(limits::kMessageBodyBytesMax, '\0'),
      Bytes(limits::kMessageBodyBytesMax, 'x'),
      Bytes(limits::kMessageBodyBytesMax - 1, '\xff'),
  };
  Bytes every;
  for (int i = 0; i < 256; ++i) every += static_cast<char>(i);
  out.push_back(every);
  Bytes wide;
  while (wide.size() + 3 <= limits::kMessageBodyBytesMax) wide += "鸿";
  out.push_back(wide);
  std::mt19937_64 random(20'260'101);
  for (int i = 0; i < 60; ++i) {
    Bytes noise(random() % limits::kMessageBodyBytesMax, '\0');
    for (char& c : noise) c = static_cast<char>(random());
    out.push_back(noise);
  }
  for (const std::size_t size : {1'023u, 1'024u, 1'025u, 4'095u, 4'096u, 16'384u}) {
    out.push_back(Bytes(size, 'z'));  // around the size from which bodies are compressed
  }
  return out;
}

std::vector<Bytes> corpus() {
  std::vector<Bytes> out = fortunes();
  const std::vector<Bytes> odd = awkward();
  for (std::size_t i = 0; i < odd.size(); ++i) {
    // Spread over the text, so that large and small bodies meet.
    out.insert(out.begin() + static_cast<std::ptrdiff_t>(out.size() * i / odd.size()), odd[i]);
  }
  for (std::size_t n = 0; out.size() < kLinesMin + odd.size(); ++n) {
    out.push_back("第 " + std::to_string(n) + " 行 🙂 строка " + std::to_string(n * 7'919));
  }
  return out;
}

TEST_P(CorpusTest, ArrivesByteForByteAndInOrder) {
  const std::vector<Bytes> bodies = corpus();
  ASSERT_GE(bodies.size(), kLinesMin);
  const CorpusResult result = play_corpus(stage(), bodies, Millis(60'000));
  EXPECT_EQ(result.arrived, bodies.size());
  EXPECT_EQ(result.different, 0u) << result.first_difference;
  EXPECT_TRUE(stage().settle(kSoon));
  const LedgerCounts counts = stage().final_counts();
  EXPECT_TRUE(counts.is_clean()) << ledger_text(counts);
}

TEST_P(CorpusTest, HistoryHoldsTheSameBytes) {
  const Bytes body("bytes \0 and \xff", 13);
  const auto sent = stage().say("carol", "alice", body, 2);
  ASSERT_TRUE(sent);
  ASSERT_TRUE(sent->wait(Step::kStored, kSoon));
  const auto conversation = ConversationId::pair(stage().uid("carol"), stage().uid("alice"));
  const auto history = stage().client("alice").history(conversation, Seq{}, Seq{}, 1);
  ASSERT_TRUE(history);
  ASSERT_EQ(history->size(), 1u);
  EXPECT_EQ(history->front().body, body);
  EXPECT_EQ(history->front().kind, 2u);
}

TEST(CorpusFile, LinesAreCutAtSixteenKibibytesAndKeptOtherwise) {
  std::string pattern = "/tmp/hycorpus-XXXXXX";
  const int fd = ::mkstemp(pattern.data());
  ASSERT_GE(fd, 0);
  ::close(fd);
  ASSERT_TRUE(write_private(pattern, "one\n\n" + std::string(16'384 + 3, 'x') + "\nlast"));
  const auto lines = read_corpus(pattern);
  std::filesystem::remove(pattern);
  ASSERT_TRUE(lines);
  ASSERT_EQ(lines->size(), 5u);
  EXPECT_EQ((*lines)[0], "one");
  EXPECT_EQ((*lines)[1], "");
  EXPECT_EQ((*lines)[2].size(), 16'384u);
  EXPECT_EQ((*lines)[3], "xxx");
  EXPECT_EQ((*lines)[4], "last");
  EXPECT_FALSE(read_corpus("/nowhere/at/all"));
}

HY_BOTH_ENGINES(CorpusTest);

}  // namespace
}  // namespace hy::cli
