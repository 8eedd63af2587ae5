-- Which group a person's creation_id made: a creation that is repeated finds the first one. The tables of groups
-- themselves are there since step 1 (role: 1 member, 2 owner).

CREATE TABLE group_creation (
  creator INTEGER NOT NULL,
  creation_id BLOB NOT NULL CHECK (length(creation_id) = 16),
  gid INTEGER NOT NULL,
  PRIMARY KEY (creator, creation_id)
) STRICT, WITHOUT ROWID;
