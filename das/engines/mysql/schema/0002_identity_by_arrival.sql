-- The identity key begins with the id, which begins with the time (docs/decisions/0006-time-ordered-message-ids.md): new
-- entries of all conversations stand side by side at its end, instead of each on a page of its own.
-- One statement, so that a crash leaves either key; it may be run again.
ALTER TABLE message DROP INDEX identity, ADD UNIQUE KEY identity (client_msg_id, sender, conv);
