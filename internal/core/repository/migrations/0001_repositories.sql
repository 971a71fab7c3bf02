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
  secret_check   INTEGER NOT NULL, -- a push with a secret in it is refused
  push_limit     BIGINT NOT NULL, -- bytes; 0 is the server's, here and below
  file_limit     BIGINT NOT NULL,
  object_limit   BIGINT NOT NULL, -- of a file of Git LFS
  large_limit    BIGINT NOT NULL, -- of all of them
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

-- Repositories that were removed for good and whose folders may still be there.
CREATE TABLE repository_purges (
  repository TEXT PRIMARY KEY
);

-- Where repositories live that are not hosted here.
CREATE TABLE repository_outsides (
  repository    TEXT PRIMARY KEY,
  integration   TEXT NOT NULL, -- NAMESPACE/NAME
  remote        TEXT NOT NULL, -- OWNER/NAME at the forge
  remote_id     TEXT NOT NULL, -- at the forge, which stays when it is renamed there
  url           TEXT NOT NULL, -- of its page
  private       INTEGER NOT NULL,
  content       TEXT NOT NULL, -- how it is read: clone, or api as long as there is no mirror
  complete      INTEGER NOT NULL, -- 1 when repository_refs has had all of its references, and not only those that were asked for
  fetched       BIGINT NOT NULL, -- when it was found, last, that something had moved, or that a trouble was over; 0 when never
  mark          TEXT NOT NULL, -- the forge's, of what it said of the repository last; '' for none
  changed       BIGINT NOT NULL, -- what it said then of the last change
  quiet         BIGINT NOT NULL, -- a last change by which nothing is missing here
  listed        BIGINT NOT NULL, -- when the references were compared last
  trouble       TEXT NOT NULL, -- why it can't be fetched; '' when it can
  trouble_kind  TEXT NOT NULL,
  trouble_since BIGINT NOT NULL,
  UNIQUE (integration, remote_id)
);
CREATE INDEX repository_outsides_page ON repository_outsides (LOWER(url));

-- Pages that such repositories had before they were renamed at the forge: files go on to name them by these.
CREATE TABLE repository_former_pages (
  repository TEXT NOT NULL,
  page       TEXT NOT NULL, -- in lower case
  until      BIGINT NOT NULL,
  PRIMARY KEY (repository, page)
);
CREATE INDEX repository_former_pages_page ON repository_former_pages (page);

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

-- Where repositories are imported from, once or again and again.
CREATE TABLE repository_imports (
  repository TEXT PRIMARY KEY,
  url        TEXT NOT NULL,
  username   TEXT NOT NULL,
  sealed     TEXT NOT NULL, -- the password, sealed, in base64; '' when there is none, or a secret has it
  secret     TEXT NOT NULL, -- SPACE/NAME or SPACE/NAME#KEY
  every      BIGINT NOT NULL, -- microseconds between looks; 0 for once
  state      TEXT NOT NULL,
  attempts   INTEGER NOT NULL, -- that failed one after the other
  due        BIGINT NOT NULL, -- when it is tried next; 0 for never
  error      TEXT NOT NULL,
  fetched    BIGINT NOT NULL, -- when it succeeded last
  refs       BIGINT NOT NULL, -- branches and tags that were there then
  bytes      BIGINT NOT NULL, -- received for the first time
  large      TEXT NOT NULL, -- digest of the references whose files of Git LFS are all here
  actor      TEXT NOT NULL, -- who asked
  cause      TEXT NOT NULL
);
CREATE INDEX repository_imports_due ON repository_imports (due) WHERE due > 0;

-- Where hosted repositories are pushed on to.
CREATE TABLE repository_mirrors (
  id          TEXT PRIMARY KEY,
  repository  TEXT NOT NULL,
  url         TEXT NOT NULL,
  username    TEXT NOT NULL,
  sealed      TEXT NOT NULL,
  secret      TEXT NOT NULL,
  integration TEXT NOT NULL, -- NAMESPACE/NAME, whose forge url is a repository of; '' for none
  patterns    TEXT NOT NULL, -- of references, with spaces; '' for all branches and tags
  forced      INTEGER NOT NULL, -- what is there and not from here is overwritten
  every       BIGINT NOT NULL, -- microseconds between looks without a push
  attempts    INTEGER NOT NULL,
  due         BIGINT NOT NULL,
  error       TEXT NOT NULL,
  failing     BIGINT NOT NULL, -- since when; 0 while it is well
  pushed      BIGINT NOT NULL, -- when all was there last
  large       TEXT NOT NULL, -- digest of the references whose files of Git LFS are all there
  created     BIGINT NOT NULL,
  created_by  TEXT NOT NULL
);
CREATE INDEX repository_mirrors_repository ON repository_mirrors (repository);
CREATE INDEX repository_mirrors_due ON repository_mirrors (due);

-- What was pushed on to a mirror: what is there besides is not from here.
CREATE TABLE repository_mirror_refs (
  mirror TEXT NOT NULL,
  name   TEXT NOT NULL,
  hash   TEXT NOT NULL,
  PRIMARY KEY (mirror, name)
);

-- Files of Git LFS that a repository has; their content is in a store of its own.
CREATE TABLE repository_large (
  repository TEXT NOT NULL,
  oid        TEXT NOT NULL, -- SHA-256 in hex
  size       BIGINT NOT NULL,
  actor      TEXT NOT NULL,
  created    BIGINT NOT NULL,
  PRIMARY KEY (repository, oid)
);
CREATE INDEX repository_large_oid ON repository_large (oid);

-- Files that somebody changes and others leave alone.
CREATE TABLE repository_file_locks (
  repository TEXT NOT NULL,
  id         TEXT NOT NULL,
  path       TEXT NOT NULL,
  ref        TEXT NOT NULL,
  owner      TEXT NOT NULL,
  created    BIGINT NOT NULL,
  PRIMARY KEY (repository, id),
  UNIQUE (repository, path)
);
