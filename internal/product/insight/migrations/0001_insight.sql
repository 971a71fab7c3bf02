-- +goose Up
CREATE TABLE insight_scorecards (
  ref TEXT PRIMARY KEY,
  space TEXT NOT NULL,
  owner TEXT NOT NULL DEFAULT '',       -- reference
  title TEXT NOT NULL DEFAULT '',
  description TEXT NOT NULL DEFAULT '',
  spec TEXT NOT NULL,
  generation TEXT NOT NULL,             -- of what decides: filter, levels and expressions
  judged TEXT NOT NULL DEFAULT '',      -- the generation by which everything was judged last
  judged_at BIGINT NOT NULL DEFAULT 0,
  fresh TEXT NOT NULL DEFAULT '',       -- ids of rules that not everything is judged by yet, with a space around each
  phase INTEGER NOT NULL DEFAULT 1,     -- 0: everything is judged; 1: entities after last_ref are to be; 2: results after it may have no entity any more
  last_ref TEXT NOT NULL DEFAULT '',
  error TEXT NOT NULL DEFAULT '',       -- why it can't judge
  updated BIGINT NOT NULL
);

CREATE TABLE insight_results (
  scorecard TEXT NOT NULL,
  entity TEXT NOT NULL,
  space TEXT NOT NULL,                  -- of the entity
  owner TEXT NOT NULL,                  -- of the entity; '' for none
  level TEXT NOT NULL,                  -- name; '' for none
  failed TEXT NOT NULL,                 -- ids of rules, with a space around each
  errors TEXT NOT NULL,                 -- JSON: of rules that could not be evaluated
  since BIGINT NOT NULL,                -- it is at its level
  updated BIGINT NOT NULL,
  PRIMARY KEY (scorecard, entity)
);
CREATE INDEX insight_results_entity ON insight_results (entity, scorecard);

CREATE TABLE insight_changes (
  scorecard TEXT NOT NULL,
  entity TEXT NOT NULL,
  time BIGINT NOT NULL,
  level TEXT NOT NULL,
  failed TEXT NOT NULL,
  gone INTEGER NOT NULL DEFAULT 0,      -- it is not judged any more
  PRIMARY KEY (entity, scorecard, time)
);
CREATE INDEX insight_changes_scorecard ON insight_changes (scorecard, entity, time);
CREATE INDEX insight_changes_time ON insight_changes (time);

-- How many are at which level, and fail which rule, now: the sums of insight_results.
CREATE TABLE insight_counts (
  scorecard TEXT NOT NULL,
  space TEXT NOT NULL,
  owner TEXT NOT NULL,
  counts TEXT NOT NULL,                 -- JSON
  PRIMARY KEY (scorecard, space, owner)
);

-- The same at the end of days on which it changed; it holds until the next row.
CREATE TABLE insight_days (
  scorecard TEXT NOT NULL,
  space TEXT NOT NULL,
  owner TEXT NOT NULL,
  day TEXT NOT NULL,                    -- YYYY-MM-DD, UTC
  counts TEXT NOT NULL,
  PRIMARY KEY (scorecard, space, owner, day)
);
CREATE INDEX insight_days_day ON insight_days (scorecard, day);

-- Entities of which outside systems have told something. A write holds the row, so that those of one entity come one after another.
CREATE TABLE insight_facts (
  entity TEXT PRIMARY KEY,
  updated BIGINT NOT NULL
);

CREATE TABLE insight_metrics (
  entity TEXT NOT NULL,
  name TEXT NOT NULL,
  value DOUBLE PRECISION NOT NULL,
  unit TEXT NOT NULL,
  url TEXT NOT NULL,
  at BIGINT NOT NULL,                   -- when it was measured
  PRIMARY KEY (entity, name)
);

CREATE TABLE insight_findings (
  entity TEXT NOT NULL,
  source TEXT NOT NULL,
  id TEXT NOT NULL,
  severity INTEGER NOT NULL,            -- 0 is critical, 4 info
  title TEXT NOT NULL,
  url TEXT NOT NULL,
  at BIGINT NOT NULL,                   -- when it was found
  PRIMARY KEY (entity, source, id)
);

-- What is to be looked at: an entity, docs:SITE, or forget:SCORECARD; again: before one that could not be read. The stamp tells
-- one wish from a later one.
CREATE TABLE insight_due (
  item TEXT PRIMARY KEY,
  stamp TEXT NOT NULL,
  not_before BIGINT NOT NULL DEFAULT 0
);

-- How far into the ledger the catalog's changes are judged.
CREATE TABLE insight_position (
  position BIGINT NOT NULL
);

-- +goose Down
DROP TABLE insight_position;
DROP TABLE insight_due;
DROP TABLE insight_findings;
DROP TABLE insight_metrics;
DROP TABLE insight_facts;
DROP TABLE insight_days;
DROP TABLE insight_counts;
DROP TABLE insight_changes;
DROP TABLE insight_results;
DROP TABLE insight_scorecards;
