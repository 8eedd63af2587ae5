#pragma once

/// Every SQL text of the device's store.
namespace hy::client::sql {

inline constexpr int kSchemaVersion = 1;
inline constexpr const char* kSchema = R"(
CREATE TABLE device (
  one INTEGER PRIMARY KEY CHECK (one = 1), uid INTEGER NOT NULL, name TEXT NOT NULL,
  device_id TEXT NOT NULL, token BLOB NOT NULL, auth_epoch INTEGER NOT NULL,
  conn_counter INTEGER NOT NULL, since INTEGER NOT NULL, useq INTEGER NOT NULL,
  store_epoch INTEGER NOT NULL, clock_steps INTEGER NOT NULL, last_entry TEXT NOT NULL) STRICT;
CREATE TABLE conversation (
  conv BLOB PRIMARY KEY, base INTEGER NOT NULL, have INTEGER NOT NULL, head INTEGER NOT NULL,
  head_ms INTEGER NOT NULL, read INTEGER NOT NULL, read_wanted INTEGER NOT NULL,
  peer_read INTEGER NOT NULL, peer_delivered INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE message (
  id INTEGER PRIMARY KEY, conv BLOB NOT NULL, seq INTEGER, sender INTEGER NOT NULL,
  cmid BLOB NOT NULL, kind INTEGER NOT NULL, body BLOB NOT NULL, server_ms INTEGER NOT NULL,
  provisional INTEGER NOT NULL, UNIQUE (conv, seq), UNIQUE (conv, sender, cmid)) STRICT;
CREATE TABLE outbox (
  cmid BLOB PRIMARY KEY, ord INTEGER NOT NULL, conv BLOB NOT NULL, to_uid INTEGER NOT NULL,
  kind INTEGER NOT NULL, body BLOB NOT NULL, created_ms INTEGER NOT NULL, step INTEGER NOT NULL,
  code INTEGER NOT NULL) STRICT;
CREATE TABLE name (name TEXT PRIMARY KEY, uid INTEGER NOT NULL) STRICT, WITHOUT ROWID;
)";

inline constexpr const char* kGetDevice =
    "SELECT uid, name, device_id, token, auth_epoch, conn_counter, since, useq, store_epoch, "
    "clock_steps, last_entry FROM device";
inline constexpr const char* kPutDevice =
    "INSERT OR REPLACE INTO device (one, uid, name, device_id, token, auth_epoch, conn_counter, "
    "since, useq, store_epoch, clock_steps, last_entry) VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "
    "?)";
inline constexpr const char* kGetConversations =
    "SELECT conv, base, have, head, head_ms, read, read_wanted, peer_read, peer_delivered FROM "
    "conversation";
inline constexpr const char* kPutConversation =
    "INSERT OR REPLACE INTO conversation (conv, base, have, head, head_ms, read, read_wanted, "
    "peer_read, peer_delivered) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)";
inline constexpr const char* kGetOutbox =
    "SELECT cmid, ord, conv, to_uid, kind, body, created_ms, step, code FROM outbox ORDER BY ord";
inline constexpr const char* kPutOutbox =
    "INSERT OR REPLACE INTO outbox (cmid, ord, conv, to_uid, kind, body, created_ms, step, code) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)";
inline constexpr const char* kSetOutboxStep =
    "UPDATE outbox SET step = ?2, code = ?3 WHERE cmid = ?1";
inline constexpr const char* kDropOutbox = "DELETE FROM outbox WHERE cmid = ?";
inline constexpr const char* kFindRow =
    "SELECT id, seq, provisional FROM message WHERE conv = ? AND sender = ? AND cmid = ?";
/// A seq belongs to one row: what stood there before the server's log was set back gives way.
inline constexpr const char* kFreeSeq = "UPDATE message SET seq = NULL WHERE conv = ? AND seq = ?";
inline constexpr const char* kInsertRow =
    "INSERT INTO message (conv, seq, sender, cmid, kind, body, server_ms, provisional) VALUES "
    "(?, ?, ?, ?, ?, ?, ?, ?)";
inline constexpr const char* kMoveRow =
    "UPDATE message SET seq = ?2, server_ms = ?3, provisional = 0 WHERE id = ?1";
inline constexpr const char* kForgetSeqs = "UPDATE message SET seq = NULL WHERE conv = ?";
inline constexpr const char* kGetRows =
    "SELECT seq, sender, cmid, kind, body, server_ms FROM message WHERE conv = ? AND seq >= ? AND "
    "seq <= ? ORDER BY seq DESC LIMIT ?";
inline constexpr const char* kGetRowsFirst =
    "SELECT seq, sender, cmid, kind, body, server_ms FROM message WHERE conv = ? AND seq >= ? AND "
    "seq <= ? ORDER BY seq LIMIT ?";
inline constexpr const char* kFindName = "SELECT uid FROM name WHERE name = ?";
inline constexpr const char* kPutName = "INSERT OR REPLACE INTO name (name, uid) VALUES (?, ?)";

}  // namespace hy::client::sql
