#include "logic/rpc/das_client.h"
#include "logic/rpc/das_codec.h"

/// The calls of DasClient, one each: what goes into the envelope, what comes out of the answer.
namespace hy::logic {
namespace pb = hy::das::v1;
namespace {

std::uint64_t hash_of(ConversationId conversation) {
  return std::hash<ConversationId>{}(conversation);
}
std::uint64_t hash_of(Uid uid) {
  return std::hash<Uid>{}(uid);
}

std::unexpected<Error> wrong_answer() {
  return fail(Errc::kInternal, "das answered another question");
}

}  // namespace

/// `pick` turns the answer into a Result<T>.
template <class T, class Pick>
void DasClient::start(Call call, std::uint64_t hash, CallContext context, Done<T> done, Pick pick) {
  start(std::move(call), hash, context,
        CallDone([done = std::move(done), pick](Result<CallAnswer*> answer) mutable {
          if (!answer) return done(std::unexpected(std::move(answer).error()));
          done(pick(**answer));
        }));
}

void DasClient::pull(const PullQuery& query, CallContext context, Done<Slice> done) {
  Call call;
  encode(query, *call.mutable_pull());
  start(std::move(call), hash_of(query.conversation), context, std::move(done),
        [](CallAnswer& a) -> Result<Slice> {
          if (!a.has_slice()) return wrong_answer();
          return slice_of(*a.mutable_slice());
        });
}

void DasClient::find(const FindQuery& query, CallContext context, Done<Found> done) {
  Call call;
  encode(query, *call.mutable_find_message());
  start(std::move(call), hash_of(query.conversation), context, std::move(done),
        [](CallAnswer& a) -> Result<Found> {
          if (!a.has_found_message()) return wrong_answer();
          return found_of(*a.mutable_found_message());
        });
}

void DasClient::mark_read(Uid uid, ConversationId conversation, Seq seq, CallContext context,
                          Done<ReadMarked> done) {
  Call call;
  pb::MarkRead& mark = *call.mutable_mark_read();
  mark.set_uid(uid.value());
  mark.set_conversation(conversation.to_bytes());
  mark.set_seq(seq.value());
  start(std::move(call), hash_of(conversation), context, std::move(done),
        [](CallAnswer& a) -> Result<ReadMarked> {
          if (!a.has_read_marked()) return wrong_answer();
          const pb::ReadMarked& in = a.read_marked();
          return ReadMarked{Seq{in.read_seq()}, in.changed(), Useq{in.useq()}};
        });
}

void DasClient::list(const ConversationsQuery& query, CallContext context,
                     Done<Conversations> done) {
  Call call;
  encode(query, *call.mutable_list_conversations());
  start(std::move(call), hash_of(query.uid), context, std::move(done),
        [](CallAnswer& a) -> Result<Conversations> {
          if (!a.has_conversations()) return wrong_answer();
          return conversations_of(*a.mutable_conversations());
        });
}

void DasClient::change_counters(const std::vector<Uid>& uids, CallContext context,
                                Done<std::vector<std::uint64_t>> done) {
  Call call;
  for (const Uid uid : uids) call.mutable_change_counters()->add_uids(uid.value());
  start(std::move(call), hash_of(uids.front()), context, std::move(done),
        [](CallAnswer& a) -> Result<std::vector<std::uint64_t>> {
          if (!a.has_change_counters()) return wrong_answer();
          const auto& values = a.change_counters().values();
          return std::vector<std::uint64_t>(values.begin(), values.end());
        });
}

void DasClient::open_pair(ConversationId pair, CallContext context, Done<PairFacts> done) {
  Call call;
  call.mutable_open_pair()->set_a(pair.hi);
  call.mutable_open_pair()->set_b(pair.lo);
  start(std::move(call), hash_of(pair), context, std::move(done),
        [](CallAnswer& a) -> Result<PairFacts> {
          if (!a.has_pair_facts()) return wrong_answer();
          return facts_of(a.pair_facts());
        });
}

void DasClient::set_block(Uid uid, Uid peer, bool on, CallContext context, Done<PairFacts> done) {
  Call call;
  call.mutable_set_block()->set_uid(uid.value());
  call.mutable_set_block()->set_peer(peer.value());
  call.mutable_set_block()->set_on(on);
  // das answers in the order of the question; the caller wants the order of the conversation id.
  const bool is_swapped = peer < uid;
  start(std::move(call), hash_of(ConversationId::pair(uid, peer)), context, std::move(done),
        [is_swapped](CallAnswer& a) -> Result<PairFacts> {
          if (!a.has_pair_facts()) return wrong_answer();
          PairFacts facts = facts_of(a.pair_facts());
          if (is_swapped) {
            std::swap(facts.a_exists, facts.b_exists);
            std::swap(facts.a_blocks_b, facts.b_blocks_a);
          }
          return facts;
        });
}

void DasClient::create_group(const NewGroup& group, CallContext context, Done<GroupChanged> done) {
  Call call;
  pb::CreateGroup& out = *call.mutable_create_group();
  out.set_owner(group.owner.value());
  out.set_name(group.name);
  for (const Uid uid : group.members) out.add_members(uid.value());
  out.set_creation_id(group.creation_id);
  out.set_members_max(group.members_max);
  start(std::move(call), hash_of(group.owner), context, std::move(done),
        [](CallAnswer& a) -> Result<GroupChanged> {
          if (!a.has_group_changed()) return wrong_answer();
          return group_changed_of(*a.mutable_group_changed());
        });
}

void DasClient::open_group(Gid gid, CallContext context, Done<GroupFacts> done) {
  Call call;
  call.mutable_open_group()->set_gid(gid.value());
  start(std::move(call), hash_of(ConversationId::group(gid)), context, std::move(done),
        [](CallAnswer& a) -> Result<GroupFacts> {
          if (!a.has_group_facts()) return wrong_answer();
          return facts_of(*a.mutable_group_facts());
        });
}

void DasClient::change_group(const GroupChange& change, CallContext context,
                             Done<GroupChanged> done) {
  Call call;
  pb::ChangeGroup& out = *call.mutable_change_group();
  out.set_gid(change.gid.value());
  out.set_actor(change.actor.value());
  for (const Uid uid : change.add) out.add_add(uid.value());
  for (const Uid uid : change.remove) out.add_remove(uid.value());
  out.set_members_max(change.members_max);
  start(std::move(call), hash_of(ConversationId::group(change.gid)), context, std::move(done),
        [](CallAnswer& a) -> Result<GroupChanged> {
          if (!a.has_group_changed()) return wrong_answer();
          return group_changed_of(*a.mutable_group_changed());
        });
}

void DasClient::begin_login(Uid uid, const std::string& name, const std::string& peer_ip,
                            CallContext context, Done<LoginFacts> done) {
  Call call;
  call.mutable_begin_login()->set_uid(uid.value());
  call.mutable_begin_login()->set_name(name);
  call.mutable_begin_login()->set_peer_ip(peer_ip);
  start(std::move(call), hash_of(uid), context, std::move(done),
        [](CallAnswer& a) -> Result<LoginFacts> {
          if (!a.has_login_facts()) return wrong_answer();
          return login_facts_of(*a.mutable_login_facts());
        });
}

void DasClient::login_failed(Uid uid, const std::string& peer_ip, CallContext context) {
  Call call;
  call.mutable_login_failed()->set_uid(uid.value());
  call.mutable_login_failed()->set_peer_ip(peer_ip);
  start(std::move(call), hash_of(uid), context, CallDone([](const Result<CallAnswer*>&) {}));
}

void DasClient::sign_in(const SignInRequest& request, CallContext context, Done<SignedIn> done) {
  Call call;
  encode(request, *call.mutable_sign_in());
  start(std::move(call), hash_of(request.uid), context, std::move(done),
        [](CallAnswer& a) -> Result<SignedIn> {
          if (!a.has_signed_in()) return wrong_answer();
          const pb::SignedIn& in = a.signed_in();
          return SignedIn{in.auth_epoch(), in.other_installation(), in.name()};
        });
}

void DasClient::auth_epochs(const std::vector<SlotKey>& keys, CallContext context,
                            Done<std::vector<KnownEpoch>> done) {
  Call call;
  pb::AuthEpochs& asked = *call.mutable_auth_epochs();
  for (const SlotKey& key : keys) {
    asked.add_uids(key.uid.value());
    asked.add_slots(static_cast<std::uint32_t>(key.slot));
  }
  start(std::move(call), hash_of(keys.front().uid), context, std::move(done),
        [](CallAnswer& a) -> Result<std::vector<KnownEpoch>> {
          if (!a.has_auth_epochs()) return wrong_answer();
          const pb::AuthEpochValues& in = a.auth_epochs();
          std::vector<KnownEpoch> out;
          for (int i = 0; i < in.values_size(); ++i) {
            out.push_back({in.values(i), i < in.names_size() ? in.names(i) : std::string{}});
          }
          return out;
        });
}

void DasClient::create(const std::vector<NewAccount>& accounts, CallContext context,
                       Done<std::vector<Account>> done) {
  Call call;
  for (const NewAccount& account : accounts) {
    pb::NewAccount& out = *call.mutable_create_accounts()->add_accounts();
    out.set_uid(account.uid.value());
    out.set_name(account.name);
    out.set_password_phc(account.password_phc.reveal());
  }
  start(std::move(call), 0, context, std::move(done),
        [](CallAnswer& a) -> Result<std::vector<Account>> {
          if (!a.has_accounts()) return wrong_answer();
          return accounts_of(a.accounts());
        });
}

void DasClient::find(const std::vector<Uid>& uids, const std::vector<std::string>& names,
                     CallContext context, Done<std::vector<Account>> done) {
  Call call;
  pb::FindAccounts& asked = *call.mutable_find_accounts();
  for (const Uid uid : uids) asked.add_uids(uid.value());
  for (const std::string& name : names) asked.add_names(name);
  start(std::move(call), uids.empty() ? 0 : hash_of(uids.front()), context, std::move(done),
        [](CallAnswer& a) -> Result<std::vector<Account>> {
          if (!a.has_accounts()) return wrong_answer();
          return accounts_of(a.accounts());
        });
}

void DasClient::revoke(Uid uid, Slot slot, CallContext context, Done<bool> done) {
  Call call;
  call.mutable_revoke()->set_uid(uid.value());
  call.mutable_revoke()->set_slot(static_cast<std::uint32_t>(slot));
  start(std::move(call), hash_of(uid), context, std::move(done), [](CallAnswer& a) -> Result<bool> {
    if (!a.has_done()) return wrong_answer();
    return true;
  });
}

}  // namespace hy::logic
