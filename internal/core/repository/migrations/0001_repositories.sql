-- +goose Up
CREATE TABLE repositories (
  id             TEXT PRIMARY KEY,
  namespace      TEXT NOT NULL,
  name           TEXT NOT NULL,
  space          TEXT NOT NULL,
  description    TEXT NOT NULL,
  default_branch TEXT NOT NULL,
  protected      INTEGER NOT NULL,
  archived       INTEGER NOT NULL,
  created        BIGINT NOT NULL,
  created_by     TEXT NOT NULL,
  updated        BIGINT NOT NULL,
  pushed         BIGINT NOT NULL,
  deleted        BIGINT NOT NULL, -- since when it is hidden; 0 while it is there
  deleted_by     TEXT NOT NULL,
  purge          BIGINT NOT NULL, -- when a deleted one is removed for good
  generation     BIGINT NOT NULL, -- raised by every mark and every settlement
  dirty          INTEGER NOT NULL, -- 1 from before references may move until what moved is recorded
  dirty_actor    TEXT NOT NULL, -- who moves them
  dirty_platform INTEGER NOT NULL,
  dirty_cause    TEXT NOT NULL,
  dirty_run      TEXT NOT NULL,
  dirty_options  TEXT NOT NULL, -- JSON, of the push; '' when it has none
  UNIQUE (namespace, name)
);
CREATE INDEX repositories_space ON repositories (space, namespace, name);
CREATE INDEX repositories_pushed ON repositories (pushed, namespace, name);
CREATE INDEX repositories_dirty ON repositories (id) WHERE dirty = 1;
CREATE INDEX repositories_purge ON repositories (purge) WHERE deleted > 0;

-- What the ledger knows of the references of a repository.
CREATE TABLE repository_refs (
  repository TEXT NOT NULL,
  name       TEXT NOT NULL,
  hash       TEXT NOT NULL,
  actor      TEXT NOT NULL, -- who moved it there
  updated    BIGINT NOT NULL,
  PRIMARY KEY (repository, name)
);

-- Heads that the platform itself pushed.
CREATE TABLE repository_platform_commits (
  repository TEXT NOT NULL,
  hash       TEXT NOT NULL,
  PRIMARY KEY (repository, hash)
);
-- Whose names were that have become free.
CREATE TABLE repository_former_names (
  namespace  TEXT NOT NULL,
  name       TEXT NOT NULL,
  repository TEXT NOT NULL, -- id
  space      TEXT NOT NULL,
  created_by TEXT NOT NULL,
  PRIMARY KEY (namespace, name)
);

