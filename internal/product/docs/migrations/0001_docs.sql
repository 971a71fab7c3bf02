-- +goose Up
-- Folders of repositories in which there are docs, or were looked for because an entity says so.
CREATE TABLE docs_sites (
  id TEXT PRIMARY KEY,                  -- of repository, branch and folder
  repository TEXT NOT NULL,             -- id
  branch TEXT NOT NULL,
  folder TEXT NOT NULL,
  commit_id TEXT NOT NULL,              -- that was read last; '' when it could not be
  title TEXT NOT NULL,
  pages BIGINT NOT NULL,
  broken BIGINT NOT NULL,               -- problems that its check found
  error TEXT NOT NULL,                  -- why there are none
  version TEXT NOT NULL,                -- of its sections; '' when it has none
  digest TEXT NOT NULL,                 -- of what was read of its pages; '' before they were
  updated BIGINT NOT NULL               -- when its pages changed
);
CREATE INDEX docs_sites_repository ON docs_sites (repository);

CREATE TABLE docs_entities (
  entity TEXT PRIMARY KEY,
  site TEXT NOT NULL,
  space TEXT NOT NULL                   -- of the entity
);
CREATE INDEX docs_entities_site ON docs_entities (site);

-- The text of the pages, for search.
CREATE TABLE docs_sections (
  version TEXT NOT NULL,                -- of a site
  number BIGINT NOT NULL,
  path TEXT NOT NULL,
  title TEXT NOT NULL,                  -- of the page
  anchor TEXT NOT NULL,
  heading TEXT NOT NULL,
  body TEXT NOT NULL,
  PRIMARY KEY (version, number)
);

-- Versions of sections that no site shows: one that is being written, and those whose sections are to be deleted.
CREATE TABLE docs_versions (
  version TEXT PRIMARY KEY,
  site TEXT NOT NULL,
  repository TEXT NOT NULL,             -- id
  dead BIGINT NOT NULL                  -- nobody writes it any more
);
CREATE INDEX docs_versions_repository ON docs_versions (repository);
CREATE INDEX docs_versions_site ON docs_versions (site);

-- Repositories that are to be looked at, so that a thousand changes ask once.
CREATE TABLE docs_due (
  repository TEXT PRIMARY KEY,          -- NAMESPACE/NAME
  whole BIGINT NOT NULL,                -- with all that it declares
  stamp TEXT NOT NULL                   -- another one each time that it is asked for
);

-- +goose Down
DROP TABLE docs_due;
DROP TABLE docs_versions;
DROP TABLE docs_sections;
DROP TABLE docs_entities;
DROP TABLE docs_sites;
