#include "logic/metrics.h"

#include "logic/command/registry.h"

namespace hy::logic {
namespace {

using obs::Labels;

constexpr std::string_view kRequests = "hy_logic_requests_total";
constexpr std::string_view kRequestsHelp = "Commands that got an answer; refusals count too.";
constexpr std::string_view kUnanswered = "hy_logic_unanswered_total";
constexpr std::string_view kUnansweredHelp =
    "Commands without an answer because the outcome is unknown; devices send them again. Look at "
    "das when it grows.";
constexpr std::string_view kAcked = "hy_msg_acked_total";
constexpr std::string_view kAckedHelp =
    "Answers to SEND. relayed or unknown growing: look at das and its store.";
constexpr std::string_view kPush = "hy_logic_push_total";
constexpr std::string_view kPushHelp =
    "Notifications given to a router; again = second replica. Many again: look at the routers.";
constexpr std::string_view kDropped = "hy_logic_push_dropped_total";
constexpr std::string_view kDroppedHelp =
    "Notifications that no router could take; sync brings what they told.";
constexpr std::string_view kLogins = "hy_logic_logins_total";
constexpr std::string_view kLoginsHelp = "Logins by result. Many refused: somebody is trying.";
constexpr std::string_view kAdmin = "hy_logic_admin_calls_total";
constexpr std::string_view kAdminHelp = "Operator calls. refused: a wrong operator token.";

bool is_request_code(Errc code) {
  return code != Errc::kOk && static_cast<int>(code) < 8000;
}

}  // namespace

Metrics::Metrics(obs::Registry& r)
    : queue_seconds_(r.histogram("hy_logic_queue_seconds",
                                 "Wait of a command before it started; p99 over 20 ms: overload.")),
      admission_level_(
          r.gauge("hy_admission_level",
                  "Percent of work that is refused now; above 0: this tier is overloaded.",
                  {{"tier", "logic"}})),
      acked_stored_(r.counter(kAcked, kAckedHelp, {{"ack", "stored"}})),
      acked_relayed_(r.counter(kAcked, kAckedHelp, {{"ack", "relayed"}})),
      acked_unknown_(r.counter(kAcked, kAckedHelp, {{"ack", "unknown"}})),
      repeats_(r.counter("hy_msg_repeats_total",
                         "Sends whose message was stored before; grows with resends.")),
      conflicts_(r.counter("hy_msg_conflicts_total",
                           "Same client_msg_id with other content: a client defect.")),
      stored_seconds_(r.histogram("hy_msg_latency_seconds",
                                  "Time from arrival at logic to the stage.",
                                  obs::latency_buckets(), {{"stage", "stored"}})),
      confirmed_(r.counter("hy_msg_confirmed_total", "Pushes that a device confirmed.")),
      push_sent_(r.counter(kPush, kPushHelp, {{"try", "first"}})),
      push_again_(r.counter(kPush, kPushHelp, {{"try", "again"}})),
      push_no_router_(r.counter(kDropped, kDroppedHelp, {{"reason", "no_router"}})),
      push_full_(r.counter(kDropped, kDroppedHelp, {{"reason", "pending_full"}})),
      push_late_(r.counter("hy_logic_push_late_results_total",
                           "Router answers that came after the push was settled.")),
      push_unanswered_(r.counter("hy_logic_push_unanswered_total",
                                 "Pushes that no router answered in time; look at the routers.")),
      login_token_(r.counter(kLogins, kLoginsHelp, {{"result", "token"}})),
      login_password_(r.counter(kLogins, kLoginsHelp, {{"result", "password"}})),
      login_refused_(r.counter(kLogins, kLoginsHelp, {{"result", "refused"}})),
      kicks_(r.counter("hy_logic_kicks_total", "Sessions ended by a newer sign-in or revoked.")),
      grants_refused_(r.counter("hy_logic_grants_refused_total",
                                "Commands without a valid grant. Not zero: look at that entry.")),
      das_retries_(r.counter("hy_logic_das_retries_total",
                             "Calls sent again to another das; grows when a das goes away.")),
      das_unknown_(
          r.counter("hy_logic_das_unknown_total", "Calls to das whose outcome stayed unknown.")),
      das_full_(r.counter("hy_logic_das_queue_full_total",
                          "Calls refused because the queue to das is full.")),
      store_up_(r.gauge("hy_logic_store_up", "1 while a das says that its store works.")),
      entry_streams_(r.gauge("hy_logic_entry_streams", "Streams that entries hold open here.")),
      admin_calls_(r.counter(kAdmin, kAdminHelp, {{"result", "allowed"}})),
      admin_refused_(r.counter(kAdmin, kAdminHelp, {{"result", "refused"}})) {
  for (const CommandRow& row : command_rows()) {
    const Labels labels{{"command", std::string(row.name)}};
    commands_[row.number] = {&r.counter(kRequests, kRequestsHelp, labels),
                             &r.counter(kUnanswered, kUnansweredHelp, labels)};
  }
  const Labels other{{"command", "unknown"}};
  unknown_command_ = {&r.counter(kRequests, kRequestsHelp, other),
                      &r.counter(kUnanswered, kUnansweredHelp, other)};
  for (const ErrorInfo& info : error_table()) {
    if (!is_request_code(info.code)) continue;
    const Labels labels{{"code", std::string(info.name)}};
    refused_[info.code] = &r.counter("hy_logic_refused_total", "Refusals by code.", labels);
    msg_refused_[info.code] =
        &r.counter("hy_msg_refused_total", "Messages refused, by code.", labels);
  }
  constexpr std::array<std::string_view, 3> kKindNames{"text", "binary", "application"};
  for (std::size_t i = 0; i < kinds_.size(); ++i) {
    kinds_[i] = &r.counter("hy_msg_sent_total", "Messages that devices sent.",
                           {{"kind", std::string(kKindNames[i])}});
  }
  constexpr std::array<std::string_view, 6> kResults{"none",    "written", "queued",
                                                     "offline", "unknown", "acked"};
  for (std::size_t i = 1; i < push_results_.size(); ++i) {
    push_results_[i] = &r.counter("hy_logic_push_results_total",
                                  "Routers' answers. Many unknown: look at the routers.",
                                  {{"result", std::string(kResults[i])}});
  }
}

Metrics::PerCommand& Metrics::command(std::uint16_t type) {
  const auto it = commands_.find(type);
  return it == commands_.end() ? unknown_command_ : it->second;
}

void Metrics::request_answered(std::uint16_t type, Errc code) {
  command(type).answered->add();
  if (code == Errc::kOk) return;
  if (const auto it = refused_.find(code); it != refused_.end()) it->second->add();
}

void Metrics::request_unanswered(std::uint16_t type) {
  command(type).unanswered->add();
}

void Metrics::send_received(std::uint32_t kind) {
  kinds_[kind == 1 || kind == 2 ? kind - 1 : 2]->add();
}

void Metrics::send_stored(std::chrono::nanoseconds took, bool repeat) {
  acked_stored_.add();
  stored_seconds_.observe(took);
  if (repeat) repeats_.add();
}

void Metrics::send_refused(Errc code) {
  if (code == Errc::kConflict) conflicts_.add();
  if (const auto it = msg_refused_.find(code); it != msg_refused_.end()) it->second->add();
}

void Metrics::push_dropped(std::string_view reason) {
  (reason == "no_router" ? push_no_router_ : push_full_).add();
}

void Metrics::push_result(DeliverResult result, std::uint64_t count) {
  const auto index = static_cast<std::size_t>(result);
  if (index > 0 && index < push_results_.size()) push_results_[index]->add(count);
}

}  // namespace hy::logic
