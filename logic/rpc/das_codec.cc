#include "logic/rpc/das_codec.h"

#include <algorithm>

#include "logic/ports/id_bytes.h"

namespace hy::logic {
namespace pb = hy::das::v1;
namespace {

constexpr std::size_t kIdBytes = 16;

std::unexpected<Error> broken(std::string_view what) {
  return fail(Errc::kInternal, "das: " + std::string(what));
}

Result<StoredMessage> message_of(pb::StoredMessage& in) {
  if (in.conversation().size() != kIdBytes || in.client_msg_id().size() != kIdBytes) {
    return broken("message ids");
  }
  StoredMessage out;
  out.conversation = ConversationId::from_bytes(in.conversation());
  out.seq = Seq{in.seq()};
  out.sender = Uid{in.sender()};
  out.client_msg_id = ClientMsgId::from_bytes(in.client_msg_id());
  out.kind = in.kind();
  out.body = std::move(*in.mutable_body());
  out.server_ms = in.server_ms();
  return out;
}

Result<ConversationRow> row_of(pb::ConversationRow& in) {
  if (in.conversation().size() != kIdBytes) return broken("conversation id");
  ConversationRow out;
  out.conversation = ConversationId::from_bytes(in.conversation());
  out.head = Seq{in.head_seq()};
  out.head_ms = in.head_ms();
  out.read = Seq{in.read_seq()};
  out.peer_read = Seq{in.peer_read_seq()};
  out.unread = in.unread();
  if (in.has_last()) {
    HY_TRY(out.last, message_of(*in.mutable_last()));
  }
  out.group_name = std::move(*in.mutable_group_name());
  out.join_seq = Seq{in.join_seq()};
  return out;
}

}  // namespace

Error error_of(const hy::common::v1::Failure& failure) {
  return {static_cast<Errc>(failure.code()), failure.detail(), Millis{failure.retry_after_ms()}};
}

void encode(const AppendRequest& request, pb::Append& out) {
  put_id(request.conversation, *out.mutable_conversation());
  out.set_sender(request.sender.value());
  put_id(request.client_msg_id, *out.mutable_client_msg_id());
  out.set_payload_hash(request.payload_hash.data(), request.payload_hash.size());
  out.set_kind(request.kind);
  out.set_body(request.body);
  out.set_countable(request.countable);
  out.set_member_version(request.member_version);
  if (request.after) put_id(*request.after, *out.mutable_after_client_msg_id());
  out.set_trace(request.call.trace.value());
  out.set_dyed(request.dyed);
  if (request.tell)
    for (const Uid uid : *request.tell) out.add_tell(uid.value());
}

Appended appended_of(const pb::AppendAnswer& answer) {
  return {.seq = Seq{answer.seq()},
          .server_ms = answer.server_ms(),
          .repeat = answer.repeat(),
          .lane_wait_us = answer.lane_wait_us(),
          .commit_us = answer.commit_us(),
          .batch = answer.batch()};
}

void encode(const PullQuery& query, pb::Pull& out) {
  out.set_uid(query.uid.value());
  out.set_conversation(query.conversation.to_bytes());
  out.set_from(query.from);
  out.set_to(query.to);
  out.set_last(query.last);
}

void encode(const FindQuery& query, pb::FindMessage& out) {
  out.set_uid(query.uid.value());
  out.set_conversation(query.conversation.to_bytes());
  out.set_sender(query.sender.value());
  if (query.client_msg_id) out.set_client_msg_id(query.client_msg_id->to_bytes());
  out.set_seq(query.seq);
}

void encode(const ConversationsQuery& query, pb::ListConversations& out) {
  out.set_uid(query.uid.value());
  out.set_since_ms(query.since_ms);
  out.set_useq(query.useq);
  if (query.page_after) out.set_page_after(query.page_after->to_bytes());
  out.set_limit(query.limit);
  out.set_newest_first(query.newest_first);
  out.set_before_ms(query.before_ms);
  out.set_with_events(query.with_events);
}

void encode(const SignInRequest& request, pb::SignIn& out) {
  out.set_uid(request.uid.value());
  out.set_slot(static_cast<std::uint32_t>(request.slot));
  out.set_device_id(request.device_id);
  out.set_device_name(request.device_name);
  out.set_password_phc(request.password_phc.reveal());
}

PairFacts facts_of(const pb::PairFacts& in) {
  return {.a_exists = in.a_exists(),
          .b_exists = in.b_exists(),
          .a_blocks_b = in.a_blocks_b(),
          .b_blocks_a = in.b_blocks_a(),
          .member_version = in.member_version()};
}

GroupFacts facts_of(pb::GroupFacts& in) {
  GroupFacts out;
  out.gid = Gid{in.gid()};
  out.name = std::move(*in.mutable_name());
  out.member_version = in.member_version();
  out.members.reserve(static_cast<std::size_t>(in.members_size()));
  for (const pb::GroupMemberRow& row : in.members()) {
    out.members.push_back({Uid{row.uid()}, row.owner(), Seq{row.join_seq()}});
  }
  // Membership is looked up by bisection: an order that is not there must not hide anybody.
  if (!std::ranges::is_sorted(out.members, {}, &GroupMember::uid)) {
    std::ranges::sort(out.members, {}, &GroupMember::uid);
  }
  return out;
}

Result<GroupChanged> group_changed_of(pb::GroupChanged& in) {
  if (in.facts().gid() == 0) return broken("a changed group without a number");
  GroupChanged out;
  out.facts = facts_of(*in.mutable_facts());
  if (in.has_event()) {
    HY_TRY(out.event, message_of(*in.mutable_event()));
  }
  for (const std::uint64_t uid : in.removed()) out.removed.emplace_back(uid);
  return out;
}

Result<Slice> slice_of(pb::Slice& in) {
  Slice out;
  out.head = Seq{in.head_seq()};
  out.more = in.more();
  out.truncated_to = in.truncated_to();
  out.messages.reserve(static_cast<std::size_t>(in.messages_size()));
  for (pb::StoredMessage& message : *in.mutable_messages()) {
    HY_TRY(StoredMessage stored, message_of(message));
    out.messages.push_back(std::move(stored));
  }
  return out;
}

Result<Found> found_of(pb::FoundMessage& in) {
  Found out;
  HY_TRY(out.message, message_of(*in.mutable_message()));
  out.peer_read = Seq{in.peer_read_seq()};
  return out;
}

Result<Conversations> conversations_of(pb::Conversations& in) {
  Conversations out;
  for (pb::ConversationRow& row : *in.mutable_rows()) {
    HY_TRY(ConversationRow decoded, row_of(row));
    out.rows.push_back(std::move(decoded));
  }
  for (const pb::UserEventRow& event : in.events()) {
    UserEvent decoded;
    decoded.useq = Useq{event.useq()};
    decoded.kind = event.kind();
    if (event.conversation().size() == kIdBytes) {
      decoded.conversation = ConversationId::from_bytes(event.conversation());
    }
    decoded.seq = Seq{event.seq()};
    decoded.peer = Uid{event.peer()};
    decoded.on = event.on();
    out.events.push_back(decoded);
  }
  out.store_ms = in.store_ms();
  out.useq = Useq{in.useq()};
  out.more = in.more();
  out.too_far = in.too_far();
  out.marks = {in.store_epoch(), in.clock_steps()};
  out.change_counter = in.change_counter();
  return out;
}

std::vector<Account> accounts_of(const pb::Accounts& in) {
  std::vector<Account> out;
  for (const pb::Account& account : in.accounts()) {
    Account decoded{.uid = Uid{account.uid()}, .name = account.name()};
    if (account.has_failure()) decoded.failure = error_of(account.failure());
    out.push_back(std::move(decoded));
  }
  return out;
}

LoginFacts login_facts_of(pb::LoginFacts& in) {
  LoginFacts out;
  out.uid = Uid{in.uid()};
  out.name = in.name();
  out.password_phc = Secret(in.password_phc());
  wipe(in.mutable_password_phc()->data(), in.mutable_password_phc()->size());
  out.retry_after = Millis{in.retry_after_ms()};
  return out;
}

}  // namespace hy::logic
