-- +goose Up
CREATE TABLE directories (
  name TEXT PRIMARY KEY,       -- NAMESPACE/NAME
  space TEXT NOT NULL,
  spec TEXT NOT NULL,
  version TEXT NOT NULL,       -- digest of space and spec
  generation BIGINT NOT NULL,  -- changes with each change of what it holds, and with each look
  state TEXT NOT NULL,
  reason TEXT NOT NULL,
  looked BIGINT NOT NULL,
  since BIGINT NOT NULL,
  written BIGINT NOT NULL,     -- when an identity provider wrote to it first; 0 for not yet
  held BIGINT NOT NULL,        -- when all of it was held against the catalog last
  digest TEXT NOT NULL,        -- of what an LDAP server said when all of it was taken last
  found TEXT NOT NULL          -- JSON: counts and problems
);

-- What identity providers have sent by SCIM.
CREATE TABLE directory_resources (
  directory TEXT NOT NULL,
  id TEXT NOT NULL,
  kind TEXT NOT NULL,          -- User, Group
  label TEXT NOT NULL,         -- userName or displayName, in lower case
  external_id TEXT NOT NULL,
  name TEXT NOT NULL,          -- of its entity, for as long as it is there
  active INTEGER NOT NULL,
  gone INTEGER NOT NULL,       -- deleted, and its entity is still to go
  attributes TEXT NOT NULL,    -- JSON, without members
  created BIGINT NOT NULL,
  changed BIGINT NOT NULL,
  version BIGINT NOT NULL,
  stale INTEGER NOT NULL,      -- its entity is still to be brought up to date
  problem TEXT NOT NULL,       -- why the catalog does not have it so
  PRIMARY KEY (directory, id)
);
CREATE INDEX directory_resources_label ON directory_resources (directory, kind, label);
CREATE INDEX directory_resources_external ON directory_resources (directory, kind, external_id);
CREATE INDEX directory_resources_name ON directory_resources (directory, kind, name);
CREATE INDEX directory_resources_stale ON directory_resources (directory, stale);

CREATE TABLE directory_members (
  directory TEXT NOT NULL,
  team TEXT NOT NULL,          -- id of a Group
  member TEXT NOT NULL,        -- id of a User or a Group
  PRIMARY KEY (directory, team, member)
);
CREATE INDEX directory_members_member ON directory_members (directory, member);

-- +goose Down
DROP TABLE directory_members;
DROP TABLE directory_resources;
DROP TABLE directories;
