#include "das/engines/mysql/groups.h"

#include <algorithm>
#include <optional>

#include "common/base/clock.h"
#include "das/engines/mysql/message_log.h"
#include "das/engines/mysql/mysql_error.h"
#include "das/engines/mysql/packed_rows.h"
#include "das/engines/mysql/row.h"
#include "das/engines/mysql/statements.h"
#include "das/storage/group_rules.h"

namespace hy::das::mysql {
namespace {

constexpr unsigned kOwnerRole = 2;

/// The conversation's row under its lock.
struct Head {
  std::uint64_t seq = 0;
  std::uint64_t countable = 0;
  std::int64_t ms = 0;
  std::int64_t now_ms = 0;
};

std::optional<Head> lock_head(Connection& connection, const ConversationId& conv) {
  sql::PreparedStatement& lock = connection.prepared(text(sql_text::kLockHead));
  put_all(lock, conv);
  const auto row = connection.query(lock);
  if (!row->next()) return std::nullopt;
  return Head{row->getUInt64(1), row->getUInt64(2), row->getInt64(3), row->getInt64(5)};
}

GroupFacts read_group(Connection& connection, Gid gid) {
  sql::PreparedStatement& s = connection.prepared(text(sql_text::kGroup));
  put_all(s, ConversationId::group(gid), gid);
  const auto row = connection.query(s);
  GroupFacts facts;
  while (row->next()) {
    facts.gid = gid;
    facts.name = bytes_of(row->getString(1));
    facts.member_version = row->getUInt64(2);
    if (!row->isNull(3))
      facts.members.push_back(
          {Uid{row->getUInt64(3)}, row->getUInt(4) == kOwnerRole, Seq{row->getUInt64(5)}});
  }
  return facts;
}

bool has_left(Connection& connection, Gid gid, Uid uid) {
  sql::PreparedStatement& s = connection.prepared(text(sql_text::kLeftGroup));
  put_all(s, gid, uid);
  return connection.query(s)->next();
}

/// work(column, rows) for the uids by chunks that fit one statement.
template <class Work>
void by_chunks(std::span<const Uid> uids, Work work) {
  PackedColumn column;
  while (!uids.empty()) {
    const std::size_t rows = std::min(uids.size(), kPackedRowsMax);
    column.clear();
    for (const Uid uid : uids.first(rows)) column.add_number(uid.value());
    work(column.bytes(), std::uint64_t{rows});
    uids = uids.subspan(rows);
  }
}

Status all_exist(Connection& connection, std::span<const Uid> uids) {
  std::uint64_t found = 0;
  by_chunks(uids, [&](std::string_view column, std::uint64_t rows) {
    sql::PreparedStatement& s = connection.prepared(text(sql_text::kCountUsersPacked));
    put_all(s, column, rows);
    const auto row = connection.query(s);
    row->next();
    found += row->getUInt64(1);
  });
  if (found != uids.size()) return fail(Errc::kUnknownUser);
  return {};
}

void join(Connection& connection, const ConversationId& conv, std::span<const Uid> uids, Seq seq) {
  by_chunks(uids, [&](std::string_view column, std::uint64_t rows) {
    sql::PreparedStatement& members = connection.prepared(text(sql_text::kJoinGroupPacked));
    put_all(members, column, conv.lo, seq, rows);
    members.executeUpdate();
    sql::PreparedStatement& lists = connection.prepared(text(sql_text::kJoinConversationPacked));
    put_all(lists, column, conv, seq, seq, rows);
    lists.executeUpdate();
  });
}

void leave(Connection& connection, const ConversationId& conv, std::span<const Uid> uids, Seq seq) {
  by_chunks(uids, [&](std::string_view column, std::uint64_t rows) {
    sql::PreparedStatement& members = connection.prepared(text(sql_text::kLeaveGroupPacked));
    put_all(members, column, conv.lo, seq, rows);
    members.executeUpdate();
    sql::PreparedStatement& lists = connection.prepared(text(sql_text::kLeaveConversationPacked));
    put_all(lists, column, conv, seq, rows);
    lists.executeUpdate();
  });
}

/// Below the head's lock: appends `item` and moves the head.
StoredMessage append_event(Connection& connection, AppendItem item, const Head& head) {
  const std::uint64_t none = 0;
  const std::uint64_t seq = head.seq + 1;
  const std::int64_t ms = std::max(head.ms, head.now_ms);
  sql::PreparedStatement& raise = connection.prepared(text(sql_text::kSetHead));
  put_all(raise, none, none, none, none, seq, head.countable, ms, item.conv);
  raise.executeUpdate();
  sql::PreparedStatement& insert = connection.prepared(sql_text::insert_messages(1));
  put_all(insert, item.conv, seq, item.sender, as_text(item.client_msg_id.bytes),
          as_text(item.payload_hash), std::uint64_t{item.kind}, none, head.countable, ms,
          std::string_view(item.body.bytes));
  insert.executeUpdate();
  return {item.conv, Seq{seq}, item.sender,         item.client_msg_id,
          item.kind, ms,       std::move(item.body)};
}

/// The members' rows and the event, inside the transaction; fills in what became of it.
void write_change(Connection& connection, const GroupPlan& plan, AppendItem item, const Head& head,
                  GroupChanged& out) {
  const ConversationId conv = item.conv;
  out.event = append_event(connection, std::move(item), head);
  const Seq seq = out.event->seq;
  join(connection, conv, plan.added, seq);
  leave(connection, conv, plan.removed, Seq{seq.value() + 1});
  if (plan.owner.value() > 0) {
    sql::PreparedStatement& own = connection.prepared(text(sql_text::kOwnGroup));
    put_all(own, conv.lo, plan.owner);
    own.executeUpdate();
    sql::PreparedStatement& name = connection.prepared(text(sql_text::kNameOwner));
    put_all(name, plan.owner, conv.lo);
    name.executeUpdate();
  }
  sql::PreparedStatement& raise = connection.prepared(text(sql_text::kRaiseMemberVersion));
  put_all(raise, conv);
  raise.executeUpdate();
  out.facts.members = members_after(out.facts.members, plan, seq);
  ++out.facts.member_version;
  out.removed = plan.removed;
}

/// gid 0: this creation is new.
Result<GroupFacts> group_of_creation(Connection& connection, const NewGroup& group) {
  sql::PreparedStatement& s = connection.prepared(text(sql_text::kGroupOfCreation));
  put_all(s, group.owner, as_text(group.creation_id.bytes));
  const auto row = connection.query(s);
  if (!row->next()) return GroupFacts{};
  GroupFacts facts = read_group(connection, Gid{row->getUInt64(1)});
  if (!is_member(facts, group.owner)) return fail(Errc::kNotMember);
  return facts;
}

/// Throws a duplicate key when another try of the same creation was faster.
Result<GroupChanged> make_group(Connection& connection, const NewGroup& group,
                                std::span<const Uid> all) {
  Transaction transaction(connection);
  HY_TRY_VOID(all_exist(connection, all));
  sql::PreparedStatement& add = connection.prepared(text(sql_text::kAddGroup));
  put_all(add, group.name, group.owner);
  add.executeUpdate();
  const auto given = connection.query(connection.prepared(text(sql_text::kGivenGid)));
  given->next();
  const Gid gid{given->getUInt64(1)};
  sql::PreparedStatement& creation = connection.prepared(text(sql_text::kAddCreation));
  put_all(creation, group.owner, as_text(group.creation_id.bytes), gid);
  creation.executeUpdate();
  const ConversationId conv = ConversationId::group(gid);
  sql::PreparedStatement& conversation =
      connection.prepared(text(sql_text::kMakeGroupConversation));
  put_all(conversation, conv);
  conversation.executeUpdate();
  const auto head = lock_head(connection, conv);
  if (!head) return fail(Errc::kInternal, "a row that was just written is not there");
  GroupChanged out;
  out.facts.gid = gid;
  out.facts.name = group.name;
  write_change(connection, {{all.begin(), all.end()}, {}, group.owner},
               creation_event(group, gid, all), *head, out);
  transaction.commit();
  return out;
}

}  // namespace

Result<GroupChanged> create_group(Connection& connection, const NewGroup& group) {
  HY_TRY(const std::vector<Uid> all, plan_group(group));
  return guarded(connection, [&]() -> Result<GroupChanged> {
    GroupChanged known;
    HY_TRY(known.facts, group_of_creation(connection, group));
    if (known.facts.gid.value() > 0) return known;
    try {
      return make_group(connection, group, all);
    } catch (const sql::SQLException& e) {
      if (classify(e) != Failure::kDuplicate) throw;
    }
    HY_TRY(known.facts, group_of_creation(connection, group));
    if (known.facts.gid.value() == 0)
      return fail(Errc::kOverloaded, "another try of this creation was in the way", Millis{100});
    return known;
  });
}

Result<GroupFacts> group_facts(Connection& connection, Gid gid) {
  return guarded(connection, [&]() -> Result<GroupFacts> { return read_group(connection, gid); });
}

Result<GroupChanged> change_group(Connection& connection, const GroupChange& change) {
  return guarded(connection, [&]() -> Result<GroupChanged> {
    Transaction transaction(connection);
    const auto head = lock_head(connection, ConversationId::group(change.gid));
    if (!head) return fail(Errc::kNotMember);
    GroupChanged out;
    out.facts = read_group(connection, change.gid);
    HY_TRY(const GroupPlan plan,
           plan_change(out.facts.members, has_left(connection, change.gid, change.actor), change));
    if (plan.changes_nothing()) return out;
    HY_TRY_VOID(all_exist(connection, plan.added));
    write_change(connection, plan, change_event(change, plan, out.facts, head->now_ms), *head, out);
    transaction.commit();
    return out;
  });
}

void name_groups(Connection& connection, std::span<ConversationRow> rows) {
  std::vector<ConversationRow*> groups;
  for (ConversationRow& row : rows)
    if (row.conv.is_group()) groups.push_back(&row);
  std::ranges::sort(groups, {}, [](const ConversationRow* row) { return row->conv; });
  for (std::size_t at = 0; at < groups.size();) {
    const std::size_t count = std::min(groups.size() - at, kPackedRowsMax);
    const std::span chunk = std::span(groups).subspan(at, count);
    sql::PreparedStatement& s = connection.prepared(sql_text::group_names(padded_size(count)));
    for (std::size_t i = 0; i < padded_size(count); ++i)
      put(s, static_cast<unsigned>(i + 1), chunk[std::min(i, count - 1)]->conv.lo);
    const auto names = connection.query(s);
    while (names->next()) {
      const ConversationId conv = ConversationId::group(Gid{names->getUInt64(1)});
      const auto it = std::ranges::lower_bound(chunk, conv, {}, &ConversationRow::conv);
      if (it != chunk.end() && (*it)->conv == conv)
        (*it)->group_name = bytes_of(names->getString(2));
    }
    at += count;
  }
}

}  // namespace hy::das::mysql
