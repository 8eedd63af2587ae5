#include "das/rpc/calls.h"

#include <algorithm>

#include "common/base/limits.h"
#include "common/base/test_hooks.h"
#include "das/rpc/codec.h"

namespace hy::das {
namespace {

/// SYNC may cut the last message's body to this (hy/client/v1/sync.proto).
constexpr std::uint32_t kLastBodyBytesMax = 256;
constexpr std::uint32_t kListRowsMax = 200;
constexpr std::uint32_t kEventsMax = 500;
constexpr std::size_t kTextBytesMax = 256;

std::uint64_t hash_of(Uid uid) {
  return std::hash<Uid>{}(uid);
}
std::uint64_t hash_of(const ConversationId& conv) {
  return std::hash<ConversationId>{}(conv);
}

std::unexpected<Error> malformed(const char* what) {
  return fail(Errc::kMalformedBody, what);
}

DecodedCall read(CallWork work) {
  return {CallPlace::kRead, 0, std::move(work), std::nullopt, std::nullopt};
}
DecodedCall write(std::uint64_t hash, CallWork work) {
  return {CallPlace::kWrite, hash, std::move(work), std::nullopt, std::nullopt};
}

Result<DecodedCall> open_pair(const pb::OpenPair& in) {
  HY_TRY(const Uid a, decode_uid(in.a()));
  HY_TRY(const Uid b, decode_uid(in.b()));
  if (a == b) return malformed("a pair of one");
  return DecodedCall{
      CallPlace::kWrite, hash_of(ConversationId::pair(a, b)), {}, std::nullopt, UidPair{a, b}};
}

Result<DecodedCall> set_block(const pb::SetBlock& in, const CallContext& context) {
  HY_TRY(const Uid uid, decode_uid(in.uid()));
  HY_TRY(const Uid peer, decode_uid(in.peer()));
  if (uid == peer) return malformed("a pair of one");
  return write(hash_of(ConversationId::pair(uid, peer)),
               [uid, peer, on = in.on(), &cache = context.cache](StoreSession& session,
                                                                 pb::CallAnswer& answer) -> Status {
                 HY_TRY(const PairFacts facts, session.membership().set_block(uid, peer, on));
                 cache.changed({&uid, 1});
                 encode(facts, *answer.mutable_pair_facts());
                 return {};
               });
}

constexpr int kGroupTries = 3;

Result<Gid> decode_gid(std::uint64_t value) {
  if (value == 0 || value != cut_number(value)) return malformed("gid");
  return Gid{value};
}

Result<std::vector<Uid>> decode_uids(const google::protobuf::RepeatedField<std::uint64_t>& in) {
  if (in.size() > static_cast<int>(limits::kGroupMembersMax)) return malformed("too many uids");
  std::vector<Uid> out;
  for (const std::uint64_t value : in) {
    HY_TRY(const Uid uid, decode_uid(value));
    out.push_back(uid);
  }
  return out;
}

/// `change` on the session, again when the store's locks were in the way: it left nothing then.
template <class Change>
Status change_members(Change change, CacheStore& cache, pb::CallAnswer& answer) {
  Result<GroupChanged> changed = change();
  for (int tries = 1; !changed && changed.error().code == Errc::kOverloaded && tries < kGroupTries;
       ++tries)
    changed = change();
  if (!changed) return std::unexpected(std::move(changed).error());
  if (changed->event) {
    std::vector<Uid> told = changed->removed;
    for (const GroupMember& member : changed->facts.members) told.push_back(member.uid);
    cache.changed(told);
  }
  encode(std::move(*changed), *answer.mutable_group_changed());
  return {};
}

Result<DecodedCall> create_group(const pb::CreateGroup& in, const CallContext& context) {
  NewGroup group;
  HY_TRY(group.owner, decode_uid(in.owner()));
  HY_TRY(group.members, decode_uids(in.members()));
  if (in.creation_id().size() != group.creation_id.bytes.size()) return malformed("creation_id");
  group.creation_id = ClientMsgId::from_bytes(in.creation_id());
  group.name = in.name();
  group.members_max = in.members_max();
  group.event_body = group_event_body;
  // Two tries of one creation meet in one lane.
  return write(hash_of(group.owner), [group, &cache = context.cache](StoreSession& session,
                                                                     pb::CallAnswer& answer) {
    return change_members([&] { return session.membership().create_group(group); }, cache, answer);
  });
}

Result<DecodedCall> open_group(const pb::OpenGroup& in) {
  HY_TRY(const Gid gid, decode_gid(in.gid()));
  return read([gid](StoreSession& session, pb::CallAnswer& answer) -> Status {
    HY_TRY(const GroupFacts facts, session.membership().group_facts(gid));
    encode(facts, *answer.mutable_group_facts());
    return {};
  });
}

Result<DecodedCall> change_group(const pb::ChangeGroup& in, const CallContext& context) {
  GroupChange change;
  HY_TRY(change.gid, decode_gid(in.gid()));
  HY_TRY(change.actor, decode_uid(in.actor()));
  HY_TRY(change.add, decode_uids(in.add()));
  HY_TRY(change.remove, decode_uids(in.remove()));
  change.members_max = in.members_max();
  change.event_body = group_event_body;
  return write(hash_of(ConversationId::group(change.gid)),
               [change, &cache = context.cache](StoreSession& session, pb::CallAnswer& answer) {
                 return change_members([&] { return session.membership().change_group(change); },
                                       cache, answer);
               });
}

Result<DecodedCall> pull(const pb::Pull& in) {
  PullQuery query;
  HY_TRY(query.uid, decode_uid(in.uid()));
  HY_TRY(query.conv, decode_conversation(in.conversation()));
  query.from = Seq{cut_number(in.from())};
  query.to = Seq{cut_number(in.to())};
  query.last = in.last();
  query.messages_max = limits::kSliceMessagesMax;
  query.bytes_max = limits::kSliceBytesMax;
  return read([query](StoreSession& session, pb::CallAnswer& answer) -> Status {
    HY_TRY(Slice slice, session.messages().pull(query));
    encode(std::move(slice), *answer.mutable_slice());
    return {};
  });
}

Result<DecodedCall> find_message(const pb::FindMessage& in) {
  FindQuery query;
  HY_TRY(query.uid, decode_uid(in.uid()));
  HY_TRY(query.conv, decode_conversation(in.conversation()));
  query.seq = Seq{cut_number(in.seq())};
  if (in.seq() == 0) {
    HY_TRY(query.sender, decode_uid(in.sender()));
    if (in.client_msg_id().size() != query.client_msg_id.bytes.size())
      return malformed("client_msg_id");
    query.client_msg_id = ClientMsgId::from_bytes(in.client_msg_id());
  }
  return read([query](StoreSession& session, pb::CallAnswer& answer) -> Status {
    HY_TRY(FoundMessage found, session.messages().find(query));
    encode(std::move(found.message), *answer.mutable_found_message()->mutable_message());
    answer.mutable_found_message()->set_peer_read_seq(found.peer_read.value());
    return {};
  });
}

Result<DecodedCall> mark_read(const pb::MarkRead& in) {
  ReadMark mark;
  HY_TRY(mark.uid, decode_uid(in.uid()));
  HY_TRY(mark.conv, decode_conversation(in.conversation()));
  mark.seq = Seq{cut_number(in.seq())};
  return DecodedCall{CallPlace::kWrite, hash_of(mark.conv), {}, mark, std::nullopt};
}

std::vector<std::uint64_t> counters_of(CacheStore& cache, std::span<const Uid> uids) {
  if (mutant(Mutant::kStaleCacheServedAsTruth)) return std::vector<std::uint64_t>(uids.size(), 1);
  return cache.change_counters(uids);
}

/// Events up to the head that the page's rows show; the others come with the next SYNC, whose rows
/// show them. Asks the store only when there are some.
Status events_into(StoreSession& session, Uid uid, Useq after, Useq head, pb::Conversations& out) {
  out.set_useq(head.value());
  out.set_too_far(after > head);
  if (after >= head) return {};
  HY_TRY(const UserEvents events, session.user_log().read(uid, after, kEventsMax));
  out.set_too_far(events.too_far);
  if (events.too_far) return {};
  for (const UserEvent& event : events.events) {
    if (event.useq > head) break;
    encode(event, *out.add_events());
    out.set_useq(event.useq.value());
  }
  return {};
}

Status list_into(StoreSession& session, const ListQuery& query, Useq useq, bool with_events,
                 const CallContext& context, pb::CallAnswer& answer) {
  pb::Conversations& out = *answer.mutable_conversations();
  // Before the heads: a counter that moved since makes the device look again, never miss.
  out.set_change_counter(counters_of(context.cache, {&query.uid, 1}).front());
  sync_point("das.sync_after_counter_before_heads");
  HY_TRY(ConversationPage page, session.membership().list_conversations(query));
  if (with_events) {
    HY_TRY_VOID(events_into(session, query.uid, useq, page.useq_head, out));
  }
  for (ConversationRow& row : page.rows) {
    if (row.last) cut_body(row.last->kind, kLastBodyBytesMax, row.last->body);
    encode(std::move(row), *out.add_rows());
  }
  context.state.readings.note(page.store_ms);
  out.set_store_ms(page.store_ms);
  out.set_more(page.more);
  out.set_store_epoch(context.state.store_epoch.load(std::memory_order_relaxed));
  out.set_clock_steps(context.state.clock_steps.load(std::memory_order_relaxed));
  return {};
}

Result<DecodedCall> list_conversations(const pb::ListConversations& in,
                                       const CallContext& context) {
  ListQuery query;
  HY_TRY(query.uid, decode_uid(in.uid()));
  query.since_ms = std::max<std::int64_t>(in.since_ms(), 0);
  query.before_ms = std::max<std::int64_t>(in.before_ms(), 0);
  query.limit = in.limit() == 0 ? kListRowsMax : std::min(in.limit(), kListRowsMax);
  query.newest_first = in.newest_first();
  // One byte over, so that a cut knows whether it falls inside a character.
  query.last_body_bytes_max = kLastBodyBytesMax + 1;
  if (!in.page_after().empty()) {
    HY_TRY(query.page_after, decode_conversation(in.page_after()));
  }
  const Useq useq{cut_number(in.useq())};
  return read([query, useq, with_events = in.with_events(), context](
                  StoreSession& session, pb::CallAnswer& answer) -> Status {
    return list_into(session, query, useq, with_events, context, answer);
  });
}

Result<DecodedCall> change_counters(const pb::ChangeCounters& in, const CallContext& context) {
  if (in.uids_size() > static_cast<int>(limits::kIdsPerRequestMax)) return malformed("uids");
  std::vector<Uid> uids;
  for (const std::uint64_t uid : in.uids()) uids.emplace_back(cut_number(uid));
  return read([uids = std::move(uids), context](StoreSession&, pb::CallAnswer& answer) -> Status {
    pb::ChangeCounterValues& out = *answer.mutable_change_counters();
    for (const std::uint64_t value : counters_of(context.cache, uids)) out.add_values(value);
    out.set_store_epoch(context.state.store_epoch.load(std::memory_order_relaxed));
    out.set_clock_steps(context.state.clock_steps.load(std::memory_order_relaxed));
    return {};
  });
}

Result<DecodedCall> create_accounts(const pb::CreateAccounts& in) {
  if (in.accounts_size() == 0 || in.accounts_size() > static_cast<int>(limits::kIdsPerRequestMax))
    return malformed("1 to 500 accounts");
  std::vector<NewAccount> accounts;
  for (const pb::NewAccount& account : in.accounts())
    accounts.push_back({Uid{cut_number(account.uid())}, account.name(), account.password_phc()});
  return write(
      0, [accounts = std::move(accounts)](StoreSession& session, pb::CallAnswer& answer) -> Status {
        HY_TRY(const auto made, session.accounts().create(accounts));
        for (std::size_t i = 0; i < made.size(); ++i) {
          pb::Account& out = *answer.mutable_accounts()->add_accounts();
          out.set_name(accounts[i].name);
          out.set_uid((made[i] ? *made[i] : accounts[i].uid).value());
          if (!made[i]) encode(made[i].error(), *out.mutable_failure());
        }
        return {};
      });
}

Result<DecodedCall> find_accounts(const pb::FindAccounts& in) {
  if (in.uids_size() + in.names_size() > static_cast<int>(limits::kIdsPerRequestMax))
    return malformed("at most 500 uids and names");
  std::vector<Uid> uids;
  for (const std::uint64_t uid : in.uids()) uids.emplace_back(cut_number(uid));
  return read([uids = std::move(uids),
               names = std::vector<std::string>(in.names().begin(), in.names().end())](
                  StoreSession& session, pb::CallAnswer& answer) -> Status {
    HY_TRY(auto rows, session.accounts().find(uids, names));
    pb::Accounts& out = *answer.mutable_accounts();
    for (AccountRow& row : rows) {
      pb::Account& account = *out.add_accounts();
      account.set_uid(row.uid.value());
      account.set_name(std::move(row.name));
    }
    return {};
  });
}

Result<DecodedCall> begin_login(const pb::BeginLogin& in) {
  if (in.name().size() > kTextBytesMax || in.peer_ip().size() > kTextBytesMax)
    return malformed("name or peer_ip");
  const LoginAttempt attempt{Uid{cut_number(in.uid())}, in.name(), in.peer_ip()};
  const std::uint64_t hash = std::hash<std::string>{}(attempt.name) ^ hash_of(attempt.uid);
  return write(hash, [attempt](StoreSession& session, pb::CallAnswer& answer) -> Status {
    HY_TRY(const LoginFacts facts, session.accounts().begin_login(attempt));
    pb::LoginFacts& out = *answer.mutable_login_facts();
    out.set_uid(facts.uid.value());
    out.set_name(facts.name);
    out.set_password_phc(facts.password_phc);
    out.set_retry_after_ms(static_cast<std::uint32_t>(facts.locked.count()));
    return {};
  });
}

Result<DecodedCall> login_failed(const pb::LoginFailed& in) {
  if (in.peer_ip().size() > kTextBytesMax) return malformed("peer_ip");
  const Uid uid{cut_number(in.uid())};
  return write(hash_of(uid),
               [uid, ip = in.peer_ip()](StoreSession& session, pb::CallAnswer& answer) -> Status {
                 HY_TRY_VOID(session.accounts().login_failed(uid, ip));
                 answer.mutable_done();
                 return {};
               });
}

Result<DecodedCall> sign_in(const pb::SignIn& in) {
  SignIn request;
  HY_TRY(request.uid, decode_uid(in.uid()));
  HY_TRY(request.slot, decode_slot(in.slot()));
  request.device_id = in.device_id();
  request.device_name = in.device_name();
  request.password_phc = in.password_phc();
  if (request.device_id.empty() || request.device_id.size() > limits::kDeviceIdBytesMax ||
      request.device_name.size() > kTextBytesMax || request.password_phc.size() > kTextBytesMax)
    return malformed("device_id, device_name or password_phc");
  return write(hash_of(request.uid),
               [request](StoreSession& session, pb::CallAnswer& answer) -> Status {
                 HY_TRY(const SignedIn signed_in, session.accounts().sign_in(request));
                 pb::SignedIn& out = *answer.mutable_signed_in();
                 out.set_auth_epoch(signed_in.auth_epoch);
                 out.set_other_installation(signed_in.other_installation);
                 out.set_name(signed_in.name);
                 return {};
               });
}

Result<DecodedCall> auth_epochs(const pb::AuthEpochs& in) {
  if (in.uids_size() != in.slots_size() ||
      in.uids_size() > static_cast<int>(limits::kIdsPerRequestMax))
    return malformed("uids and slots");
  std::vector<UidSlot> of;
  for (int i = 0; i < in.uids_size(); ++i) {
    HY_TRY(const Slot slot, decode_slot(in.slots(i)));
    of.push_back({Uid{cut_number(in.uids(i))}, slot});
  }
  return read([of = std::move(of)](StoreSession& session, pb::CallAnswer& answer) -> Status {
    HY_TRY(const auto values, session.accounts().auth_epochs(of));
    pb::AuthEpochValues& out = *answer.mutable_auth_epochs();
    for (const AuthEpoch& epoch : values) {
      out.add_values(epoch.value);
      out.add_names(epoch.name);
    }
    return {};
  });
}

Result<DecodedCall> revoke(const pb::Revoke& in) {
  HY_TRY(const Uid uid, decode_uid(in.uid()));
  std::optional<Slot> slot;
  if (in.slot() != 0) {
    HY_TRY(slot, decode_slot(in.slot()));
  }
  return write(hash_of(uid), [uid, slot](StoreSession& session, pb::CallAnswer& answer) -> Status {
    HY_TRY_VOID(session.accounts().revoke(uid, slot));
    answer.mutable_done();
    return {};
  });
}

}  // namespace

Result<DecodedCall> decode_call(pb::Call&& call, const CallContext& context) {
  switch (call.op_case()) {
    case pb::Call::kOpenPair: return open_pair(call.open_pair());
    case pb::Call::kSetBlock: return set_block(call.set_block(), context);
    case pb::Call::kCreateGroup: return create_group(call.create_group(), context);
    case pb::Call::kOpenGroup: return open_group(call.open_group());
    case pb::Call::kChangeGroup: return change_group(call.change_group(), context);
    case pb::Call::kPull: return pull(call.pull());
    case pb::Call::kFindMessage: return find_message(call.find_message());
    case pb::Call::kMarkRead: return mark_read(call.mark_read());
    case pb::Call::kListConversations:
      return list_conversations(call.list_conversations(), context);
    case pb::Call::kChangeCounters: return change_counters(call.change_counters(), context);
    case pb::Call::kCreateAccounts: return create_accounts(call.create_accounts());
    case pb::Call::kFindAccounts: return find_accounts(call.find_accounts());
    case pb::Call::kBeginLogin: return begin_login(call.begin_login());
    case pb::Call::kLoginFailed: return login_failed(call.login_failed());
    case pb::Call::kSignIn: return sign_in(call.sign_in());
    case pb::Call::kAuthEpochs: return auth_epochs(call.auth_epochs());
    case pb::Call::kRevoke: return revoke(call.revoke());
    case pb::Call::OP_NOT_SET: break;
  }
  return fail(Errc::kUnknownCommand, "a call that this das does not know");
}

RpcCall::RpcCall(std::uint64_t id, MonoTime deadline, DecodedCall decoded,
                 const CallContext& context, Send send)
    : StoreCall(deadline), decoded_(std::move(decoded)), context_(context), send_(std::move(send)) {
  answer_.set_id(id);
}

Status RpcCall::run(StoreSession& session) {
  answer_.clear_failure();
  answer_.clear_answer();
  Status done = decoded_.work(session, answer_);
  if (!done) refuse(done.error());
  return done;
}

void RpcCall::refuse(const Error& why) {
  answer_.clear_answer();
  encode(why, *answer_.mutable_failure());
}

void RpcCall::marked(const Result<ReadMarked>& answer) {
  if (!answer) {
    refuse(answer.error());
    return;
  }
  if (answer->changed) context_.cache.changed({&decoded_.read_mark->uid, 1});
  pb::ReadMarked& out = *answer_.mutable_read_marked();
  out.set_read_seq(answer->read_seq.value());
  out.set_changed(answer->changed);
  out.set_useq(answer->useq.value());
}

void RpcCall::opened(const PairFacts& facts) {
  encode(facts, *answer_.mutable_pair_facts());
}

}  // namespace hy::das
