-- Which group a person's creation_id made: a creation that is repeated finds the first one. The tables of groups
-- themselves are there since step 1 (role: 1 member, 2 owner).
CREATE TABLE IF NOT EXISTS group_creation (
  creator BIGINT UNSIGNED NOT NULL,
  creation_id BINARY(16) NOT NULL,
  gid BIGINT UNSIGNED NOT NULL,
  PRIMARY KEY (creator, creation_id)
) ENGINE=InnoDB;
