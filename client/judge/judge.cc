#include "client/judge/judge.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "client/judge/cursor.h"
#include "client/judge/display.h"
#include "client/judge/durability.h"
#include "client/judge/log.h"
#include "client/judge/prompt.h"
#include "client/judge/reads.h"
#include "client/judge/receipts.h"
#include "client/judge/revoked.h"
#include "client/judge/sessions.h"
#include "client/judge/speed.h"
#include "client/judge/tapped.h"

namespace hy::judge {
namespace {

constexpr std::array kCheckers{
    check_loss,   check_honest, check_dup,    check_order, check_agree,   check_fifo,
    check_ryw,    check_cursor, check_gap,    check_sync,  check_receipt, check_unread,
    check_kick,   check_pres,   check_acl,    check_avail, check_flow,    check_recover,
    check_prompt, check_wire,   check_replay, check_revoke};

void look_at_histories(const Evidence& evidence, std::vector<Gap>& out) {
  if (evidence.histories.empty()) out.push_back({Missing::kNoHistory, "no client wrote anything"});
  FlatSet<DeviceKey> devices;
  bool has_sent = false;
  bool has_answer = false;
  for (const History& history : evidence.histories) {
    const std::string name = device_text(history.device());
    if (!history.has_end()) out.push_back({Missing::kClientEnd, name + ": the file has no end"});
    if (!devices.insert(history.device()).second)
      out.push_back({Missing::kBrokenHistory, name + ": two files of one device"});
    Nanos last = std::numeric_limits<Nanos>::min();
    bool falls = false;
    for (const Event& e : history.events()) {
      falls = falls || e.at < last;
      last = e.at;
      has_sent = has_sent || e.ev == Ev::kSendInvoke;
      has_answer = has_answer || e.ev == Ev::kSendOk;
    }
    if (falls) out.push_back({Missing::kBrokenHistory, name + ": time falls"});
  }
  if (evidence.histories.empty()) return;
  if (!has_sent)
    out.push_back({Missing::kNoMessage, "nothing was sent"});
  else if (!has_answer)
    out.push_back({Missing::kNoMessage, "nothing was acknowledged"});
}

void look_at_taps(const WireEvidence& wire, std::vector<Gap>& out) {
  const auto has_data = [](const TappedConnection& tap) {
    const auto is_data = [](const TappedFrame& f) { return f.kind == TappedFrame::Kind::kData; };
    return std::ranges::any_of(tap.to_server, is_data) &&
           std::ranges::any_of(tap.to_client, is_data);
  };
  if (std::ranges::none_of(wire.taps, has_data))
    out.push_back({Missing::kTap, "no tapped connection carried anything"});
  if (wire.canaries.empty()) out.push_back({Missing::kTap, "nothing to look for on the lines"});
  if (std::ranges::none_of(wire.playbacks, &Playback::met_handshake))
    out.push_back({Missing::kTap, "no entry answered a handshake that was played again"});
}

std::vector<Gap> missing_in(const Evidence& evidence, const Rules& rules) {
  std::vector<Gap> out;
  look_at_histories(evidence, out);
  if (rules.needs_store && !evidence.has_store)
    out.push_back({Missing::kStoreDump, "the stores were not read"});
  if (rules.needs_placement && (!evidence.has_placement || evidence.dumped_at == 0))
    out.push_back({Missing::kPlacement, "routers and entries were not read"});
  if (evidence.wire) look_at_taps(*evidence.wire, out);
  for (const FaultWindow& fault : evidence.faults) {
    if (!fault.was_felt) out.push_back({Missing::kFaultNotFelt, fault.kind + " did nothing"});
  }
  return out;
}

}  // namespace

std::string_view missing_name(Missing missing) {
  static constexpr std::array<std::string_view, 8> kNames{"no history",
                                                          "client without end",
                                                          "broken history",
                                                          "no dump of the stores",
                                                          "no dump of routers and entries",
                                                          "no message",
                                                          "fault not felt",
                                                          "tapped lines"};
  return kNames[static_cast<std::size_t>(missing)];
}

std::uint64_t Verdict::found() const {
  std::uint64_t n = 0;
  for (const Report& report : reports) n += report.found;
  return n;
}

Outcome Verdict::outcome() const {
  if (!missing.empty()) return Outcome::kNoVerdict;
  return found() == 0 ? Outcome::kClean : Outcome::kViolations;
}

int Verdict::exit_code() const {
  switch (outcome()) {
    case Outcome::kClean: return 0;
    case Outcome::kViolations: return 4;
    case Outcome::kNoVerdict: return 8;
  }
  return 8;
}

std::vector<Violation> Verdict::violations() const {
  std::vector<Violation> out;
  for (const Report& report : reports)
    out.insert(out.end(), report.violations.begin(), report.violations.end());
  return out;
}

std::string Verdict::text(std::size_t max) const {
  std::string out;
  for (const Report& report : reports) {
    out += fmt::format("{:<10} {:>12} {}{}\n", report.checker, report.looked_at, report.unit,
                       report.found == 0 ? "" : fmt::format(": {} VIOLATIONS", report.found));
    for (std::size_t i = 0; i < report.violations.size() && i < max; ++i)
      out += fmt::format("           {}\n", report.violations[i].text);
  }
  for (const Gap& gap : missing)
    out += fmt::format("missing    {}: {}\n", missing_name(gap.what), gap.text);
  switch (outcome()) {
    case Outcome::kClean: out += "clean\n"; break;
    case Outcome::kViolations: out += fmt::format("NOT CLEAN: {} violations\n", found()); break;
    case Outcome::kNoVerdict: out += "no verdict\n"; break;
  }
  return out;
}

Verdict judge(const Evidence& evidence, const Rules& rules) {
  Verdict out;
  out.missing = missing_in(evidence, rules);
  const Case c(evidence, rules);
  for (const auto check : kCheckers) out.reports.push_back(check(c));
  return out;
}

}  // namespace hy::judge
