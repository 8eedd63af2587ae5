-- Ids are at most 2^63-1 (SQLite's integers are signed). conv is 16 bytes, big-endian hi | lo. Times are unix
-- milliseconds of the machine that runs das, which is the store's clock of this engine.

CREATE TABLE store_epoch (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  store_epoch INTEGER NOT NULL,
  clock_steps INTEGER NOT NULL,
  beat_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE conversation (
  conv BLOB PRIMARY KEY CHECK (length(conv) = 16),
  type INTEGER NOT NULL,
  head_seq INTEGER NOT NULL,
  head_ms INTEGER NOT NULL,
  countable_head INTEGER NOT NULL,
  op_head INTEGER NOT NULL,
  member_version INTEGER NOT NULL,
  -- pairs: the last seq that each person wrote (low = smaller uid), raised under the same row lock: "own last"
  -- of unread costs no index and no further write
  low_last INTEGER NOT NULL,
  high_last INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE message (
  conv BLOB NOT NULL,
  seq INTEGER NOT NULL,
  sender INTEGER NOT NULL,
  client_msg_id BLOB NOT NULL CHECK (length(client_msg_id) = 16),
  payload_hash BLOB NOT NULL CHECK (length(payload_hash) = 16),
  kind INTEGER NOT NULL,
  flags INTEGER NOT NULL,
  state INTEGER NOT NULL,
  edit_version INTEGER NOT NULL,
  countable INTEGER NOT NULL,
  -- countable messages up to and with this one
  ordinal INTEGER NOT NULL,
  server_ms INTEGER NOT NULL,
  body BLOB NOT NULL,
  PRIMARY KEY (conv, seq)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX message_identity ON message (conv, sender, client_msg_id);

CREATE TABLE conv_op (
  conv BLOB NOT NULL,
  op_seq INTEGER NOT NULL,
  kind INTEGER NOT NULL,
  from_seq INTEGER NOT NULL,
  to_seq INTEGER NOT NULL,
  actor INTEGER NOT NULL,
  data BLOB NOT NULL,
  server_ms INTEGER NOT NULL,
  PRIMARY KEY (conv, op_seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE user_conv (
  uid INTEGER NOT NULL,
  conv BLOB NOT NULL,
  join_seq INTEGER NOT NULL,
  -- 0: still a member
  leave_seq INTEGER NOT NULL,
  visible_from INTEGER NOT NULL,
  read_seq INTEGER NOT NULL,
  pinned INTEGER NOT NULL,
  muted INTEGER NOT NULL,
  cleared_to INTEGER NOT NULL,
  PRIMARY KEY (uid, conv)
) STRICT, WITHOUT ROWID;

CREATE TABLE user (
  uid INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT UNIQUE,
  created_ms INTEGER NOT NULL,
  useq_head INTEGER NOT NULL
) STRICT;

CREATE TABLE user_event (
  uid INTEGER NOT NULL,
  useq INTEGER NOT NULL,
  kind INTEGER NOT NULL,
  conv BLOB,
  seq INTEGER NOT NULL,
  peer INTEGER NOT NULL,
  is_on INTEGER NOT NULL,
  server_ms INTEGER NOT NULL,
  PRIMARY KEY (uid, useq)
) STRICT, WITHOUT ROWID;

CREATE TABLE credential (
  uid INTEGER PRIMARY KEY,
  password_phc TEXT NOT NULL,
  changed_ms INTEGER NOT NULL
) STRICT;

-- who: "uid:17" or "ip:192.0.2.1"
CREATE TABLE login_guard (
  who TEXT PRIMARY KEY,
  tokens_milli INTEGER NOT NULL,
  filled_ms INTEGER NOT NULL,
  failures INTEGER NOT NULL,
  locks INTEGER NOT NULL,
  locked_until_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX login_guard_age ON login_guard (filled_ms);

-- the installation that is signed in on (uid, slot), and the epoch that fences the ones before it
CREATE TABLE auth_slot (
  uid INTEGER NOT NULL,
  slot INTEGER NOT NULL,
  auth_epoch INTEGER NOT NULL,
  device_id TEXT NOT NULL,
  PRIMARY KEY (uid, slot)
) STRICT, WITHOUT ROWID;

CREATE TABLE device (
  uid INTEGER NOT NULL,
  device_id TEXT NOT NULL,
  slot INTEGER NOT NULL,
  device_name TEXT NOT NULL,
  platform TEXT NOT NULL,
  push_token TEXT NOT NULL,
  last_login_ms INTEGER NOT NULL,
  acked_cursors BLOB NOT NULL,
  PRIMARY KEY (uid, device_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE blacklist (
  uid INTEGER NOT NULL,
  peer INTEGER NOT NULL,
  since_ms INTEGER NOT NULL,
  PRIMARY KEY (uid, peer)
) STRICT, WITHOUT ROWID;

CREATE TABLE friend (
  uid INTEGER NOT NULL,
  peer INTEGER NOT NULL,
  alias TEXT NOT NULL,
  since_ms INTEGER NOT NULL,
  PRIMARY KEY (uid, peer)
) STRICT, WITHOUT ROWID;

CREATE TABLE friend_request (
  uid INTEGER NOT NULL,
  from_uid INTEGER NOT NULL,
  state INTEGER NOT NULL,
  greeting TEXT NOT NULL,
  server_ms INTEGER NOT NULL,
  PRIMARY KEY (uid, from_uid)
) STRICT, WITHOUT ROWID;

CREATE TABLE group_info (
  gid INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL,
  owner INTEGER NOT NULL,
  created_ms INTEGER NOT NULL,
  data BLOB NOT NULL
) STRICT;

CREATE TABLE group_member (
  gid INTEGER NOT NULL,
  uid INTEGER NOT NULL,
  role INTEGER NOT NULL,
  join_seq INTEGER NOT NULL,
  leave_seq INTEGER NOT NULL,
  PRIMARY KEY (gid, uid)
) STRICT, WITHOUT ROWID;

CREATE TABLE outbox (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  to_shard INTEGER NOT NULL,
  kind INTEGER NOT NULL,
  data BLOB NOT NULL,
  created_ms INTEGER NOT NULL
) STRICT;
