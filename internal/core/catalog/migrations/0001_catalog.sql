-- +goose Up
CREATE TABLE entities (
  ref TEXT PRIMARY KEY,
  uid TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL,
  namespace TEXT NOT NULL,
  space TEXT NOT NULL,
  source TEXT NOT NULL,                 -- "apply", …, or "location:" and its id
  path TEXT NOT NULL DEFAULT '',        -- the file in the location's repository
  owner TEXT NOT NULL DEFAULT '',       -- reference
  type TEXT NOT NULL DEFAULT '',        -- spec.type in lower case
  document TEXT NOT NULL,               -- canonical JSON
  relations TEXT NOT NULL DEFAULT '[]', -- those it declares
  etag TEXT NOT NULL,
  version BIGINT NOT NULL,
  error TEXT NOT NULL DEFAULT '',       -- why its source's latest text was not taken
  orphan INTEGER NOT NULL DEFAULT 0,    -- no file declares it any more
  git_commit TEXT NOT NULL DEFAULT '',  -- of the version
  created BIGINT NOT NULL,
  created_by TEXT NOT NULL,
  updated BIGINT NOT NULL,
  updated_by TEXT NOT NULL
);
CREATE INDEX entities_source ON entities (source, path);
CREATE INDEX entities_kind ON entities (kind, ref);
CREATE INDEX entities_failed ON entities (ref) WHERE error <> '';
CREATE INDEX entities_orphan ON entities (ref) WHERE orphan = 1;

CREATE TABLE entity_versions (
  ref TEXT NOT NULL,
  version BIGINT NOT NULL,
  uid TEXT NOT NULL,
  space TEXT NOT NULL,
  source TEXT NOT NULL,
  action TEXT NOT NULL,                 -- created, updated, deleted
  document TEXT NOT NULL DEFAULT '',    -- '' for deleted
  git_commit TEXT NOT NULL DEFAULT '',
  actor TEXT NOT NULL,
  time BIGINT NOT NULL,
  entry TEXT NOT NULL,                  -- of the ledger
  PRIMARY KEY (ref, version)
);
CREATE INDEX entity_versions_entry ON entity_versions (entry);
CREATE INDEX entity_versions_time ON entity_versions (time, ref);

-- What people want to find again, by the ids of principals.
CREATE TABLE entity_stars (
  person TEXT NOT NULL,
  ref TEXT NOT NULL,
  starred BIGINT NOT NULL,
  PRIMARY KEY (person, ref)
);

-- Lists of entities that are kept under a name.
CREATE TABLE catalog_views (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  space TEXT NOT NULL DEFAULT '',       -- that it is shared with; '' for its author alone
  query TEXT NOT NULL,                  -- parameters of the list, as in its address
  author TEXT NOT NULL,                 -- id of a principal
  created BIGINT NOT NULL,
  updated BIGINT NOT NULL,
  version BIGINT NOT NULL
);
CREATE UNIQUE INDEX catalog_views_own ON catalog_views (author, name) WHERE space = '';
CREATE UNIQUE INDEX catalog_views_shared ON catalog_views (space, name) WHERE space <> '';

CREATE TABLE entity_statuses (
  ref TEXT PRIMARY KEY,
  status TEXT NOT NULL,
  condition TEXT NOT NULL DEFAULT '',
  updated BIGINT NOT NULL
);

-- The kinds that documents declare.
CREATE TABLE catalog_kinds (
  name TEXT PRIMARY KEY,                -- in lower case
  document TEXT NOT NULL,
  version TEXT NOT NULL                 -- the ledger entry of its last change
);
CREATE TABLE catalog_kinds_generation (generation BIGINT NOT NULL);
INSERT INTO catalog_kinds_generation VALUES (0);

CREATE TABLE locations (
  id TEXT PRIMARY KEY,
  space TEXT NOT NULL,
  repository TEXT NOT NULL,
  path TEXT NOT NULL,
  branch TEXT NOT NULL DEFAULT '',      -- '' for the default one
  kept INTEGER NOT NULL DEFAULT 0,      -- somebody registered or trusted it, so it stays when no entity names it
  readable INTEGER NOT NULL DEFAULT 0,  -- somebody who may read the repository registered it
  trusted TEXT NOT NULL DEFAULT '[]',   -- names of restricted kinds
  generation BIGINT NOT NULL DEFAULT 0,
  git_commit TEXT NOT NULL DEFAULT '',  -- that was read last
  error TEXT NOT NULL DEFAULT '',
  details TEXT NOT NULL DEFAULT '[]',   -- what was wrong, and where
  created BIGINT NOT NULL,
  created_by TEXT NOT NULL,
  refreshed BIGINT NOT NULL DEFAULT 0,
  home TEXT NOT NULL DEFAULT '{}',      -- where people look at the repository's files
  origin TEXT NOT NULL DEFAULT '',      -- id of the registered location that led here
  rules TEXT NOT NULL DEFAULT '[]',     -- names of the kinds that it may bring; none: those of its space
  orphans TEXT NOT NULL DEFAULT '',     -- keep or delete; '' as its space has it
  depth INTEGER NOT NULL DEFAULT 0,     -- how far below that one
  optional INTEGER NOT NULL DEFAULT 0,  -- that there is no file is no error
  generated TEXT NOT NULL DEFAULT '',   -- name of the Location entity that Backstage makes for its address
  UNIQUE (space, repository, path, branch)
);
CREATE INDEX locations_repository ON locations (repository);
CREATE INDEX locations_generated ON locations (generated);

-- The files that a location has read. With a hash, what the database has of the file is what that content declares; without
-- one it is to be read again. No entity of a location comes from a file that is not here.
CREATE TABLE location_files (
  location TEXT NOT NULL,
  path TEXT NOT NULL,
  hash TEXT NOT NULL DEFAULT '',
  names INTEGER NOT NULL DEFAULT 0,     -- it declares Locations, so it is read each time
  inputs TEXT NOT NULL DEFAULT '',      -- the files that its placeholders bring, with their hashes, as JSON
  PRIMARY KEY (location, path)
);

-- The other repositories that placeholders in the files of a location bring files of.
CREATE TABLE location_inputs (
  repository TEXT NOT NULL,             -- NAMESPACE/NAME
  location TEXT NOT NULL,
  PRIMARY KEY (repository, location)
);
CREATE INDEX location_inputs_location ON location_inputs (location);

-- What holds for the locations of a space, and of those below that say nothing themselves.
CREATE TABLE location_defaults (
  space TEXT PRIMARY KEY,
  rules TEXT NOT NULL DEFAULT '[]',
  orphans TEXT NOT NULL DEFAULT ''
);

-- The Location entities that name a location, and other entities that hold one.
CREATE TABLE location_parents (
  parent TEXT NOT NULL,
  location TEXT NOT NULL,
  address TEXT NOT NULL,                -- hash of the address by which it does; '' for an entity that holds it by none
  PRIMARY KEY (parent, location, address)
);
CREATE INDEX location_parents_location ON location_parents (location);

-- Outside systems that push what they know.
CREATE TABLE catalog_sources (
  name TEXT PRIMARY KEY,
  space TEXT NOT NULL,
  created BIGINT NOT NULL,
  created_by TEXT NOT NULL,
  generation BIGINT NOT NULL,           -- of the last push
  digest TEXT NOT NULL,                 -- of the last whole set; '' when something else has come since
  pushed BIGINT NOT NULL,
  pushed_by TEXT NOT NULL,
  ended BIGINT NOT NULL,                -- 0 while a push is under way
  outcome TEXT NOT NULL,
  details TEXT NOT NULL                 -- what was wrong, and where
);
