#include <fmt/format.h>

#include <algorithm>

#include "client/cli/demo/stage.h"
#include "client/cli/talk.h"

namespace hy::cli {
namespace {

constexpr std::uint32_t kRecentsAsked = 200;

std::string group_text(Gid gid) {
  return fmt::format("group:{}", gid.value());
}

/// The groups' verbs take "7" as well: nothing else could be meant.
Result<Gid> gid_of(const std::string& text) {
  HY_TRY(const auto gid, parse_group(text.starts_with("group:") ? text : "group:" + text));
  return *gid;
}

Result<std::vector<Uid>> find_all(Session& session, const std::vector<std::string>& people) {
  std::vector<Uid> out;
  for (const std::string& name : people) {
    HY_TRY(const Uid uid, session.find(name));
    out.push_back(uid);
  }
  return out;
}

void print_members(Session& session, const Group& group, Format format) {
  Table table({"name", "uid", "role", "since_seq"});
  for (const GroupMember& m : group.members) {
    table.add(
        {session.name_of(m.uid), m.uid.value(), m.owner ? "owner" : "member", m.join.value()});
  }
  print(table.text(format));
}

}  // namespace

GroupReach count_reach(const Group& group, Uid self, const std::vector<MemberReceipt>& receipts,
                       Seq seq, bool read) {
  GroupReach out;
  for (const GroupMember& member : group.members) {
    if (member.uid == self) continue;
    ++out.others;
    const auto at = std::ranges::find(receipts, member.uid, &MemberReceipt::uid);
    if (at != receipts.end() && (read ? at->read : at->delivered) >= seq) ++out.reached;
  }
  return out;
}

Exit run_group_new(const Speaker& speaker, const GroupNewOptions& o, Format format) {
  auto session = Session::open(speaker, Slot::kOther);
  if (!session) return complain(session.error());
  const auto members = find_all(**session, o.members);
  if (!members) return complain(members.error());
  const auto group = (*session)->client().create_group(o.name, *members);
  if (!group) return complain(group.error());
  if (format == Format::kTable) {
    print(fmt::format("{}  {}  {} members\n", group_text(group->gid), group->name,
                      group->members.size()));
    return Exit::kOk;
  }
  Table table({"group", "name", "members"});
  table.add({group_text(group->gid), group->name, group->members.size()});
  print(table.text(format));
  return Exit::kOk;
}

Exit run_group_ls(const Speaker& speaker, Format format) {
  auto session = Session::open(speaker, Slot::kOther);
  if (!session) return complain(session.error());
  const auto recents = (*session)->client().recents(kRecentsAsked);
  if (!recents) return complain(recents.error());
  Table table({"group", "name", "unread", "head", "when"});
  for (const ConversationInfo& c : *recents) {
    if (!c.conversation.is_group()) continue;
    table.add({(*session)->name_of(c.conversation), c.group_name, c.unread, c.head.value(),
               clock_text(c.head_ms)});
  }
  print(table.text(format));
  return Exit::kOk;
}

Exit run_group_members(const Speaker& speaker, const std::string& group, Format format) {
  const auto gid = gid_of(group);
  if (!gid) return complain(gid.error());
  auto session = Session::open(speaker, Slot::kOther);
  if (!session) return complain(session.error());
  const auto found = (*session)->client().group(*gid);
  if (!found) return complain(found.error());
  print_members(**session, *found, format);
  return Exit::kOk;
}

Exit run_group_change(const Speaker& speaker, GroupVerb verb, const std::string& group,
                      const std::vector<std::string>& people, Format format) {
  const auto gid = gid_of(group);
  if (!gid) return complain(gid.error());
  auto session = Session::open(speaker, Slot::kOther);
  if (!session) return complain(session.error());
  hy::Client& client = (*session)->client();
  auto uids = find_all(**session, people);
  if (!uids) return complain(uids.error());
  if (verb == GroupVerb::kLeave) uids->push_back(client.uid());
  const std::vector<Uid> nobody;
  const auto done = verb == GroupVerb::kAdd ? client.change_group(*gid, *uids, nobody)
                                            : client.change_group(*gid, nobody, *uids);
  if (!done) return complain(done.error());
  if (format != Format::kTable) {
    Table table({"group", "seq"});
    table.add({group_text(*gid), done->seq.value()});
    print(table.text(format));
  } else if (done->seq.value() == 0) {
    note("nothing changed");
  }
  return Exit::kOk;
}

}  // namespace hy::cli
