-- +goose Up
CREATE TABLE registry_modules (
  ref TEXT PRIMARY KEY,
  space TEXT NOT NULL,                  -- with name and system its address
  name TEXT NOT NULL,
  system TEXT NOT NULL,
  repository TEXT NOT NULL,
  owner TEXT NOT NULL DEFAULT '',       -- reference
  title TEXT NOT NULL DEFAULT '',
  description TEXT NOT NULL DEFAULT '',
  spec TEXT NOT NULL,
  message TEXT NOT NULL DEFAULT '',     -- why the repository could not be looked at
  updated BIGINT NOT NULL
);
CREATE UNIQUE INDEX registry_modules_address ON registry_modules (space, name, system);
CREATE INDEX registry_modules_repository ON registry_modules (repository);

CREATE TABLE registry_versions (
  id TEXT PRIMARY KEY,
  module TEXT NOT NULL,
  version TEXT NOT NULL,
  state TEXT NOT NULL,                  -- testing, ready, failed
  message TEXT NOT NULL DEFAULT '',
  tag TEXT NOT NULL DEFAULT '',
  tag_hash TEXT NOT NULL DEFAULT '',    -- of the tag when the version was made
  moved TEXT NOT NULL DEFAULT '',       -- where the tag is now, if elsewhere
  commit_id TEXT NOT NULL,
  actor TEXT NOT NULL DEFAULT '',
  archive TEXT NOT NULL DEFAULT '',     -- digest
  size BIGINT NOT NULL DEFAULT 0,
  files INTEGER NOT NULL DEFAULT 0,
  content TEXT NOT NULL DEFAULT '{}',   -- JSON: what its files declare
  round INTEGER NOT NULL DEFAULT 1,     -- of its tests
  yanked TEXT NOT NULL DEFAULT '',      -- why
  yanked_by TEXT NOT NULL DEFAULT '',
  yanked_at BIGINT NOT NULL DEFAULT 0,
  created BIGINT NOT NULL,
  UNIQUE (module, version)
);

CREATE TABLE registry_tests (
  version TEXT NOT NULL,                -- id
  round INTEGER NOT NULL,
  position INTEGER NOT NULL,
  spec TEXT NOT NULL,
  state TEXT NOT NULL,                  -- waiting, running, passed, failed, skipped
  reason TEXT NOT NULL DEFAULT '',
  run TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (version, round, position)
);

CREATE TABLE registry_providers (
  ref TEXT PRIMARY KEY,
  space TEXT NOT NULL,                  -- with type its address
  type TEXT NOT NULL,
  owner TEXT NOT NULL DEFAULT '',
  title TEXT NOT NULL DEFAULT '',
  description TEXT NOT NULL DEFAULT '',
  spec TEXT NOT NULL,
  updated BIGINT NOT NULL
);
CREATE UNIQUE INDEX registry_providers_address ON registry_providers (space, type);

CREATE TABLE registry_provider_versions (
  id TEXT PRIMARY KEY,
  provider TEXT NOT NULL,
  version TEXT NOT NULL,
  protocols TEXT NOT NULL,              -- with commas
  sums TEXT NOT NULL,                   -- SHA256SUMS as it was signed
  signature TEXT NOT NULL,              -- base64
  fingerprint TEXT NOT NULL,            -- of the key that signed, in hex
  actor TEXT NOT NULL,
  complete INTEGER NOT NULL DEFAULT 0,  -- all archives are there
  yanked TEXT NOT NULL DEFAULT '',
  yanked_by TEXT NOT NULL DEFAULT '',
  yanked_at BIGINT NOT NULL DEFAULT 0,
  created BIGINT NOT NULL,
  UNIQUE (provider, version)
);

CREATE TABLE registry_platforms (
  version TEXT NOT NULL,                -- id
  os TEXT NOT NULL,
  arch TEXT NOT NULL,
  filename TEXT NOT NULL,
  sum TEXT NOT NULL,                    -- SHA-256, in hex
  digest TEXT NOT NULL DEFAULT '',        -- digest; '' until it is uploaded
  size BIGINT NOT NULL DEFAULT 0,
  PRIMARY KEY (version, os, arch)
);

-- +goose Down
DROP TABLE registry_platforms;
DROP TABLE registry_provider_versions;
DROP TABLE registry_providers;
DROP TABLE registry_tests;
DROP TABLE registry_versions;
DROP TABLE registry_modules;
