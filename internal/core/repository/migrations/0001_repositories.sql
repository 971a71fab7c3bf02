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
  dirty_sender   TEXT NOT NULL, -- account at the forge
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


-- Where repositories live that are not hosted here.
CREATE TABLE repository_outsides (
  repository    TEXT PRIMARY KEY,
  integration   TEXT NOT NULL, -- NAMESPACE/NAME
  remote        TEXT NOT NULL, -- OWNER/NAME at the forge
  remote_id     TEXT NOT NULL, -- at the forge, which stays when it is renamed there
  url           TEXT NOT NULL, -- of its page
  private       INTEGER NOT NULL,
  fetched       BIGINT NOT NULL, -- when it was found, last, that something had moved, or that a trouble was over; 0 when never
  trouble       TEXT NOT NULL, -- why it can't be fetched; '' when it can
  trouble_kind  TEXT NOT NULL,
  trouble_since BIGINT NOT NULL,
  UNIQUE (integration, remote_id)
);

-- Commits that are on their way to a forge: who made them is to be known also when the answer is lost.
CREATE TABLE repository_outgoing (
  repository TEXT NOT NULL,
  ref        TEXT NOT NULL,
  hash       TEXT NOT NULL,
  actor      TEXT NOT NULL,
  platform   INTEGER NOT NULL,
  cause      TEXT NOT NULL,
  run        TEXT NOT NULL,
  at         BIGINT NOT NULL,
  PRIMARY KEY (repository, ref, hash)
);

-- What forges told of and is in the ledger, so that it is there once.
CREATE TABLE repository_told (
  repository TEXT NOT NULL,
  digest     TEXT NOT NULL,
  at         BIGINT NOT NULL,
  PRIMARY KEY (repository, digest)
);
CREATE INDEX repository_told_at ON repository_told (at);
