-- Each message names the row of the one before it (docs/decisions/0009-chains-and-milestones.md), the conversation names
-- its last one, and every 32nd has an index entry to begin at: an append writes nothing of its own but the row.
-- Rows keep their ids. What the old index cannot prove dense fails a CHECK, and the step with it.

CREATE TABLE message_in_chain (
  id INTEGER PRIMARY KEY,
  -- id of seq - 1 of the same conversation
  prev INTEGER NOT NULL,
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
  CHECK ((prev = 0) = (seq = 1))
) STRICT;

INSERT INTO message_in_chain SELECT id,
  coalesce((SELECT p.id FROM message p WHERE p.conv = m.conv AND p.seq = m.seq - 1), 0), conv, seq, sender, client_msg_id,
  payload_hash, kind, flags, state, edit_version, countable, ordinal, server_ms, body FROM message m ORDER BY id;

ALTER TABLE conversation ADD COLUMN last_id INTEGER NOT NULL DEFAULT 0;
UPDATE conversation SET last_id =
  (SELECT m.id FROM message m WHERE m.conv = conversation.conv AND m.seq = conversation.head_seq) WHERE head_seq > 0;

DROP TABLE message;
ALTER TABLE message_in_chain RENAME TO message;
CREATE UNIQUE INDEX message_milestone ON message (conv, seq) WHERE seq % 32 = 0;
CREATE UNIQUE INDEX message_identity ON message (client_msg_id, sender, conv);
