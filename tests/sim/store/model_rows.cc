#include "tests/sim/store/model_rows.h"

#include <algorithm>

#include "das/storage/group_rules.h"

namespace hy::sim {

std::vector<LogRow>::const_iterator ConversationLog::from(std::uint64_t seq) const {
  return std::ranges::lower_bound(rows, seq, {}, &LogRow::seq);
}

const LogRow* ConversationLog::at(std::uint64_t seq) const {
  const auto it = from(seq);
  return it == rows.end() || it->seq != seq ? nullptr : &*it;
}

const LogRow* ConversationLog::find(Uid sender, const ClientMsgId& id) const {
  const auto it = seq_of.find({sender, id});
  return it == seq_of.end() ? nullptr : at(it->second);
}

Transaction::Transaction(Tables& tables)
    : conversations(tables.conversations),
      user_convs(tables.user_convs),
      users(tables.users),
      names(tables.names),
      events(tables.events),
      credentials(tables.credentials),
      guards(tables.guards),
      auth_slots(tables.auth_slots),
      devices(tables.devices),
      blacklist(tables.blacklist),
      groups(tables.groups),
      group_members(tables.group_members),
      group_creations(tables.group_creations),
      tables_(&tables) {}

void Transaction::insert(const ConversationId& conv, LogRow row) {
  inserts_.emplace_back(conv, std::move(row));
}

const LogRow* Transaction::find_message(const ConversationId& conv, Uid sender,
                                        const ClientMsgId& id) const {
  for (const auto& [where, row] : inserts_)
    if (where == conv && row.sender == sender && row.client_msg_id == id) return &row;
  const auto log = tables_->logs.find(conv);
  return log == tables_->logs.end() ? nullptr : log->second.find(sender, id);
}

void Transaction::apply() {
  conversations.apply();
  user_convs.apply();
  users.apply();
  names.apply();
  events.apply();
  credentials.apply();
  guards.apply();
  auth_slots.apply();
  devices.apply();
  blacklist.apply();
  groups.apply();
  group_members.apply();
  group_creations.apply();
  if (store) tables_->store = *store;
  ConversationLog* log = nullptr;
  const ConversationId* of = nullptr;
  for (auto& [conv, row] : inserts_) {
    if (log == nullptr || *of != conv) log = &tables_->logs[conv];
    of = &conv;
    log->seq_of.try_emplace({row.sender, row.client_msg_id}, row.seq);
    log->rows.insert(log->from(row.seq), std::move(row));
  }
  inserts_.clear();
}

void Transaction::forget() {
  conversations.forget();
  user_convs.forget();
  users.forget();
  names.forget();
  events.forget();
  credentials.forget();
  guards.forget();
  auth_slots.forget();
  devices.forget();
  blacklist.forget();
  groups.forget();
  group_members.forget();
  group_creations.forget();
  store.reset();
  inserts_.clear();
}

das::ConversationRow conversation_row(const Tables& tables, Uid uid, const ConversationId& conv,
                                      std::uint32_t body_max) {
  const ConversationState& head = tables.conversations.at(conv);
  const UserConvState& member = tables.user_convs.at({uid, conv});
  das::ConversationRow row;
  row.conv = conv;
  const std::uint64_t newest = das::visible_head(Seq{head.head_seq}, Seq{member.leave_seq}).value();
  row.head = Seq{newest};
  row.head_ms = head.head_ms;
  row.read_seq = Seq{member.read_seq};
  const std::uint64_t own_last = conv.hi == uid.value() ? head.low_last : head.high_last;
  const std::uint64_t mark =
      std::max({member.read_seq, own_last, member.join_seq, member.cleared_to});
  const auto log = tables.logs.find(conv);
  if (log != tables.logs.end() && mark < newest) {
    const auto after = log->second.from(mark + 1);
    const std::uint64_t below = after == log->second.rows.begin() ? 0 : std::prev(after)->ordinal;
    const LogRow* top = log->second.at(newest);
    if (top != nullptr && top->ordinal > below)
      row.unread = static_cast<std::uint32_t>(top->ordinal - below);
  }
  if (log != tables.logs.end() && newest >= std::max(member.visible_from, member.cleared_to + 1)) {
    if (const LogRow* last = log->second.at(newest); last != nullptr)
      row.last = das::StoredMessage{conv,
                                    Seq{last->seq},
                                    last->sender,
                                    last->client_msg_id,
                                    last->kind,
                                    last->server_ms,
                                    {last->body.substr(0, body_max)}};
  }
  if (conv.is_group()) {
    row.join_seq = Seq{member.join_seq};
    if (const auto group = tables.groups.find(Gid{conv.lo}); group != tables.groups.end())
      row.group_name = group->second.name;
    return row;
  }
  const auto peer = tables.user_convs.find({conv.peer_of(uid), conv});
  if (peer != tables.user_convs.end()) row.peer_read = Seq{peer->second.read_seq};
  return row;
}

}  // namespace hy::sim
