#include "logic/command/group.h"

#include <algorithm>
#include <array>

#include "hy/client/v1/group.pb.h"
#include "logic/command/client_proto.h"
#include "logic/command/failures.h"
#include "logic/delivery/group_push.h"
#include "logic/domain/message_rules.h"
#include "logic/domain/name_rules.h"

namespace hy::logic {
namespace pb = hy::client::v1;
namespace {

constexpr std::size_t kCreationIdBytes = 16;
constexpr std::array<std::uint32_t, 1> kTextFields{pb::GroupCreateRequest::kNameFieldNumber};

/// Ascending and each once. kUnknownUser: a number that no user has.
Result<std::vector<Uid>> people(const google::protobuf::RepeatedField<std::uint64_t>& in) {
  std::vector<Uid> out;
  out.reserve(static_cast<std::size_t>(in.size()));
  for (const std::uint64_t uid : in) {
    if (!is_storable_id(uid)) return fail(Errc::kUnknownUser);
    out.emplace_back(uid);
  }
  std::ranges::sort(out);
  out.erase(std::ranges::unique(out).begin(), out.end());
  return out;
}

void fill(const GroupFacts& facts, pb::Group& out) {
  out.set_gid(facts.gid.value());
  out.set_conversation(ConversationId::group(facts.gid).to_bytes());
  out.set_name(facts.name);
  for (const GroupMember& member : facts.members) {
    pb::GroupMember& row = *out.add_members();
    row.set_uid(member.uid.value());
    row.set_owner(member.is_owner);
    row.set_join_seq(member.join_seq.value());
  }
  out.set_member_version(facts.member_version);
}

Result<NewGroup> group_of(const pb::GroupCreateRequest& in, Uid owner, std::uint32_t members_max) {
  HY_TRY_VOID(check_name(in.name()));
  if (in.creation_id().size() != kCreationIdBytes) {
    return fail(Errc::kMalformedBody, "creation_id has 16 bytes");
  }
  NewGroup out;
  HY_TRY(out.members, people(in.members()));
  std::erase(out.members, owner);
  if (out.members.size() + 1 > members_max) return fail(Errc::kGroupFull);
  out.owner = owner;
  out.name = in.name();
  out.creation_id = in.creation_id();
  out.members_max = members_max;
  return out;
}

}  // namespace

void GroupCommands::create(RequestPtr request, std::string_view body) {
  pb::GroupCreateRequest in;
  if (const Status parsed = parse_body(body, in, kTextFields); !parsed) {
    return request->refuse(parsed.error());
  }
  const auto group = group_of(in, request->uid(), options_.members_max);
  if (!group) return request->refuse(group.error());
  const CallContext call = request->call();
  groups_.create_group(
      *group, call,
      [this, asked_at = clock_.now(), request = std::move(request)](Result<GroupChanged> done) {
        if (!done) return refuse_read(*request, done.error());
        pb::GroupCreateAnswer answer;
        fill(done->facts, *answer.mutable_group());
        request->answer(answer.SerializeAsString());
        changed(*std::move(done), asked_at, request->context().trace);
      });
}

void GroupCommands::info(RequestPtr request, std::string_view body) {
  pb::GroupInfoRequest in;
  if (const Status parsed = parse_body(body, in); !parsed) return request->refuse(parsed.error());
  const Gid gid{in.gid()};
  if (!is_storable_id(in.gid())) return request->refuse(Error{Errc::kNotMember, {}});
  const CallContext call = request->call();
  directory_.ask_anew(gid, call, [request = std::move(request)](const Result<GroupPtr>& group) {
    if (!group) return refuse_read(*request, group.error());
    if ((*group)->member(request->uid()) == nullptr) {
      return request->refuse(Error{Errc::kNotMember, {}});
    }
    pb::GroupInfoAnswer answer;
    fill((*group)->facts, *answer.mutable_group());
    request->answer(answer.SerializeAsString());
  });
}

void GroupCommands::change(RequestPtr request, std::string_view body) {
  pb::GroupChangeRequest in;
  if (const Status parsed = parse_body(body, in); !parsed) return request->refuse(parsed.error());
  if (!is_storable_id(in.gid())) return request->refuse(Error{Errc::kNotMember, {}});
  auto add = people(in.add());
  auto remove = people(in.remove());
  if (!add || !remove) return request->refuse(Error{Errc::kUnknownUser, {}});
  if (add->empty() && remove->empty()) {
    return request->refuse(Error{Errc::kMalformedBody, "nobody to add or remove"});
  }
  if (std::ranges::any_of(*add,
                          [&](Uid uid) { return std::ranges::binary_search(*remove, uid); })) {
    return request->refuse(Error{Errc::kMalformedBody, "the same person added and removed"});
  }
  if (add->size() > options_.members_max) return request->refuse(Error{Errc::kGroupFull, {}});
  const GroupChange change{.gid = Gid{in.gid()},
                           .actor = request->uid(),
                           .add = *std::move(add),
                           .remove = *std::move(remove),
                           .members_max = options_.members_max};
  const CallContext call = request->call();
  groups_.change_group(
      change, call,
      [this, asked_at = clock_.now(), request = std::move(request)](Result<GroupChanged> done) {
        if (!done) return refuse_read(*request, done.error());
        pb::GroupChangeAnswer answer;
        answer.set_member_version(done->facts.member_version);
        if (done->event) {
          answer.set_seq(done->event->seq.value());
          answer.set_server_ms(done->event->server_ms);
        }
        request->answer(answer.SerializeAsString());
        changed(*std::move(done), asked_at, request->context().trace);
      });
}

/// Committed and answered: now it is known here and told to all who are in, the actor's devices
/// included, and to those who are not any more.
void GroupCommands::changed(GroupChanged done, MonoTime asked_at, TraceId trace) {
  const std::uint64_t version = done.facts.member_version;
  // If a later change is known already, those who came with it were not in for this event, which
  // their join_seq says, and who went with it has its own event.
  const GroupPtr group = directory_.learn(std::move(done.facts), asked_at);
  if (!done.event || group->facts.member_version < version) return;
  Delivery to_members = group_push(group, *done.event, 0, clock_.now(), trace);
  if (!done.removed.empty()) {
    Delivery to_removed = to_members;
    to_removed.everyone = std::make_shared<const std::vector<Uid>>(std::move(done.removed));
    deliverer_.deliver(std::move(to_removed));
  }
  if (!to_members.everyone->empty()) deliverer_.deliver(std::move(to_members));
}

}  // namespace hy::logic
