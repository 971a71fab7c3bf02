-- +goose Up
CREATE TABLE discoveries (
  name TEXT PRIMARY KEY,                -- NAMESPACE/NAME of the document
  space TEXT NOT NULL,                  -- of the document
  spec TEXT NOT NULL,                   -- JSON
  ended BIGINT NOT NULL,                -- 1: the document is gone, and what was found is still to go
  generation BIGINT NOT NULL,           -- a look of an older one ends
  state TEXT NOT NULL,
  reason TEXT NOT NULL,
  counts TEXT NOT NULL,                 -- JSON
  since BIGINT NOT NULL,                -- when the state began
  looked BIGINT NOT NULL,               -- the last look began; 0 before the first
  next BIGINT NOT NULL                  -- not before
);
CREATE INDEX discoveries_next ON discoveries (next);

-- Repositories that were found at forges.
CREATE TABLE discovered (
  discovery TEXT NOT NULL,
  id TEXT NOT NULL,                     -- at the forge
  integration TEXT NOT NULL,            -- by which it was found; of one that is not the Discovery's any more, it is still to go
  space TEXT NOT NULL,                  -- of the location
  name TEXT NOT NULL,                   -- OWNER/NAME at the forge
  url TEXT NOT NULL,
  state TEXT NOT NULL,
  reason TEXT NOT NULL,
  seen TEXT NOT NULL,                   -- of what the file was looked for; '' for not yet
  target TEXT NOT NULL,                 -- branch and path of the location
  repository TEXT NOT NULL,             -- id, once it is connected
  made BIGINT NOT NULL,                 -- 1: it was connected by this
  location TEXT NOT NULL,               -- id
  PRIMARY KEY (discovery, integration, id)
);
CREATE INDEX discovered_name ON discovered (discovery, name);
CREATE INDEX discovered_repository ON discovered (repository);

-- People whose name had to be asked for one by one.
CREATE TABLE discovered_people (
  discovery TEXT NOT NULL,
  id TEXT NOT NULL,                     -- at the forge
  name TEXT NOT NULL,
  email TEXT NOT NULL,
  asked BIGINT NOT NULL,
  PRIMARY KEY (discovery, id)
);

-- +goose Down
DROP TABLE discovered_people;
DROP TABLE discovered;
DROP TABLE discoveries;
