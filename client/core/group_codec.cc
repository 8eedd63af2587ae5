#include "client/core/group_codec.h"

#include <algorithm>
#include <limits>

#include "hy/client/v1/group.pb.h"

namespace hy {
namespace {

namespace v1 = hy::client::v1;

constexpr std::uint64_t kNumberMax = std::numeric_limits<std::int64_t>::max();

bool is_id(std::uint64_t value) {
  return value > 0 && value <= kNumberMax;
}

template <class T>
Result<T> parse(ByteView body) {
  T message;
  if (body.size() > static_cast<std::size_t>(std::numeric_limits<int>::max()) ||
      !message.ParseFromArray(body.data(), static_cast<int>(body.size()))) {
    return fail(Errc::kMalformedBody);
  }
  return message;
}

Result<Group> group_of(v1::Group&& group) {
  Group out;
  if (!is_id(group.gid())) return fail(Errc::kMalformedBody, "gid");
  out.gid = Gid{group.gid()};
  out.name = std::move(*group.mutable_name());
  out.member_version = group.member_version();
  for (const v1::GroupMember& member : group.members()) {
    const bool is_ascending = out.members.empty() || out.members.back().uid.value() < member.uid();
    if (!is_id(member.uid()) || !is_ascending || member.join_seq() > kNumberMax) {
      return fail(Errc::kMalformedBody, "member");
    }
    out.members.push_back({Uid{member.uid()}, member.owner(), Seq{member.join_seq()}});
  }
  return out;
}

template <class List>
Result<std::vector<Uid>> uids_of(const List& list) {
  std::vector<Uid> out;
  for (const std::uint64_t uid : list) {
    if (!is_id(uid)) return fail(Errc::kMalformedBody, "uid");
    out.emplace_back(uid);
  }
  return out;
}

}  // namespace

Result<GroupEvent> group_event_of(const Message& message) {
  if (message.kind != kKindGroupEvent || !message.conversation.is_group()) {
    return fail(Errc::kMalformedBody, "no change of a group");
  }
  HY_TRY(auto event, parse<v1::GroupEvent>(as_bytes(message.body)));
  GroupEvent out;
  HY_TRY(out.added, uids_of(event.added()));
  HY_TRY(out.removed, uids_of(event.removed()));
  if (event.owner() > kNumberMax) return fail(Errc::kMalformedBody, "owner");
  out.created = std::move(*event.mutable_created());
  out.owner = Uid{event.owner()};
  return out;
}

namespace client {

Bytes encode_group_create(std::string_view name, const std::vector<Uid>& members,
                          const ClientMsgId& creation_id) {
  v1::GroupCreateRequest request;
  request.set_name(std::string(name));
  for (const Uid uid : members) request.add_members(uid.value());
  request.set_creation_id(creation_id.to_bytes());
  return request.SerializeAsString();
}

Result<Group> decode_group_create(ByteView body) {
  HY_TRY(auto answer, parse<v1::GroupCreateAnswer>(body));
  return group_of(std::move(*answer.mutable_group()));
}

Bytes encode_group_info(Gid gid) {
  v1::GroupInfoRequest request;
  request.set_gid(gid.value());
  return request.SerializeAsString();
}

Result<Group> decode_group_info(ByteView body) {
  HY_TRY(auto answer, parse<v1::GroupInfoAnswer>(body));
  return group_of(std::move(*answer.mutable_group()));
}

Bytes encode_group_change(Gid gid, const std::vector<Uid>& add, const std::vector<Uid>& remove) {
  v1::GroupChangeRequest request;
  request.set_gid(gid.value());
  for (const Uid uid : add) request.add_add(uid.value());
  for (const Uid uid : remove) request.add_remove(uid.value());
  return request.SerializeAsString();
}

Result<GroupChange> decode_group_change(ByteView body) {
  HY_TRY(auto answer, parse<v1::GroupChangeAnswer>(body));
  if (answer.seq() > kNumberMax) return fail(Errc::kMalformedBody, "seq");
  return GroupChange{answer.member_version(), Seq{answer.seq()}};
}

bool is_own_entry(const Message& message, Uid self) {
  const auto event = group_event_of(message);
  if (!event) return false;
  const bool is_creator = !event->created.empty() && message.sender == self;
  return is_creator || std::ranges::find(event->added, self) != event->added.end();
}

}  // namespace client
}  // namespace hy
