#pragma once

#include <cstddef>
#include <string>
#include <string_view>

/// Every SQL text of this engine, within what MariaDB 10.11 and MySQL 8 both accept.
/// The store's clock in ms is CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED): fixed at a statement's
/// start.
namespace hy::das::mysql::sql_text {

/// "<head>(row),(row)…<tail>" with `rows` rows.
inline std::string multi_row(std::string_view head, std::string_view row, std::size_t rows,
                             std::string_view tail = {}) {
  std::string out(head);
  for (std::size_t i = 0; i < rows; ++i) {
    if (i > 0) out += ',';
    out += row;
  }
  out += tail;
  return out;
}

// --- append
// ---------------------------------------------------------------------------------------------------------
// One statement raises and locks all heads of a batch, in the order given (ascending conv: no
// deadlock among lanes). low_last and high_last carry the place inside the batch (1 = first, 0 =
// none) and are computed from the head as it stood, hence before head_seq: assignments run from
// left to right. A conversation without a row would appear with member_version 0, which no caller
// judges by: rolled back.
inline constexpr std::string_view kRaiseHeadsTail =
    " ON DUPLICATE KEY UPDATE low_last = IF(VALUES(low_last) = 0, low_last, head_seq + "
    "VALUES(low_last)),"
    " high_last = IF(VALUES(high_last) = 0, high_last, head_seq + VALUES(high_last)),"
    " head_seq = head_seq + VALUES(head_seq), countable_head = countable_head + "
    "VALUES(countable_head),"
    " head_ms = GREATEST(head_ms, VALUES(head_ms))";
// MariaDB alone: the raised rows, so that nothing names the conversations a second time.
inline constexpr std::string_view kReturningHeads =
    " RETURNING conv, head_seq, countable_head, head_ms, member_version";
inline std::string raise_heads(std::size_t rows) {
  return multi_row(
      "INSERT INTO conversation (conv, head_seq, countable_head, low_last, high_last, head_ms) "
      "VALUES ",
      "(?,?,?,?,?,CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED))", rows, kRaiseHeadsTail);
}
inline std::string read_heads(std::size_t rows) {
  return multi_row(
      "SELECT conv, head_seq, countable_head, head_ms, member_version FROM conversation WHERE conv "
      "IN (",
      "?", rows, ")");
}
inline std::string insert_messages(std::size_t rows) {
  return multi_row(
      "INSERT INTO message"
      " (conv, seq, sender, client_msg_id, payload_hash, kind, countable, ordinal, server_ms, "
      "body) VALUES ",
      "(?,?,?,?,?,?,?,?,?,?)", rows);
}
// The same for large batches, one parameter per column (packed_rows.h). INSERT … SELECT reads no
// row that it writes; batch_place is read in the order of its key, so heads are locked ascending
// too.
inline std::string raise_heads_packed() {
  std::string text =
      "INSERT INTO conversation (conv, head_seq, countable_head, low_last, high_last, head_ms) "
      "SELECT SUBSTR(?,at16,16),SUBSTR(?,at20,20),SUBSTR(?,at20,20),SUBSTR(?,at20,20),"
      "SUBSTR(?,at20,20),CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED)"
      " FROM batch_place WHERE n <= ? ORDER BY n";
  text += kRaiseHeadsTail;
  return text;
}
inline constexpr std::string_view kReadHeadsPacked =
    "SELECT p.n, c.head_seq, c.countable_head, c.head_ms, c.member_version FROM batch_place p"
    " STRAIGHT_JOIN conversation c ON c.conv = SUBSTR(?,p.at16,16) WHERE p.n <= ?";
inline constexpr std::string_view kInsertMessagesPacked =
    "INSERT INTO message"
    " (conv, seq, sender, client_msg_id, payload_hash, kind, countable, ordinal, server_ms, body)"
    " SELECT SUBSTR(?,at16,16),SUBSTR(?,at20,20),SUBSTR(?,at20,20),SUBSTR(?,at16,16),"
    "SUBSTR(?,at16,16),SUBSTR(?,at20,20),SUBSTR(?,at20,20),SUBSTR(?,at20,20),SUBSTR(?,at20,20),"
    "SUBSTR(?,SUBSTR(?,at20,20),SUBSTR(?,at20,20)) FROM batch_place WHERE n <= ? ORDER BY n";
inline constexpr std::string_view kLockHead =
    "SELECT head_seq, countable_head, head_ms, member_version,"
    " CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED) FROM conversation WHERE conv = ? FOR UPDATE";
inline constexpr std::string_view kKnownMessage =
    "SELECT seq, server_ms, payload_hash FROM message WHERE conv = ? AND sender = ? AND "
    "client_msg_id = ?";
inline constexpr std::string_view kTouchHead =
    "UPDATE conversation SET head_ms = GREATEST(head_ms, ?) WHERE conv = ?";
inline constexpr std::string_view kSetHead =
    "UPDATE conversation SET low_last = IF(? = 0, low_last, ?), high_last = IF(? = 0, high_last, "
    "?),"
    " head_seq = ?, countable_head = ?, head_ms = ? WHERE conv = ?";

// --- reads
// ----------------------------------------------------------------------------------------------------------
// One statement = one read view: membership, head and rows agree. u and c are found by their whole
// primary keys, so the range on m is planned with their columns as constants. For who left a group
// the log ends below his leave_seq.
inline constexpr std::string_view kPull =
    "SELECT IF(u.leave_seq = 0, c.head_seq, LEAST(c.head_seq, u.leave_seq - 1)), "
    "GREATEST(u.join_seq, u.visible_from, u.cleared_to + 1),"
    " m.seq, m.sender, m.client_msg_id, m.kind, m.server_ms, m.body"
    " FROM user_conv u JOIN conversation c ON c.conv = u.conv"
    " LEFT JOIN message m ON m.conv = c.conv AND m.seq >= ? AND m.seq <= ?"
    " AND m.seq >= GREATEST(u.join_seq, u.visible_from, u.cleared_to + 1)"
    " AND (u.leave_seq = 0 OR m.seq < u.leave_seq)"
    " WHERE u.uid = ? AND u.conv = ? ORDER BY m.seq LIMIT ?";
// Seqs are dense, so the last n are a range: without its lower end the whole conversation would be
// read and sorted.
inline constexpr std::string_view kPullLast =
    "SELECT IF(u.leave_seq = 0, c.head_seq, LEAST(c.head_seq, u.leave_seq - 1)), "
    "GREATEST(u.join_seq, u.visible_from, u.cleared_to + 1),"
    " m.seq, m.sender, m.client_msg_id, m.kind, m.server_ms, m.body"
    " FROM user_conv u JOIN conversation c ON c.conv = u.conv"
    " LEFT JOIN message m ON m.conv = c.conv AND m.seq <= ?"
    " AND m.seq > IF(LEAST(?, IF(u.leave_seq = 0, c.head_seq, LEAST(c.head_seq, u.leave_seq - 1))) "
    "> ?,"
    " LEAST(?, IF(u.leave_seq = 0, c.head_seq, LEAST(c.head_seq, u.leave_seq - 1))) - ?, 0)"
    " AND m.seq >= GREATEST(u.join_seq, u.visible_from, u.cleared_to + 1)"
    " AND (u.leave_seq = 0 OR m.seq < u.leave_seq)"
    " WHERE u.uid = ? AND u.conv = ? ORDER BY m.seq DESC LIMIT ?";
inline constexpr std::string_view kFind =
    "SELECT m.seq, m.sender, m.client_msg_id, m.kind, m.server_ms, COALESCE(p.read_seq, 0)"
    " FROM user_conv u LEFT JOIN message m ON m.conv = u.conv AND m.seq = ?"
    " AND m.seq >= GREATEST(u.join_seq, u.visible_from, u.cleared_to + 1)"
    " AND (u.leave_seq = 0 OR m.seq < u.leave_seq)"
    " LEFT JOIN user_conv p ON p.uid = ? AND p.conv = u.conv WHERE u.uid = ? AND u.conv = ?";
inline constexpr std::string_view kFindById =
    "SELECT m.seq, m.sender, m.client_msg_id, m.kind, m.server_ms, COALESCE(p.read_seq, 0)"
    " FROM user_conv u LEFT JOIN message m ON m.conv = u.conv AND m.sender = ? AND m.client_msg_id "
    "= ?"
    " AND m.seq >= GREATEST(u.join_seq, u.visible_from, u.cleared_to + 1)"
    " AND (u.leave_seq = 0 OR m.seq < u.leave_seq)"
    " LEFT JOIN user_conv p ON p.uid = ? AND p.conv = u.conv WHERE u.uid = ? AND u.conv = ?";

// --- membership
// -----------------------------------------------------------------------------------------------------
inline constexpr std::string_view kPairFacts =
    "SELECT (SELECT COUNT(*) FROM user WHERE uid = ?), (SELECT COUNT(*) FROM user WHERE uid = ?),"
    " (SELECT COUNT(*) FROM blacklist WHERE uid = ? AND peer = ?),"
    " (SELECT COUNT(*) FROM blacklist WHERE uid = ? AND peer = ?),"
    " (SELECT COALESCE(MAX(member_version), 0) FROM conversation WHERE conv = ?),"
    " (SELECT COUNT(*) FROM user_conv WHERE uid = ? AND conv = ?),"
    " (SELECT COUNT(*) FROM user_conv WHERE uid = ? AND conv = ?)";
/// The same of many pairs (packed_rows.h), with their numbers from 1 on in column 8.
inline constexpr std::string_view kPairFactsPacked =
    "SELECT (SELECT COUNT(*) FROM user WHERE uid = p.a), (SELECT COUNT(*) FROM user WHERE uid = "
    "p.b),"
    " (SELECT COUNT(*) FROM blacklist WHERE uid = p.a AND peer = p.b),"
    " (SELECT COUNT(*) FROM blacklist WHERE uid = p.b AND peer = p.a),"
    " (SELECT COALESCE(MAX(member_version), 0) FROM conversation WHERE conv = p.conv),"
    " (SELECT COUNT(*) FROM user_conv WHERE uid = p.a AND conv = p.conv),"
    " (SELECT COUNT(*) FROM user_conv WHERE uid = p.b AND conv = p.conv), p.n"
    " FROM (SELECT CAST(SUBSTR(?,at20,20) AS UNSIGNED) AS a, CAST(SUBSTR(?,at20,20) AS UNSIGNED) "
    "AS "
    "b,"
    " SUBSTR(?,at16,16) AS conv, n FROM batch_place WHERE n <= ?) p";
inline constexpr std::string_view kMakeConversation =
    "INSERT INTO conversation (conv, type, member_version) VALUES (?, 1, 1)"
    " ON DUPLICATE KEY UPDATE member_version = GREATEST(member_version, 1)";
inline constexpr std::string_view kMakeMembers =
    "INSERT INTO user_conv (uid, conv) VALUES (?, ?), (?, ?) ON DUPLICATE KEY UPDATE uid = "
    "VALUES(uid)";
inline constexpr std::string_view kMakeConversationsPacked =
    "INSERT INTO conversation (conv, type, member_version)"
    " SELECT SUBSTR(?,at16,16), 1, 1 FROM batch_place WHERE n <= ? ORDER BY n"
    " ON DUPLICATE KEY UPDATE member_version = GREATEST(conversation.member_version, 1)";
inline constexpr std::string_view kMakeMembersPacked =
    "INSERT INTO user_conv (uid, conv)"
    " SELECT SUBSTR(?,at20,20), SUBSTR(?,at16,16) FROM batch_place WHERE n <= ? ORDER BY n"
    " ON DUPLICATE KEY UPDATE uid = VALUES(uid)";
inline constexpr std::string_view kIsBlocked =
    "SELECT COUNT(*) FROM blacklist WHERE uid = ? AND peer = ?";
inline constexpr std::string_view kBlock = "INSERT INTO blacklist (uid, peer) VALUES (?, ?)";
inline constexpr std::string_view kUnblock = "DELETE FROM blacklist WHERE uid = ? AND peer = ?";
inline constexpr std::string_view kRaiseMemberVersion =
    "UPDATE conversation SET member_version = member_version + 1 WHERE conv = ?";
inline constexpr std::string_view kReadSeq =
    "SELECT read_seq, leave_seq FROM user_conv WHERE uid = ? AND conv = ? FOR UPDATE";
inline constexpr std::string_view kHeadSeq = "SELECT head_seq FROM conversation WHERE conv = ?";
inline constexpr std::string_view kSetReadSeq =
    "UPDATE user_conv SET read_seq = ? WHERE uid = ? AND conv = ?";
inline constexpr std::string_view kRaiseUseq =
    "UPDATE user SET useq_head = useq_head + 1 WHERE uid = ?";
inline constexpr std::string_view kUseqHead = "SELECT useq_head FROM user WHERE uid = ?";
inline constexpr std::string_view kInsertEvent =
    "INSERT INTO user_event (uid, useq, kind, conv, seq, peer, flag) VALUES (?,?,?,?,?,?,?)";
inline constexpr std::string_view kReadEvents =
    "SELECT useq, kind, conv, seq, peer, flag FROM user_event WHERE uid = ? AND useq > ? ORDER BY "
    "useq LIMIT ?";

// unread = countable head − ordinal at max(read_seq, own last, join − 1, cleared_to). The first
// parameter of the list is the person's uid as 8 bytes: it says which half of a pair's id, and
// which `last`, is theirs. A group that the person is out of ends below leave_seq.
inline std::string list_conversations(bool newest_first) {
  std::string text =
      "SELECT r.conv, r.head_seq, r.head_ms, r.read_seq, COALESCE(p.read_seq, 0),"
      " IF(r.leave_seq = 0, r.countable_head, COALESCE((SELECT y.ordinal FROM message y"
      " WHERE y.conv = r.conv AND y.seq = r.head_seq), 0))"
      " - COALESCE((SELECT x.ordinal FROM message x WHERE x.conv = r.conv AND "
      "x.seq ="
      " LEAST(r.head_seq, GREATEST(r.read_seq, r.join_seq - 1, r.cleared_to, IF(r.is_low, "
      "r.low_last, r.high_last)))), 0),"
      " m.seq, m.sender, m.client_msg_id, m.kind, m.server_ms, LEFT(m.body, ?), r.join_seq"
      " FROM (SELECT u.uid, u.conv, u.read_seq, u.join_seq, u.cleared_to, u.leave_seq,"
      " IF(u.leave_seq = 0, c.head_seq, LEAST(c.head_seq, u.leave_seq - 1)) AS head_seq, "
      "c.head_ms, "
      "c.countable_head,"
      " c.low_last, c.high_last, SUBSTR(u.conv, 1, 8) = ? AS is_low"
      " FROM user_conv u JOIN conversation c ON c.conv = u.conv"
      " WHERE u.uid = ? AND c.head_seq > 0";
  text += newest_first
              ? " AND u.leave_seq = 0 AND c.head_ms < ? ORDER BY c.head_ms DESC, u.conv LIMIT ?) r"
              : " AND c.head_ms >= ? AND u.conv > ? ORDER BY u.conv LIMIT ?) r";
  text +=
      " LEFT JOIN message m ON m.conv = r.conv AND m.seq = r.head_seq AND m.seq > r.cleared_to"
      " LEFT JOIN user_conv p ON p.conv = r.conv AND p.uid ="
      " CAST(CONV(HEX(IF(r.is_low, SUBSTR(r.conv, 9), SUBSTR(r.conv, 1, 8))), 16, 10) AS UNSIGNED)";
  text += newest_first ? " ORDER BY r.head_ms DESC, r.conv" : " ORDER BY r.conv";
  return text;
}
// What comes before that list, and instead of it when there is nothing to list (a third of its
// cost): NOW() is the statement's start, so the clock is read before its read view begins.
inline constexpr std::string_view kBeforeList =
    "SELECT CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED), h.useq_head,"
    " EXISTS (SELECT 1 FROM user_conv u STRAIGHT_JOIN conversation c ON c.conv = u.conv"
    " WHERE u.uid = ? AND u.conv > ? AND c.head_seq > 0 AND c.head_ms >= ?)"
    " FROM user h WHERE h.uid = ?";

// --- groups
// ---------------------------------------------------------------------------------------------------------
// Members by the column (packed_rows.h), at most kPackedRowsMax in one statement.
inline constexpr std::string_view kGroup =
    "SELECT g.name, c.member_version, m.uid, m.role, m.join_seq FROM group_info g"
    " JOIN conversation c ON c.conv = ?"
    " LEFT JOIN group_member m ON m.gid = g.gid AND m.leave_seq = 0 WHERE g.gid = ? ORDER BY m.uid";
inline constexpr std::string_view kLeftGroup =
    "SELECT 1 FROM group_member WHERE gid = ? AND uid = ? AND leave_seq > 0";
inline constexpr std::string_view kGroupOfCreation =
    "SELECT gid FROM group_creation WHERE creator = ? AND creation_id = ?";
inline constexpr std::string_view kAddGroup =
    "INSERT INTO group_info (name, owner, created_ms, data)"
    " VALUES (?, ?, CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED), '')";
inline constexpr std::string_view kGivenGid = "SELECT LAST_INSERT_ID()";
inline constexpr std::string_view kAddCreation =
    "INSERT INTO group_creation (creator, creation_id, gid) VALUES (?, ?, ?)";
inline constexpr std::string_view kMakeGroupConversation =
    "INSERT INTO conversation (conv, type) VALUES (?, 2)";
inline constexpr std::string_view kCountUsersPacked =
    "SELECT COUNT(*) FROM batch_place p STRAIGHT_JOIN user u"
    " ON u.uid = CAST(SUBSTR(?,p.at20,20) AS UNSIGNED) WHERE p.n <= ?";
inline constexpr std::string_view kJoinGroupPacked =
    "INSERT INTO group_member (uid, gid, role, join_seq, leave_seq)"
    " SELECT SUBSTR(?,at20,20), ?, 1, ?, 0 FROM batch_place WHERE n <= ? ORDER BY n"
    " ON DUPLICATE KEY UPDATE role = 1, join_seq = VALUES(join_seq), leave_seq = 0";
inline constexpr std::string_view kJoinConversationPacked =
    "INSERT INTO user_conv (uid, conv, join_seq, visible_from)"
    " SELECT SUBSTR(?,at20,20), ?, ?, ? FROM batch_place WHERE n <= ? ORDER BY n"
    " ON DUPLICATE KEY UPDATE join_seq = VALUES(join_seq), visible_from = VALUES(visible_from),"
    " leave_seq = 0";
// The rows are there: whoever leaves was in.
inline constexpr std::string_view kLeaveGroupPacked =
    "INSERT INTO group_member (uid, gid, role, join_seq, leave_seq)"
    " SELECT SUBSTR(?,at20,20), ?, 1, 0, ? FROM batch_place WHERE n <= ? ORDER BY n"
    " ON DUPLICATE KEY UPDATE role = 1, leave_seq = VALUES(leave_seq)";
inline constexpr std::string_view kLeaveConversationPacked =
    "INSERT INTO user_conv (uid, conv, leave_seq)"
    " SELECT SUBSTR(?,at20,20), ?, ? FROM batch_place WHERE n <= ? ORDER BY n"
    " ON DUPLICATE KEY UPDATE leave_seq = VALUES(leave_seq)";
inline constexpr std::string_view kOwnGroup =
    "UPDATE group_member SET role = 2 WHERE gid = ? AND uid = ?";
inline constexpr std::string_view kNameOwner = "UPDATE group_info SET owner = ? WHERE gid = ?";
inline std::string group_names(std::size_t rows) {
  return multi_row("SELECT gid, name FROM group_info WHERE gid IN (", "?", rows, ")");
}

// --- accounts
// -------------------------------------------------------------------------------------------------------
inline constexpr std::string_view kNextUid =
    "SELECT next_uid FROM store_state WHERE id = 1 FOR UPDATE";
inline constexpr std::string_view kSetNextUid = "UPDATE store_state SET next_uid = ? WHERE id = 1";
inline std::string insert_users(std::size_t rows) {
  return multi_row("INSERT INTO user (uid, name, created_ms) VALUES ",
                   "(?,NULLIF(?, ''),CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED))", rows);
}
inline constexpr std::string_view kSetCredential =
    "INSERT INTO credential (uid, phc) VALUES (?, ?) ON DUPLICATE KEY UPDATE phc = VALUES(phc)";
inline std::string find_by_uid(std::size_t rows) {
  return multi_row("SELECT uid, COALESCE(name, '') FROM user WHERE uid IN (", "?", rows, ")");
}
inline std::string find_by_name(std::size_t rows) {
  return multi_row("SELECT uid, COALESCE(name, '') FROM user WHERE name IN (", "?", rows, ")");
}
inline constexpr std::string_view kCredential =
    "SELECT u.uid, COALESCE(u.name, ''), COALESCE(c.phc, '') FROM user u LEFT JOIN credential c ON "
    "c.uid = u.uid"
    " WHERE u.uid = ?";
inline constexpr std::string_view kMakeGuard =
    "INSERT INTO login_guard (subject, tokens_milli, filled_ms, failures, locks, locked_until_ms)"
    " VALUES (?, 0, 0, 0, 0, 0) ON DUPLICATE KEY UPDATE subject = VALUES(subject)";
inline constexpr std::string_view kReadGuard =
    "SELECT tokens_milli, filled_ms, failures, locks, locked_until_ms,"
    " CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED) FROM login_guard WHERE subject = ? FOR UPDATE";
inline constexpr std::string_view kWriteGuard =
    "UPDATE login_guard SET tokens_milli = ?, filled_ms = ?, failures = ?, locks = ?, "
    "locked_until_ms = ?"
    " WHERE subject = ?";
inline constexpr std::string_view kLockUser =
    "SELECT COALESCE(name, '') FROM user WHERE uid = ? FOR UPDATE";
inline constexpr std::string_view kReadSlot =
    "SELECT auth_epoch, device FROM auth_slot WHERE uid = ? AND slot = ? FOR UPDATE";
inline constexpr std::string_view kWriteSlot =
    "INSERT INTO auth_slot (uid, slot, auth_epoch, device) VALUES (?,?,?,?)"
    " ON DUPLICATE KEY UPDATE auth_epoch = VALUES(auth_epoch), device = VALUES(device)";
inline constexpr std::string_view kWriteDevice =
    "INSERT INTO device (uid, device, slot, name, last_login_ms)"
    " VALUES (?,?,?,?,CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED))"
    " ON DUPLICATE KEY UPDATE slot = VALUES(slot), name = VALUES(name), last_login_ms = "
    "VALUES(last_login_ms)";
inline std::string auth_epochs(std::size_t rows) {
  return multi_row(
      "SELECT u.uid, s.slot, COALESCE(s.auth_epoch, 0), COALESCE(u.name, '') FROM user u"
      " LEFT JOIN auth_slot s ON s.uid = u.uid WHERE u.uid IN (",
      "?", rows, ")");
}

// --- facts, schema
// --------------------------------------------------------------------------------------------------
inline constexpr std::string_view kFacts =
    "SELECT store_epoch, clock_steps, beat_ms, CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED)"
    " FROM store_state WHERE id = 1";
inline constexpr std::string_view kBeat =
    "UPDATE store_state SET beat_ms = GREATEST(beat_ms, ?) WHERE id = 1";
inline constexpr std::string_view kRaiseSteps =
    "UPDATE store_state SET clock_steps = clock_steps + 1,"
    " beat_ms = CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED) WHERE id = 1 AND clock_steps = ?";
inline constexpr std::string_view kHasSchema =
    "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name "
    "= 'schema_version'";
inline constexpr std::string_view kApplied =
    "SELECT version, sha256, applied_ms FROM schema_version ORDER BY version";
inline constexpr std::string_view kRecordStep =
    "INSERT INTO schema_version (version, sha256, applied_ms)"
    " VALUES (?, ?, CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED))";

}  // namespace hy::das::mysql::sql_text
