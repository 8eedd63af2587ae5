// Every command body through logic, over played neighbours: whatever a client sends, one answer or
// none, never an exception, who asks is the grant's user alone, and memory stays a small multiple
// of the input.
#include "common/base/limits.h"
#include "hy/client/v1/command.pb.h"
#include "hy/client/v1/login.pb.h"
#include "hy/client/v1/message.pb.h"
#include "hy/client/v1/sync.pb.h"
#include "tests/fuzz/heap_meter.h"
#include "tests/fuzz/target.h"
#include "tests/support/logic_bench.h"

namespace hy::fuzz {
namespace {

namespace pb = hy::client::v1;
using namespace hy::logic::test;  // NOLINT: the bench's names are the vocabulary here
using logic::SessionInfo;

/// A frame is at most 65,535 bytes; a refused one costs next to nothing, an accepted one its parsed
/// form and copies of it.
constexpr std::size_t kHeapPerInput = 8;
constexpr std::size_t kHeapBase = 64 * 1'024;

/// How much right the session has.
enum class Standing : std::uint8_t { kGood, kNobody, kForged, kOtherEntry, kExpired, kStale };

std::optional<SessionInfo> session_of(LogicBench& bench, Standing standing) {
  SessionInfo good = bench.session_of(kAlice);
  switch (standing) {
    case Standing::kGood: return good;
    case Standing::kNobody: return std::nullopt;
    case Standing::kForged: good.uid = kBob; return good;
    case Standing::kOtherEntry:
      bench.grants.give(good, EntryId{2}, kConn, bench.now_s());
      return good;
    case Standing::kExpired: good.grant_expires_s = bench.now_s() - 1'000; return good;
    case Standing::kStale:
      good.auth_epoch = 1;
      bench.accounts.epochs[{kAlice, good.slot}] = 2;
      return bench.session_of(kAlice);
  }
  return std::nullopt;
}

const Gid kHerGroup{7};

/// Of the groups that exist she is in one.
logic::GroupFacts group_of(Gid gid) {
  logic::GroupFacts out{.gid = gid, .name = "club", .members = {}, .member_version = 1};
  if (gid == kHerGroup) out.members.push_back({kAlice, true, Seq{1}});
  out.members.push_back({kBob, false, Seq{1}});
  return out;
}

/// Rights: what reached a neighbour is about the one who asked.
void check_whose(const LogicBench& bench) {
  for (const auto& a : bench.log.appends) {
    law(a.query->sender == kAlice, "a message's sender is the session's user");
    // Into a group only after its facts named her: in the played world she is in no other.
    law(a.query->conversation.has(kAlice) ||
            a.query->conversation == ConversationId::group(kHerGroup),
        "one writes to own conversations");
    law(a.query->body.size() <= limits::kMessageBodyBytesMax, "a message has a size");
  }
  for (const auto& q : bench.log.pulls) {
    law(q.query.uid == kAlice, "one pulls as oneself: the store checks membership of this user");
  }
  for (const auto& q : bench.log.finds) law(q.query.uid == kAlice, "one asks as oneself");
  for (const auto& q : bench.log.marks_asked) law(q.query.uid == kAlice, "one marks as oneself");
  for (const auto& q : bench.log.lists) {
    law(q.query.uid == kAlice && q.query.limit <= limits::kSliceMessagesMax, "own pages, bounded");
  }
  for (const auto& q : bench.log.counters) {
    for (const Uid uid : q.query) law(uid == kAlice, "one's own counter");
  }
  for (const auto& q : bench.relations.blocks) law(q.query.uid == kAlice, "one blocks as oneself");
  for (const auto& q : bench.relations.opens) law(q.query.has(kAlice), "facts of own pairs");
  for (const auto& q : bench.groups.creates) {
    law(q.query.owner == kAlice, "one makes groups of one's own");
    law(q.query.members.size() < kGroupMembersMax, "a group has a size");
  }
  for (const auto& q : bench.groups.changes) law(q.query.actor == kAlice, "one acts as oneself");
  for (const auto& q : bench.accounts.finds) {
    law(q.query.uids.size() + q.query.names.size() <= limits::kIdsPerRequestMax,
        "lists are capped");
  }
  law(bench.router.kicks.empty() && bench.accounts.revokes.empty() &&
          bench.accounts.creates.empty(),
      "no command of a client is an operator's");
}

/// The neighbours answer something plausible, so that the second half of a command runs too.
void answer_neighbours(LogicBench& bench, std::uint8_t how) {
  const auto fail_with = [&](auto& questions) {
    while (!questions.empty())
      take(questions).fail_with(how % 3 == 1 ? Errc::kStoreDown : Errc::kNotMember);
  };
  for (int round = 0; round < 3; ++round) {
    if (how % 3 != 0) {
      fail_with(bench.log.appends);
      fail_with(bench.log.pulls);
      fail_with(bench.log.finds);
      fail_with(bench.log.marks_asked);
      fail_with(bench.log.lists);
      fail_with(bench.log.counters);
      fail_with(bench.relations.opens);
      fail_with(bench.relations.blocks);
      fail_with(bench.groups.creates);
      fail_with(bench.groups.opens);
      fail_with(bench.groups.changes);
      fail_with(bench.accounts.begins);
      fail_with(bench.accounts.finds);
      bench.turn();
      continue;
    }
    while (!bench.relations.opens.empty()) take(bench.relations.opens).answer(friendly());
    while (!bench.relations.blocks.empty()) take(bench.relations.blocks).answer(friendly(2));
    while (!bench.groups.creates.empty()) {
      take(bench.groups.creates).answer({.facts = group_of(kHerGroup)});
    }
    while (!bench.groups.opens.empty()) {
      auto asked = take(bench.groups.opens);
      asked.answer(group_of(asked.query));
    }
    while (!bench.groups.changes.empty()) {
      auto asked = take(bench.groups.changes);
      asked.answer({.facts = group_of(asked.query.gid), .event = logic::StoredMessage{}});
    }
    check_whose(bench);
    while (!bench.log.appends.empty()) take(bench.log.appends).answer({Seq{1}, 1'000, false});
    while (!bench.log.pulls.empty()) take(bench.log.pulls).answer({});
    while (!bench.log.finds.empty()) take(bench.log.finds).answer({});
    while (!bench.log.marks_asked.empty())
      take(bench.log.marks_asked).answer({Seq{1}, true, Useq{1}});
    while (!bench.log.lists.empty()) take(bench.log.lists).answer({});
    while (!bench.log.counters.empty()) {
      auto asked = take(bench.log.counters);
      asked.done(std::vector<std::uint64_t>(asked.query.size(), 1));
    }
    while (!bench.accounts.begins.empty()) {
      auto asked = take(bench.accounts.begins);
      law(asked.query.name.size() <= limits::kBodyBeforeLoginMax, "a name of a login is short");
      asked.answer({.uid = kAlice, .name = "alice", .password_phc = Secret("phc")});
    }
    while (!bench.accounts.finds.empty()) take(bench.accounts.finds).answer({});
    bench.turn();
  }
  // Passwords: always wrong here, so nobody may get in by what the fuzzer writes.
  while (!bench.passwords.verifies.empty()) take(bench.passwords.verifies).answer({});
  bench.turn();
}

void run(ByteView input) {
  Reader reader(input);
  const auto rows = logic::command_rows();
  const std::uint8_t which = reader.u8();
  const std::uint16_t type = which < 0xf0 ? rows[which % rows.size()].number : reader.u16();
  const std::uint8_t flags = reader.u8();
  const auto standing = static_cast<Standing>((flags & 7) % 6);
  LogicBench bench;
  bench.log.is_store_up = (flags & 0x10) == 0;
  const auto session = session_of(bench, standing);
  const Bytes body = copy_of(reader.rest());
  std::size_t used = 0;
  std::uint64_t id = 0;
  {
    const HeapMeter meter;
    id = bench.forward(type, body, session);
    bench.turn();
    used = meter.peak();
  }
  law(used == 0 || used <= kHeapBase + kHeapPerInput * body.size(), "memory is bounded by input");
  check_whose(bench);
  const logic::CommandRow* row = logic::find_command(type);
  const bool may = row != nullptr && (!row->needs_session || standing == Standing::kGood);
  if (!may) {
    law(bench.answer_to(id) != nullptr && bench.answer_to(id)->refused,
        "no right: refused at once");
    law(bench.log.appends.empty() && bench.log.pulls.empty() && bench.log.lists.empty() &&
            bench.log.marks_asked.empty() && bench.log.finds.empty() &&
            bench.relations.blocks.empty() && bench.relations.opens.empty() &&
            bench.groups.creates.empty() && bench.groups.opens.empty() &&
            bench.groups.changes.empty() && bench.accounts.finds.empty() &&
            bench.accounts.begins.empty(),
        "no right: no neighbour hears of it");
    return;
  }
  answer_neighbours(bench, flags >> 5);
  check_whose(bench);
  std::size_t answers = 0;
  for (const auto& said : bench.replies.said) {
    if (said.context.forward_id != id) continue;
    ++answers;
    law(!said.answer.refused || said.answer.code != Errc::kOk, "a refusal has a code");
    law(said.answer.body.size() <= limits::kInnerBodyBytesMax, "an answer fits a frame");
    law(type != pb::LOGIN || said.answer.refused, "a wrong password opens nothing");
  }
  law(answers <= 1, "at most one answer");
}

Bytes seed_of(std::uint16_t type, std::uint8_t flags, const Bytes& body) {
  const auto rows = logic::command_rows();
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (rows[i].number == type) {
      return Bytes{static_cast<char>(i), static_cast<char>(flags)} + body;
    }
  }
  return {};
}

Bytes send_body() {
  pb::SendRequest send;
  send.set_client_msg_id(Bytes(16, '\x11'));
  send.set_to_uid(2);
  send.set_kind(1);
  send.set_body("hello");
  send.set_try_number(1);
  return send.SerializeAsString();
}

Bytes login_body() {
  pb::LoginRequest login;
  login.set_name("alice");
  login.set_password("password");
  login.set_slot(1);
  login.set_device_id("device");
  login.set_conn_counter(1);
  login.set_client_version("0.1");
  login.set_device_name("phone");
  return login.SerializeAsString();
}

std::vector<Seed> seeds() {
  std::vector<Seed> out;
  const auto add = [&](const std::string& name, std::uint16_t type, const Bytes& body,
                       std::uint8_t flags = 0) {
    out.emplace_back(name, seed_of(type, flags, body));
  };
  const Bytes pair = kPair.to_bytes();
  add("login-password", pb::LOGIN, login_body(), 1);
  pb::LoginRequest token;
  token.set_token(Bytes("HYT1") + Bytes(140, '\0'));
  token.set_uid(1);
  token.set_slot(3);
  token.set_device_id("device");
  token.set_conn_counter(2);
  add("login-token", pb::LOGIN, token.SerializeAsString(), 1);
  add("logout", pb::LOGOUT, "");
  add("ping", pb::PING, "");
  for (std::uint8_t standing = 0; standing < 6; ++standing) {
    add("send-standing-" + std::to_string(standing), pb::SEND, send_body(), standing);
  }
  add("send-store-down", pb::SEND, send_body(), 0x10);
  add("send-refused", pb::SEND, send_body(), 0x40);
  pb::SendRequest after;
  after.ParseFromString(send_body());
  after.set_after_client_msg_id(Bytes(16, '\x10'));
  add("send-after", pb::SEND, after.SerializeAsString());
  after.set_to_uid(1);
  add("send-self", pb::SEND, after.SerializeAsString());
  pb::ReadRequest read;
  read.set_conversation(pair);
  read.set_seq(3);
  add("read", pb::READ, read.SerializeAsString());
  pb::MessageStateRequest state;
  state.set_conversation(pair);
  state.set_client_msg_id(Bytes(16, '\x11'));
  add("message-state", pb::MESSAGE_STATE, state.SerializeAsString());
  pb::SyncRequest sync;
  sync.set_since(1'000);
  sync.set_useq(2);
  add("sync", pb::SYNC, sync.SerializeAsString());
  sync.set_page_after(pair);
  add("sync-page", pb::SYNC, sync.SerializeAsString());
  pb::PullRequest pull;
  pull.set_conversation(pair);
  pull.set_from(1);
  add("pull", pb::PULL, pull.SerializeAsString());
  pull.set_conversation(ConversationId{5, 6}.to_bytes());
  add("pull-stranger", pb::PULL, pull.SerializeAsString());
  pb::HistoryRequest history;
  history.set_conversation(pair);
  history.set_last(50);
  add("history", pb::HISTORY, history.SerializeAsString());
  pb::RecentsRequest recents;
  recents.set_limit(200);
  add("recents", pb::RECENTS, recents.SerializeAsString());
  pb::UserLookupRequest lookup;
  for (std::uint64_t i = 1; i < 40; ++i) lookup.add_uids(i);
  lookup.add_names("bob");
  lookup.add_names("caf\u00e9");
  add("lookup", pb::USER_LOOKUP, lookup.SerializeAsString());
  pb::BlockRequest block;
  block.set_uid(2);
  block.set_blocked(true);
  add("block", pb::BLOCK, block.SerializeAsString());
  out.emplace_back("unknown-command", Bytes{'\xff', '\0', '\x7f', '\x7f'});
  return out;
}

HY_FUZZ_TARGET(command, run, seeds, 20'480);

}  // namespace
}  // namespace hy::fuzz
