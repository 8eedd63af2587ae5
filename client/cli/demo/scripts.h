#pragma once

#include <string>
#include <vector>

#include "client/cli/demo/stage.h"
#include "client/cli/exit_code.h"

namespace hy::cli {

/// A scene of the demo as text, for pipes, CI and the end-to-end tests. Each ends with the ledger
/// line; kLedger when it is not clean, kUnreachable when something did not come in time.
Exit script_hello(Stage& stage);
/// SIGKILLs one daemon of each tier in turn while 200 messages a second flow.
Exit script_kill(Stage& stage, int per_second);
/// Takes the store away, talks on (RELAYED), brings it back: every message is STORED once.
Exit script_store(Stage& stage);
/// Bob vanishes without a word and returns: what he missed comes by sync.
Exit script_unplug(Stage& stage);
/// Entry a is drained under load: alice moves to the other entry.
Exit script_drain(Stage& stage, int per_second);

/// Plays bodies as a conversation between alice and bob, both ways in turn, and compares what each
/// of them is shown, byte for byte and in order.
struct CorpusResult {
  std::size_t messages = 0;
  std::size_t bytes = 0;
  std::size_t arrived = 0;
  std::size_t different = 0;
  std::string first_difference;
  [[nodiscard]] bool is_exact() const { return arrived == messages && different == 0; }
};
CorpusResult play_corpus(Stage& stage, const std::vector<Bytes>& bodies, Millis stall_within);
Exit script_corpus(Stage& stage, const std::string& file);
/// The lines of a text file as message bodies; lines above 16 KiB are cut into pieces.
Result<std::vector<Bytes>> read_corpus(const std::string& file);

}  // namespace hy::cli
