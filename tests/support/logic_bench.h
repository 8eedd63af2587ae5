#pragma once

#include <optional>
#include <string>
#include <utility>

#include "common/wire/refused.h"
#include "logic/command/block.h"
#include "logic/command/dispatcher.h"
#include "logic/command/group.h"
#include "logic/command/history.h"
#include "logic/command/login.h"
#include "logic/command/message_state.h"
#include "logic/command/ping.h"
#include "logic/command/pull.h"
#include "logic/command/read.h"
#include "logic/command/recents.h"
#include "logic/command/send_message.h"
#include "logic/command/sync.h"
#include "logic/command/user_lookup.h"
#include "logic/delivery/receipts.h"
#include "logic/delivery/send_pipeline.h"
#include "logic/delivery/store_return.h"
#include "tests/support/fake_ports.h"

namespace hy::logic::test {

inline constexpr Uid kAlice{1};
inline constexpr Uid kBob{2};
inline const ConversationId kPair = ConversationId::pair(kAlice, kBob);
/// Small, so that a test reaches them.
inline constexpr std::uint32_t kGroupMembersMax = 5;
inline constexpr std::uint32_t kReceiptsUpTo = 3;
inline const EntryId kEntry{1};
inline const ConnId kConn{77};

inline ClientMsgId message_id(std::uint8_t n) {
  ClientMsgId id;
  id.bytes.fill(n);
  return id;
}
inline PairFacts friendly(std::uint64_t version = 1) {
  return {.a_exists = true, .b_exists = true, .member_version = version};
}

/// All of logic's cores over played neighbours, wired as the composition root wires them.
struct LogicBench {
  explicit LogicBench(const Rates::Limits& limits = {}) : rates(limits, 1'000, 1'000) {}
  ~LogicBench() { fifo.close(); }

  HandClock clock;
  SeededRandom random{1};
  obs::Registry registry;
  Metrics metrics{registry};
  FakeReplies replies;
  SessionFifo fifo{4};
  FakeLog log;
  FakeRelations relations;
  FakeGroups groups;
  FakeAccounts accounts;
  FakePasswords passwords;
  FakeRouter router;
  const Secret seed{std::string(32, 's')};

  Deliverer deliverer{router, clock, metrics, {}};
  TraceRing trace{1'024};
  PairFactsCache facts{1'000};
  GroupFactsCache group_facts{1'000};
  GroupDirectory directory{groups, group_facts, clock};
  Rates rates;
  Relay relay{deliverer, facts, clock, {}};
  StoreReturn store_return{deliverer, clock, {}};
  Receipts receipts{deliverer, trace, directory, clock, kReceiptsUpTo};
  SendPipeline pipeline{
      {log, relations, deliverer, relay, store_return, facts, trace, rates, clock, metrics}};
  GroupSend group_send{
      {log, directory, deliverer, relay, store_return, trace, rates, clock, metrics},
      kReceiptsUpTo};
  AuthFence fence{accounts, clock, {}};
  ChangeCounters counters{log, clock, Millis{1'000}};
  Grants grants{seed, std::chrono::seconds{600}};
  TokenDesk tokens{seed, "demo", random};
  Login login{{accounts, passwords, router, log, fence, counters, grants, tokens, clock, metrics},
              {.entries = {"127.0.0.1:14000"}}};
  Ping ping{counters, log, deliverer, clock, {}};
  SendMessage send_message{pipeline, group_send, metrics};
  Read read{log, deliverer, receipts, clock};
  MessageState message_state{log};
  Sync sync{log};
  Pull pull{log};
  History history{log};
  Recents recents{log};
  UserLookup user_lookup{accounts};
  Block block{relations, facts, clock};
  GroupCommands group_commands{groups, directory, deliverer, clock, {kGroupMembersMax}};
  Dispatcher dispatcher{{replies, grants, rates, fence, fifo, clock, metrics},
                        {login, ping, send_message, read, message_state, sync, pull, history,
                         recents, user_lookup, block, group_commands},
                        {}};

  ConnId conn = kConn;  ///< over which commands come

  [[nodiscard]] std::int64_t now_s() const { return clock.wall_ms() / 1'000; }
  /// A session as an entry would carry it after a login here.
  [[nodiscard]] SessionInfo session_of(Uid uid, std::uint32_t auth_epoch = 1,
                                       Slot slot = Slot::kDesktop) const {
    SessionInfo session{.uid = uid, .slot = slot, .auth_epoch = auth_epoch, .conn_counter = 1};
    grants.give(session, kEntry, conn, now_s());
    return session;
  }
  /// Dispatches one command; the number that its answer will carry.
  std::uint64_t forward(std::uint16_t type, Bytes body, std::optional<SessionInfo> session) {
    RequestContext context;
    context.stream = 1;
    context.entry = kEntry;
    context.conn = conn;
    context.forward_id = ++last_forward;
    context.type = type;
    context.request_id = static_cast<std::uint32_t>(last_forward);
    context.session = std::move(session);
    context.arrival = clock.now();
    context.deadline = clock.now() + Millis{3'000};
    context.peer_ip = "192.0.2.1";
    dispatcher.dispatch(std::move(context), std::move(body));
    return last_forward;
  }
  /// forward() and the end of the loop's turn.
  std::uint64_t ask(std::uint16_t type, Bytes body, std::optional<SessionInfo> session) {
    const std::uint64_t id = forward(type, std::move(body), std::move(session));
    turn();
    return id;
  }
  std::uint64_t ask_as(Uid uid, std::uint16_t type, Bytes body) {
    return ask(type, std::move(body), session_of(uid));
  }
  void turn() {
    for (int i = 0; i < 3; ++i) {
      fence.flush();
      counters.flush();
    }
    receipts.flush();
  }
  /// The answer to a command, once it was given.
  [[nodiscard]] const Answer* answer_to(std::uint64_t id) const {
    for (const auto& said : replies.said) {
      if (said.context.forward_id == id) return &said.answer;
    }
    return nullptr;
  }
  /// kOk: answered and not refused. kOutcomeUnknown: no answer.
  [[nodiscard]] Errc code_of(std::uint64_t id) const {
    const Answer* answer = answer_to(id);
    return answer == nullptr ? Errc::kOutcomeUnknown : answer->code;
  }
  template <class Message>
  [[nodiscard]] Message body_of(std::uint64_t id) const {
    Message out;
    const Answer* answer = answer_to(id);
    HY_CHECK(answer != nullptr && out.ParseFromString(answer->body));
    return out;
  }
  [[nodiscard]] wire::Refusal refusal_of(std::uint64_t id) const {
    const Answer* answer = answer_to(id);
    HY_CHECK(answer != nullptr && answer->refused);
    auto refusal = wire::decode_refused(as_bytes(answer->body));
    HY_CHECK(refusal.has_value());
    return *std::move(refusal);
  }
  [[nodiscard]] double metric(std::string_view name, const obs::Labels& labels = {}) const {
    for (const obs::Family& family : registry.collect()) {
      if (family.name != name) continue;
      for (const obs::Sample& sample : family.samples) {
        if (sample.labels == labels) return sample.value;
      }
    }
    return -1;
  }

  std::uint64_t last_forward = 0;
};

}  // namespace hy::logic::test
