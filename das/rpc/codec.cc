#include "das/rpc/codec.h"

#include <algorithm>
#include <limits>

#include "common/base/limits.h"
#include "hy/client/v1/group.pb.h"

namespace hy::das {
namespace {

constexpr std::size_t kIdBytes = 16;
/// The store's integers are signed.
constexpr std::uint64_t kNumberMax = std::numeric_limits<std::int64_t>::max();
constexpr std::uint32_t kTextKind = 1;

std::unexpected<Error> malformed(const char* what) {
  return fail(Errc::kMalformedBody, what);
}

}  // namespace

std::uint64_t cut_number(std::uint64_t value) {
  return std::min(value, kNumberMax);
}

Result<Uid> decode_uid(std::uint64_t value) {
  if (value == 0 || value > kNumberMax) return malformed("uid");
  return Uid{value};
}

Result<Slot> decode_slot(std::uint32_t value) {
  if (!is_valid_slot(value)) return malformed("slot");
  return static_cast<Slot>(value);
}

Result<ConversationId> decode_conversation(const std::string& bytes) {
  if (bytes.size() != kIdBytes) return malformed("conversation");
  const auto conv = ConversationId::from_bytes(bytes);
  if (conv.hi > kNumberMax || conv.lo > kNumberMax || conv.lo == 0 || conv.hi >= conv.lo)
    return malformed("conversation");
  return conv;
}

Result<AppendItem> decode(pb::Append& in) {
  AppendItem item;
  HY_TRY(item.conv, decode_conversation(in.conversation()));
  HY_TRY(item.sender, decode_uid(in.sender()));
  if (!item.conv.is_group() && !item.conv.has(item.sender)) return malformed("sender");
  if (in.client_msg_id().size() != kIdBytes) return malformed("client_msg_id");
  item.client_msg_id = ClientMsgId::from_bytes(in.client_msg_id());
  if (in.payload_hash().size() != kIdBytes) return malformed("payload_hash");
  std::memcpy(item.payload_hash.data(), in.payload_hash().data(), kIdBytes);
  if (in.body().size() > limits::kMessageBodyBytesMax) return fail(Errc::kBodyTooLarge);
  item.kind = in.kind();
  item.countable = in.countable();
  item.member_version = cut_number(in.member_version());
  if (!in.after_client_msg_id().empty()) {
    if (in.after_client_msg_id().size() != kIdBytes) return malformed("after_client_msg_id");
    item.after = ClientMsgId::from_bytes(in.after_client_msg_id());
  }
  if (in.tell_size() > static_cast<int>(limits::kGroupMembersMax)) return malformed("tell");
  for (const std::uint64_t uid : in.tell()) item.tell.emplace_back(cut_number(uid));
  item.body.bytes = std::move(*in.mutable_body());
  return item;
}

void encode(const Error& error, hy::common::v1::Failure& out) {
  out.set_code(static_cast<std::uint32_t>(error.code));
  out.set_detail(error.detail);
  out.set_retry_after_ms(static_cast<std::uint32_t>(
      std::clamp<std::int64_t>(error.retry_after.count(), 0, UINT32_MAX)));
}

void encode(const Stored& stored, pb::AppendAnswer& out) {
  out.set_seq(stored.seq.value());
  out.set_server_ms(stored.server_ms);
  out.set_repeat(stored.repeat);
}

void encode(StoredMessage&& message, pb::StoredMessage& out) {
  out.set_conversation(message.conv.to_bytes());
  out.set_seq(message.seq.value());
  out.set_sender(message.sender.value());
  out.set_client_msg_id(message.client_msg_id.to_bytes());
  out.set_kind(message.kind);
  out.set_body(std::move(message.body.bytes));
  out.set_server_ms(message.server_ms);
}

void encode(Slice&& slice, pb::Slice& out) {
  out.set_head_seq(slice.head.value());
  out.set_more(slice.more);
  out.set_truncated_to(slice.truncated_to.value());
  for (StoredMessage& message : slice.messages) encode(std::move(message), *out.add_messages());
}

void encode(const PairFacts& facts, pb::PairFacts& out) {
  out.set_a_exists(facts.a_exists);
  out.set_b_exists(facts.b_exists);
  out.set_a_blocks_b(facts.a_blocks_b);
  out.set_b_blocks_a(facts.b_blocks_a);
  out.set_member_version(facts.member_version);
}

void encode(ConversationRow&& row, pb::ConversationRow& out) {
  out.set_conversation(row.conv.to_bytes());
  out.set_head_seq(row.head.value());
  out.set_head_ms(row.head_ms);
  out.set_read_seq(row.read_seq.value());
  out.set_peer_read_seq(row.peer_read.value());
  out.set_unread(row.unread);
  if (row.last) encode(std::move(*row.last), *out.mutable_last());
  out.set_group_name(std::move(row.group_name));
  out.set_join_seq(row.join_seq.value());
}

void encode(const GroupFacts& facts, pb::GroupFacts& out) {
  out.set_gid(facts.gid.value());
  out.set_name(facts.name);
  for (const GroupMember& member : facts.members) {
    pb::GroupMemberRow& row = *out.add_members();
    row.set_uid(member.uid.value());
    row.set_owner(member.owner);
    row.set_join_seq(member.join_seq.value());
  }
  out.set_member_version(facts.member_version);
}

void encode(GroupChanged&& changed, pb::GroupChanged& out) {
  encode(changed.facts, *out.mutable_facts());
  if (changed.event) encode(std::move(*changed.event), *out.mutable_event());
  for (const Uid uid : changed.removed) out.add_removed(uid.value());
}

Bytes group_event_body(const GroupEvent& event) {
  hy::client::v1::GroupEvent out;
  out.set_created(event.created);
  for (const Uid uid : event.added) out.add_added(uid.value());
  for (const Uid uid : event.removed) out.add_removed(uid.value());
  out.set_owner(event.owner.value());
  return out.SerializeAsString();
}

void encode(const UserEvent& event, pb::UserEventRow& out) {
  out.set_useq(event.useq.value());
  out.set_kind(static_cast<std::uint32_t>(event.kind));
  if (event.kind == UserEventKind::kRead) out.set_conversation(event.conv.to_bytes());
  out.set_seq(event.seq.value());
  out.set_peer(event.peer.value());
  out.set_on(event.on);
}

void cut_body(std::uint32_t kind, std::size_t bytes_max, Body& body) {
  if (body.bytes.size() <= bytes_max) return;
  std::size_t end = bytes_max;
  // Back over UTF-8 continuation bytes (10xxxxxx), three at most.
  const auto continues = [&](std::size_t i) {
    return (static_cast<unsigned char>(body.bytes[i]) & 0xC0U) == 0x80U;
  };
  if (kind == kTextKind)
    for (int back = 0; back < 3 && end > 0 && continues(end); ++back) --end;
  body.bytes.resize(end);
}

}  // namespace hy::das
