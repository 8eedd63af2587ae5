-- Rows in the order of arrival (docs/decisions/0007-messages-in-order-of-arrival.md): a batch of any conversations is
-- written side by side at the end of the table, and at the end of the identity index too, whose entries begin with an
-- id that begins with the time. (conv, seq) is an index of small entries. Rows that are there already are laid down
-- conversation by conversation.

CREATE TABLE message_by_arrival (
  id INTEGER PRIMARY KEY,
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
  body BLOB NOT NULL
) STRICT;

INSERT INTO message_by_arrival (conv, seq, sender, client_msg_id, payload_hash, kind, flags, state, edit_version,
  countable, ordinal, server_ms, body)
  SELECT conv, seq, sender, client_msg_id, payload_hash, kind, flags, state, edit_version, countable, ordinal,
    server_ms, body FROM message ORDER BY conv, seq;

DROP TABLE message;
ALTER TABLE message_by_arrival RENAME TO message;
CREATE UNIQUE INDEX message_place ON message (conv, seq);
CREATE UNIQUE INDEX message_identity ON message (client_msg_id, sender, conv);
