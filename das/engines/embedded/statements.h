#pragma once

#include <string_view>

/// Every SQL text of the embedded engine's data operations.
namespace hy::das::embedded::sql {

// Messages.
inline constexpr std::string_view kHead =
    "SELECT head_seq, countable_head, member_version, low_last, high_last, head_ms, last_id FROM "
    "conversation WHERE conv = ?1";
inline constexpr std::string_view kRaiseHead =
    "UPDATE conversation SET head_seq = ?2, countable_head = ?3, head_ms = ?4, low_last = ?5, "
    "high_last = ?6, last_id = ?7 WHERE conv = ?1";
inline constexpr std::string_view kMoveHeadMs =
    "UPDATE conversation SET head_ms = ?2 WHERE conv = ?1";
inline constexpr std::string_view kInsertMessage =
    "INSERT INTO message (conv, seq, sender, client_msg_id, payload_hash, kind, flags, state, "
    "edit_version, countable, ordinal, server_ms, body, prev) "
    "VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, 0, 0, ?7, ?8, ?9, ?10, ?11)";
inline constexpr std::string_view kFindIdentity =
    "SELECT seq, server_ms, payload_hash FROM message WHERE conv = ?1 AND sender = ?2 AND "
    "client_msg_id = ?3";
inline constexpr std::string_view kMember =
    "SELECT c.head_seq, u.visible_from, u.leave_seq, c.last_id FROM user_conv u JOIN conversation "
    "c ON c.conv "
    "= u.conv WHERE u.uid = ?1 AND u.conv = ?2";
/// The term of the partial index stands as the index has it, or it is not used.
inline constexpr std::string_view kMilestone =
    "SELECT id FROM message WHERE conv = ?1 AND seq = ?2 AND seq % 32 = 0";
// One row of a chain each, by id: conv and seq say whether it is the one that was looked for.
inline constexpr std::string_view kChainLink =
    "SELECT conv, seq, prev, length(body) FROM message WHERE id = ?1";
inline constexpr std::string_view kChainRow =
    "SELECT conv, seq, prev, sender, client_msg_id, kind, server_ms, body FROM message WHERE id = "
    "?1";
inline constexpr std::string_view kChainRowWithoutBody =
    "SELECT conv, seq, prev, sender, client_msg_id, kind, server_ms FROM message WHERE id = ?1";
inline constexpr std::string_view kChainOrdinal =
    "SELECT conv, seq, ordinal FROM message WHERE id = ?1";
inline constexpr std::string_view kFindId =
    "SELECT seq, sender, client_msg_id, kind, server_ms FROM message WHERE conv = ?1 AND sender = "
    "?2 AND client_msg_id = ?3";
inline constexpr std::string_view kReadSeq =
    "SELECT read_seq FROM user_conv WHERE uid = ?1 AND conv = ?2";

// Membership.
inline constexpr std::string_view kUserExists = "SELECT 1 FROM user WHERE uid = ?1";
inline constexpr std::string_view kBlocks = "SELECT 1 FROM blacklist WHERE uid = ?1 AND peer = ?2";
inline constexpr std::string_view kBlock = "INSERT INTO blacklist VALUES (?1, ?2, ?3)";
inline constexpr std::string_view kUnblock = "DELETE FROM blacklist WHERE uid = ?1 AND peer = ?2";
inline constexpr std::string_view kMemberVersion =
    "SELECT member_version FROM conversation WHERE conv = ?1";
inline constexpr std::string_view kRaiseMemberVersion =
    "UPDATE conversation SET member_version = member_version + 1 WHERE conv = ?1";
inline constexpr std::string_view kCountUserConv =
    "SELECT count(*) FROM user_conv WHERE conv = ?1 AND uid IN (?2, ?3)";
inline constexpr std::string_view kMakeConversation =
    "INSERT INTO conversation VALUES (?1, 1, 0, ?2, 0, 0, 1, 0, 0, 0) ON CONFLICT DO NOTHING";
inline constexpr std::string_view kMakeUserConv =
    "INSERT INTO user_conv VALUES (?1, ?2, 0, 0, 1, 0, 0, 0, 0) ON CONFLICT DO NOTHING";
inline constexpr std::string_view kReadState =
    "SELECT u.read_seq, c.head_seq, u.leave_seq FROM user_conv u JOIN conversation c ON c.conv = "
    "u.conv WHERE "
    "u.uid = ?1 AND u.conv = ?2";
inline constexpr std::string_view kSetRead =
    "UPDATE user_conv SET read_seq = ?3 WHERE uid = ?1 AND conv = ?2";
inline constexpr std::string_view kNextUseq =
    "UPDATE user SET useq_head = useq_head + 1 WHERE uid = ?1 RETURNING useq_head";
inline constexpr std::string_view kAddEvent =
    "INSERT INTO user_event VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
inline constexpr std::string_view kListSince =
    "SELECT c.conv, c.head_seq, c.head_ms, c.countable_head, c.low_last, c.high_last, u.read_seq, "
    "u.join_seq, u.cleared_to, u.visible_from, c.last_id, u.leave_seq FROM user_conv u JOIN "
    "conversation c ON "
    "c.conv = u.conv WHERE u.uid = ?1 AND u.conv > ?2 AND c.head_seq > 0 AND c.head_ms >= ?3 ORDER "
    "BY "
    "u.conv LIMIT ?4";
/// Rows of equal head_ms stay on one page: the page ends at the time of its limit-th row.
inline constexpr std::string_view kListNewest =
    "WITH mine AS (SELECT c.conv, c.head_seq, c.head_ms, c.countable_head, c.low_last, "
    "c.high_last, u.read_seq, u.join_seq, u.cleared_to, u.visible_from, c.last_id, "
    "u.leave_seq FROM user_conv u JOIN conversation c ON c.conv = u.conv WHERE u.uid = ?1 AND "
    "u.leave_seq = 0 AND c.head_seq > 0 AND c.head_ms < ?2) "
    "SELECT * FROM mine WHERE head_ms >= coalesce((SELECT head_ms FROM mine ORDER BY head_ms DESC "
    "LIMIT 1 OFFSET ?3 - 1), -9223372036854775808) ORDER BY head_ms DESC, conv LIMIT ?3 * 2";
inline constexpr std::string_view kOlderExists =
    "SELECT 1 FROM user_conv u JOIN conversation c ON c.conv = u.conv WHERE u.uid = ?1 AND "
    "u.leave_seq = 0 AND c.head_seq > 0 AND c.head_ms < ?2 LIMIT 1";

// Groups.
inline constexpr std::string_view kGroup =
    "SELECT g.name, c.member_version FROM group_info g JOIN conversation c ON c.conv = ?2 WHERE "
    "g.gid = ?1";
inline constexpr std::string_view kGroupName = "SELECT name FROM group_info WHERE gid = ?1";
inline constexpr std::string_view kGroupMembers =
    "SELECT uid, role, join_seq FROM group_member WHERE gid = ?1 AND leave_seq = 0 ORDER BY uid";
inline constexpr std::string_view kLeftGroup =
    "SELECT 1 FROM group_member WHERE gid = ?1 AND uid = ?2 AND leave_seq > 0";
inline constexpr std::string_view kGroupOfCreation =
    "SELECT gid FROM group_creation WHERE creator = ?1 AND creation_id = ?2";
inline constexpr std::string_view kAddGroup =
    "INSERT INTO group_info (name, owner, created_ms, data) VALUES (?1, ?2, ?3, x'')";
inline constexpr std::string_view kAddCreation = "INSERT INTO group_creation VALUES (?1, ?2, ?3)";
inline constexpr std::string_view kMakeGroupConversation =
    "INSERT INTO conversation VALUES (?1, 2, 0, ?2, 0, 0, 0, 0, 0, 0)";
inline constexpr std::string_view kJoinGroup =
    "INSERT INTO group_member VALUES (?1, ?2, 1, ?3, 0) ON CONFLICT (gid, uid) DO UPDATE SET role "
    "= 1, join_seq = ?3, leave_seq = 0";
inline constexpr std::string_view kJoinConversation =
    "INSERT INTO user_conv VALUES (?1, ?2, ?3, 0, ?3, 0, 0, 0, 0) ON CONFLICT (uid, conv) DO "
    "UPDATE SET join_seq = ?3, leave_seq = 0, visible_from = ?3";
inline constexpr std::string_view kLeaveGroup =
    "UPDATE group_member SET role = 1, leave_seq = ?3 WHERE gid = ?1 AND uid = ?2";
inline constexpr std::string_view kLeaveConversation =
    "UPDATE user_conv SET leave_seq = ?3 WHERE conv = ?1 AND uid = ?2";
inline constexpr std::string_view kOwnGroup =
    "UPDATE group_member SET role = 2 WHERE gid = ?1 AND uid = ?2";
inline constexpr std::string_view kNameOwner = "UPDATE group_info SET owner = ?2 WHERE gid = ?1";

// User log.
inline constexpr std::string_view kUseqHead = "SELECT useq_head FROM user WHERE uid = ?1";
inline constexpr std::string_view kEvents =
    "SELECT useq, kind, conv, seq, peer, is_on FROM user_event WHERE uid = ?1 AND useq > ?2 ORDER "
    "BY useq LIMIT ?3";

// Accounts.
inline constexpr std::string_view kUidByName = "SELECT uid FROM user WHERE name = ?1";
inline constexpr std::string_view kUserByUid = "SELECT uid, name FROM user WHERE uid = ?1";
inline constexpr std::string_view kUserByName = "SELECT uid, name FROM user WHERE name = ?1";
inline constexpr std::string_view kAddUser = "INSERT INTO user VALUES (?1, ?2, ?3, 0)";
inline constexpr std::string_view kSetCredential =
    "INSERT INTO credential VALUES (?1, ?2, ?3) ON CONFLICT (uid) DO UPDATE SET password_phc = "
    "?2, changed_ms = ?3";
inline constexpr std::string_view kCredential =
    "SELECT password_phc FROM credential WHERE uid = ?1";
inline constexpr std::string_view kGuard =
    "SELECT tokens_milli, filled_ms, failures, locks, locked_until_ms FROM login_guard WHERE who = "
    "?1";
inline constexpr std::string_view kSetGuard =
    "INSERT INTO login_guard VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (who) DO UPDATE SET "
    "tokens_milli = ?2, filled_ms = ?3, failures = ?4, locks = ?5, locked_until_ms = ?6";
inline constexpr std::string_view kForgetGuards =
    "DELETE FROM login_guard WHERE who IN (SELECT who FROM login_guard WHERE filled_ms < ?1 AND "
    "locked_until_ms < ?1 ORDER BY filled_ms LIMIT 200)";
inline constexpr std::string_view kAuthSlot =
    "SELECT auth_epoch, device_id FROM auth_slot WHERE uid = ?1 AND slot = ?2";
inline constexpr std::string_view kSetAuthSlot =
    "INSERT INTO auth_slot VALUES (?1, ?2, ?3, ?4) ON CONFLICT (uid, slot) DO UPDATE SET "
    "auth_epoch = ?3, device_id = ?4";
inline constexpr std::string_view kSetDevice =
    "INSERT INTO device VALUES (?1, ?2, ?3, ?4, '', '', ?5, x'') ON CONFLICT (uid, device_id) DO "
    "UPDATE SET slot = ?3, device_name = ?4, last_login_ms = ?5";

// Store facts.
inline constexpr std::string_view kFacts =
    "SELECT store_epoch, clock_steps, beat_ms FROM store_epoch WHERE one = 1";
inline constexpr std::string_view kBeat =
    "UPDATE store_epoch SET beat_ms = max(beat_ms, ?1) WHERE one = 1";
inline constexpr std::string_view kRaiseSteps =
    "UPDATE store_epoch SET clock_steps = ?1 + 1, beat_ms = ?2 WHERE one = 1 AND clock_steps = ?1";

}  // namespace hy::das::embedded::sql
