#include "tests/sim/store/store_dump.h"

namespace hy::sim {

judge::StoreDump dump(const ModelStore& store) {
  const Tables& tables = store.tables();
  judge::StoreDump out;
  for (const auto& [conv, head] : tables.conversations)
    out.conversations.push_back(
        {.conv = conv, .head = head.head_seq, .kept_from = 1, .head_ms = head.head_ms});
  for (const auto& [conv, log] : tables.logs)
    for (const LogRow& row : log.rows)
      out.messages.push_back({.conv = conv,
                              .seq = row.seq,
                              .sender = row.sender,
                              .cmid = row.client_msg_id,
                              .phash = get_be<std::uint64_t>(row.payload_hash.data()),
                              .server_ms = row.server_ms,
                              .countable = row.countable,
                              .recalled = false,
                              .by_server = row.kind == das::kGroupEventKind});
  for (const auto& [key, member] : tables.user_convs)
    out.members.push_back({.uid = key.first,
                           .conv = key.second,
                           .join_seq = member.join_seq,
                           .leave_seq = member.leave_seq,
                           .read_seq = member.read_seq,
                           .unread = conversation_row(tables, key.first, key.second, 0).unread});
  return out;
}

}  // namespace hy::sim
