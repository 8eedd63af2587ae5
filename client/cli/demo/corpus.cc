#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "client/cli/demo/scripts.h"
#include "client/cli/output.h"
#include "client/cli/private_folder.h"
#include "common/base/limits.h"

namespace hy::cli {
namespace {

constexpr std::uint64_t kUnderWayMax = 256;  // sent and not shown yet
constexpr Millis kStallWithin{60'000};
constexpr std::uint32_t kText = 1;
constexpr std::uint32_t kBinary = 2;

struct Player {
  const std::vector<Bytes>* bodies = nullptr;
  std::unordered_map<ClientMsgId, std::size_t> index;  // of what was sent
  std::unordered_map<ClientMsgId, std::pair<std::string, Message>>
      early;  // shown before say() returned
  CorpusResult result;

  void compare(const std::string& who, std::size_t i, const Message& m) {
    const Bytes& want = (*bodies)[i];
    const bool is_right_person = who == (i % 2 == 0 ? "bob" : "alice");
    const std::uint32_t kind = is_valid_utf8(want) ? kText : kBinary;
    if (m.body != want || m.kind != kind || !is_right_person) {
      if (result.different++ == 0) {
        const auto [a, b] = std::ranges::mismatch(m.body, want);
        result.first_difference =
            fmt::format("message {}: {} bytes sent, {} came, different from byte {}", i + 1,
                        want.size(), m.body.size(), a - m.body.begin());
        (void)b;
      }
    }
    ++result.arrived;
  }
};

}  // namespace

CorpusResult play_corpus(Stage& stage, const std::vector<Bytes>& bodies, Millis stall_within) {
  Player player;
  player.bodies = &bodies;
  std::mutex mutex;
  stage.on_shown([&](const std::string& who, const Message& m) {
    const std::lock_guard lock(mutex);
    if (m.provisional) return;
    const auto known = player.index.find(m.client_msg_id);
    if (known == player.index.end()) {
      player.early.try_emplace(m.client_msg_id, who, m);
    } else {
      player.compare(who, known->second, m);
    }
  });
  const auto under_way = [&](std::size_t sent) {
    const std::lock_guard lock(mutex);
    return sent - player.result.arrived;
  };
  for (std::size_t i = 0; i < bodies.size(); ++i) {
    const bool is_forward = i % 2 == 0;
    const auto sent = stage.say(is_forward ? "alice" : "bob", is_forward ? "bob" : "alice",
                                bodies[i], is_valid_utf8(bodies[i]) ? kText : kBinary);
    if (!sent) {
      player.result.first_difference =
          fmt::format("message {}: {}", i + 1, error_text(sent.error().code, sent.error().detail));
      break;
    }
    {
      const std::lock_guard lock(mutex);
      player.index.emplace(sent->id(), i);
      player.result.messages = i + 1;
      player.result.bytes += bodies[i].size();
      if (const auto early = player.early.find(sent->id()); early != player.early.end()) {
        player.compare(early->second.first, i, early->second.second);
        player.early.erase(early);
      }
    }
    if (!stage.wait(stall_within, [&] { return under_way(i + 1) < kUnderWayMax; })) break;
  }
  stage.wait(stall_within, [&] { return under_way(player.result.messages) == 0; });
  stage.on_shown({});
  const std::lock_guard lock(mutex);
  player.result.messages = bodies.size();
  return player.result;
}

Result<std::vector<Bytes>> read_corpus(const std::string& file) {
  HY_TRY(const std::string text, read_file(file));
  std::vector<Bytes> out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    std::size_t from = at;
    do {
      const std::size_t piece = std::min<std::size_t>(end - from, limits::kMessageBodyBytesMax);
      out.push_back(text.substr(from, piece));
      from += piece;
    } while (from < end);
    at = end + 1;
  }
  return out;
}

Exit script_corpus(Stage& stage, const std::string& file) {
  const auto bodies = read_corpus(file);
  if (!bodies) return complain(bodies.error());
  const MonoTime start = std::chrono::steady_clock::now();
  const CorpusResult result = play_corpus(stage, *bodies, kStallWithin);
  const auto took = std::chrono::duration_cast<Millis>(std::chrono::steady_clock::now() - start);
  print(fmt::format("corpus  {} messages, {} bytes, both ways: {} arrived in {}, {} different\n",
                    result.messages, result.bytes, result.arrived, duration_text(took),
                    result.different));
  if (!result.first_difference.empty()) print("  " + result.first_difference + "\n");
  stage.settle(kStallWithin);
  const LedgerCounts counts = stage.final_counts();
  print(ledger_text(counts) + "\n");
  for (const std::string& fault : stage.faults()) print("  " + fault + "\n");
  return result.is_exact() && counts.is_clean() ? Exit::kOk : Exit::kLedger;
}

}  // namespace hy::cli
