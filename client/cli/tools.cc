#include "client/cli/tools.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "client/cli/cluster.h"
#include "client/cli/keys.h"
#include "client/cli/operator_client.h"
#include "client/cli/private_folder.h"
#include "client/cli/process.h"
#include "common/crypto/system_random.h"

namespace hy::cli {
namespace {

namespace fs = std::filesystem;
constexpr Millis kCheckWithin{15'000};
constexpr Millis kSchemaWithin{600'000};
constexpr Millis kTraceWithin{5'000};
constexpr std::size_t kKeyBytes = 32;

std::string program(const std::string& tier) {
  return (own_folder() / ("hy-" + tier)).string();
}

/// --config, else the running cluster's file.
Result<std::string> config_file(const std::string& profile, const std::string& given) {
  if (!given.empty()) return given;
  HY_TRY(const RunningCluster cluster, running_cluster(profile));
  return (cluster.folder / "hongyan.toml").string();
}

}  // namespace

Exit run_config_check(const std::string& config, const std::vector<std::string>& settings) {
  Exit worst = Exit::kOk;
  std::string shown;
  for (const char* tier : {"entry", "logic", "router", "das"}) {
    Command command;
    command.argv = {program(tier), "--config", config, "--check-config"};
    for (const std::string& setting : settings) {
      command.argv.emplace_back("--set");
      command.argv.push_back(setting);
    }
    const auto done = run(command, kCheckWithin);
    if (!done) return complain(done.error());
    print(fmt::format("{:7} {}\n", tier, done->code == 0 ? "ok" : "wrong"));
    if (done->code != 0) {
      worst = Exit::kUsage;
      // Mistakes of the common tables are said by every daemon: once is enough.
      if (done->output != shown) print(done->output);
      shown = done->output;
    }
  }
  return worst;
}

Exit run_schema(const std::string& profile, const std::string& config, const std::string& verb) {
  const auto file = config_file(profile, config);
  if (!file) return complain(file.error());
  Command command;
  command.argv = {program("das"), "--config", *file, "--schema", verb};
  const auto done = run(command, kSchemaWithin);
  if (!done) return complain(done.error());
  print(done->output);
  return done->code == 0 ? Exit::kOk : done->code == 2 ? Exit::kUsage : Exit::kFailed;
}

Exit run_errors(const std::string& code, Format format) {
  if (code.empty()) {
    Table table({"code", "name", "retry", "text"});
    for (const ErrorInfo& e : error_table()) {
      if (e.code == Errc::kOk) continue;
      table.add({error_code_text(e.code), e.name, retry_rule_name(e.retry), e.text});
    }
    print(table.text(format));
    return Exit::kOk;
  }
  std::string digits = code;
  if (digits.starts_with("HY-") || digits.starts_with("hy-")) digits.erase(0, 3);
  for (const ErrorInfo& e : error_table()) {
    if (std::to_string(static_cast<int>(e.code)) != digits && e.name != code) continue;
    if (format != Format::kTable) {
      Table table({"code", "name", "scope", "retry", "text", "what_to_do"});
      table.add({error_code_text(e.code), e.name, scope_name(e.scope), retry_rule_name(e.retry),
                 e.text, e.what_to_do});
      print(table.text(format));
      return Exit::kOk;
    }
    print(fmt::format(
        "{}  {}\n  what happened   {}\n  what to do      {}\n  about           this {}\n"
        "  retry           {}\n  may be done     {}\n",
        error_code_text(e.code), e.name, e.text, e.what_to_do, scope_name(e.scope),
        retry_rule_name(e.retry),
        e.outcome == Outcome::kUnknown ? "perhaps: the same ids are sent again" : "no"));
    return Exit::kOk;
  }
  note("hy: no error is called " + code + " (hy errors lists all)");
  return Exit::kNotFound;
}

Exit run_key_new(const std::string& kind, const std::string& file) {
  std::error_code error;
  if (fs::exists(file, error)) {
    return complain(Errc::kUsage, file + " exists; a key in use is never overwritten");
  }
  crypto::SystemRandom random;
  const std::string hex = random_hex(random, kKeyBytes);
  if (const Status kept = write_private(file, hex + "\n"); !kept) return complain(kept.error());
  note("a new " + kind + " key is in " + file + " (0600)");
  if (kind != "noise") return Exit::kOk;
  const auto pub = public_key_hex(hex);
  if (!pub) return complain(pub.error());
  note("clients pin its public key:");
  print(*pub + "\n");
  return Exit::kOk;
}

Exit run_trace(const Speaker& speaker, const std::string& id, Format format) {
  // client_msg_id, or HI:LO:SEQ as jsonl output gives conversation and seq.
  const auto bytes = from_hex(id);
  const bool is_id = bytes && bytes->size() == 16;
  ConversationId conversation;
  std::uint64_t seq = 0;
  if (!is_id) {
    const char* at = id.data();
    const char* const end = id.data() + id.size();
    for (std::uint64_t* const part : {&conversation.hi, &conversation.lo, &seq}) {
      const auto [next, bad] = std::from_chars(at, end, *part);
      if (bad != std::errc{}) {
        return complain(Errc::kUsage, "a client_msg_id (32 hex digits) or CONVERSATION:SEQ");
      }
      at = next < end ? next + 1 : next;
    }
  }
  const auto target = find_target(speaker.profile);
  if (!target) return complain(target.error());
  const auto access = operator_access(*target);
  if (!access) return complain(access.error());
  auto door = OperatorClient::open(*access, kTraceWithin);
  if (!door) return complain(door.error());
  const auto rungs =
      (*door)->trace(is_id ? id : std::string(), conversation, Seq{seq}, kTraceWithin);
  if (!rungs) return complain(rungs.error());
  if (rungs->empty()) return complain(Errc::kMessageNotFound, "no hop remembers " + id);
  Table table({"hop", "what", "ms", "note"});
  for (const TraceRung& r : *rungs) {
    table.add(
        {r.hop, r.what, fmt::format("{:.2f}", static_cast<double>(r.at_us) / 1'000.0), r.note});
  }
  print(table.text(format));
  return Exit::kOk;
}

}  // namespace hy::cli
