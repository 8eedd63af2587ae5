#include "das/engines/embedded/groups.h"

#include "common/base/test_hooks.h"
#include "das/engines/embedded/append_rows.h"
#include "das/engines/embedded/statements.h"
#include "das/storage/group_rules.h"

namespace hy::das::embedded {
namespace {

constexpr std::int64_t kOwnerRole = 2;

/// Runs a statement of three values.
template <class A, class B, class C>
Status run(sqlite::Database& db, std::string_view text, const A& a, const B& b, const C& c) {
  HY_TRY(auto statement, db.prepare(text));
  const auto put = [&statement](int index, const auto& value) {
    if constexpr (std::is_convertible_v<decltype(value), std::string_view>)
      statement.bind_blob(index, value);
    else
      statement.bind(index, value.value());
  };
  put(1, a);
  put(2, b);
  put(3, c);
  return statement.run();
}

Result<GroupFacts> read_group(sqlite::Database& db, Gid gid) {
  GroupFacts facts;
  HY_TRY(auto group, db.prepare(sql::kGroup));
  group.bind(1, gid.value()).bind_blob(2, ConversationId::group(gid).to_bytes());
  HY_TRY(const bool known, group.step());
  if (!known) return facts;
  facts.gid = gid;
  facts.name = group.text(0);
  facts.member_version = group.unsigned_integer(1);
  HY_TRY(auto members, db.prepare(sql::kGroupMembers));
  members.bind(1, gid.value());
  for (;;) {
    HY_TRY(const bool row, members.step());
    if (!row) return facts;
    facts.members.push_back({Uid{members.unsigned_integer(0)}, members.integer(1) == kOwnerRole,
                             Seq{members.unsigned_integer(2)}});
  }
}

Result<bool> has_row(sqlite::Database& db, std::string_view text, std::uint64_t first,
                     std::optional<std::uint64_t> second = std::nullopt) {
  HY_TRY(auto statement, db.prepare(text));
  statement.bind(1, first);
  if (second) statement.bind(2, *second);
  return statement.step();
}

Status all_exist(sqlite::Database& db, std::span<const Uid> uids) {
  for (const Uid uid : uids) {
    HY_TRY(const bool exists, has_row(db, sql::kUserExists, uid.value()));
    if (!exists) return fail(Errc::kUnknownUser);
  }
  return {};
}

/// The members' rows and the event, inside the transaction; fills in what became of it.
Status write_change(sqlite::Database& db, const GroupPlan& plan, AppendItem item,
                    std::int64_t now_ms, GroupChanged& out) {
  const Bytes conv = item.conv.to_bytes();
  const Gid gid{item.conv.lo};
  HY_TRY(auto use, AppendStatements::prepare(db));
  HY_TRY(auto head, read_head(use, conv));
  if (!head) return fail(Errc::kInternal, "the store's file is damaged: a group without its log");
  HY_TRY_VOID(insert_message(db, use, conv, item, *head, now_ms));
  HY_TRY_VOID(raise_head(use, conv, *head, now_ms));
  for (const Uid uid : plan.added) {
    HY_TRY_VOID(run(db, sql::kJoinGroup, gid, uid, head->seq));
    const Seq join = mutant(Mutant::kJoinSeqForgotten) ? Seq{0} : head->seq;
    HY_TRY_VOID(run(db, sql::kJoinConversation, uid, conv, join));
  }
  const Seq leave{head->seq.value() + 1};
  for (const Uid uid : plan.removed) {
    HY_TRY_VOID(run(db, sql::kLeaveGroup, gid, uid, leave));
    HY_TRY_VOID(run(db, sql::kLeaveConversation, conv, uid, leave));
  }
  if (plan.owner.value() > 0) {
    HY_TRY(auto own, db.prepare(sql::kOwnGroup));
    own.bind(1, gid.value()).bind(2, plan.owner.value());
    HY_TRY_VOID(own.run());
    HY_TRY(auto name, db.prepare(sql::kNameOwner));
    name.bind(1, gid.value()).bind(2, plan.owner.value());
    HY_TRY_VOID(name.run());
  }
  HY_TRY(auto raise, db.prepare(sql::kRaiseMemberVersion));
  raise.bind_blob(1, conv);
  HY_TRY_VOID(raise.run());
  out.facts.members = members_after(out.facts.members, plan, head->seq);
  ++out.facts.member_version;
  out.removed = plan.removed;
  out.event = StoredMessage{item.conv, head->seq, item.sender,         item.client_msg_id,
                            item.kind, now_ms,    std::move(item.body)};
  return {};
}

/// gid 0: this creation is new.
Result<GroupFacts> group_of_creation(sqlite::Database& db, const NewGroup& group) {
  HY_TRY(auto known, db.prepare(sql::kGroupOfCreation));
  known.bind(1, group.owner.value()).bind_blob(2, as_text(group.creation_id.bytes));
  HY_TRY(const bool row, known.step());
  if (!row) return GroupFacts{};
  const Gid gid{known.unsigned_integer(0)};
  known.reset();
  HY_TRY(GroupFacts facts, read_group(db, gid));
  if (!is_member(facts, group.owner)) return fail(Errc::kNotMember);
  return facts;
}

Result<Gid> make_group(sqlite::Database& db, const NewGroup& group, std::int64_t now_ms) {
  HY_TRY(auto add, db.prepare(sql::kAddGroup));
  add.bind(1, group.name).bind(2, group.owner.value()).bind(3, now_ms);
  HY_TRY_VOID(add.run());
  const Gid gid{static_cast<std::uint64_t>(db.last_insert_rowid())};
  HY_TRY_VOID(run(db, sql::kAddCreation, group.owner,
                  std::string_view(as_text(group.creation_id.bytes)), gid));
  HY_TRY(auto conversation, db.prepare(sql::kMakeGroupConversation));
  conversation.bind_blob(1, ConversationId::group(gid).to_bytes()).bind(2, now_ms);
  HY_TRY_VOID(conversation.run());
  return gid;
}

}  // namespace

Result<GroupChanged> create_group(Link& link, const NewGroup& group) {
  HY_TRY(const std::vector<Uid> all, plan_group(group));
  return link.write([&](sqlite::Database& db) -> Result<GroupChanged> {
    GroupChanged out;
    HY_TRY(out.facts, group_of_creation(db, group));
    if (out.facts.gid.value() > 0) return out;
    HY_TRY_VOID(all_exist(db, all));
    const std::int64_t now_ms = link.now_ms();
    HY_TRY(out.facts.gid, make_group(db, group, now_ms));
    out.facts.name = group.name;
    HY_TRY_VOID(write_change(db, {all, {}, group.owner}, creation_event(group, out.facts.gid, all),
                             now_ms, out));
    return out;
  });
}

Result<GroupFacts> group_facts(Link& link, Gid gid) {
  return link.read([&](sqlite::Database& db) { return read_group(db, gid); });
}

Result<GroupChanged> change_group(Link& link, const GroupChange& change) {
  return link.write([&](sqlite::Database& db) -> Result<GroupChanged> {
    GroupChanged out;
    HY_TRY(out.facts, read_group(db, change.gid));
    HY_TRY(const bool left, has_row(db, sql::kLeftGroup, change.gid.value(), change.actor.value()));
    HY_TRY(const GroupPlan plan, plan_change(out.facts.members, left, change));
    if (plan.changes_nothing()) return out;
    HY_TRY_VOID(all_exist(db, plan.added));
    link.heads().forget(ConversationId::group(change.gid));
    const std::int64_t now_ms = link.now_ms();
    HY_TRY_VOID(write_change(db, plan, change_event(change, plan, out.facts, now_ms), now_ms, out));
    return out;
  });
}

}  // namespace hy::das::embedded
