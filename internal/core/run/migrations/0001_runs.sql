-- +goose Up
CREATE TABLE runs (
  id TEXT PRIMARY KEY,
  kind TEXT NOT NULL,
  space TEXT NOT NULL,
  subject TEXT NOT NULL,
  refs TEXT NOT NULL,
  title TEXT NOT NULL,
  state TEXT NOT NULL,
  reason TEXT NOT NULL,
  terminal INTEGER NOT NULL,
  waiting INTEGER NOT NULL,
  actor TEXT NOT NULL,
  cause TEXT NOT NULL,
  repository TEXT NOT NULL,
  commit_id TEXT NOT NULL,
  ref TEXT NOT NULL,
  input TEXT NOT NULL,
  output TEXT NOT NULL,
  lock_name TEXT NOT NULL,
  waits_lock INTEGER NOT NULL, -- 1 when it takes its lock as soon as that is free, 2 when it only keeps its place
  run_key TEXT,
  priority INTEGER NOT NULL,
  version BIGINT NOT NULL,
  cancel_requested INTEGER NOT NULL,
  warnings TEXT NOT NULL,
  created BIGINT NOT NULL,
  started BIGINT NOT NULL,
  ended BIGINT NOT NULL,
  updated BIGINT NOT NULL,
  wake BIGINT NOT NULL,
  marks TEXT NOT NULL DEFAULT '', -- of its kind, each between spaces: by which lists are narrowed
  words TEXT NOT NULL DEFAULT ''  -- in lower case: what a search looks at
);
CREATE UNIQUE INDEX runs_key ON runs (run_key) WHERE run_key IS NOT NULL;
-- Where several of these would do, SQLite takes the one that was made last.
CREATE INDEX runs_kind ON runs (kind, id);
CREATE INDEX runs_space ON runs (space, id);
CREATE INDEX runs_subject ON runs (subject, id);
CREATE INDEX runs_commit ON runs (repository, commit_id);
CREATE INDEX runs_open ON runs (terminal, id) WHERE terminal = 0;
CREATE INDEX runs_subject_open ON runs (subject, id) WHERE terminal = 0;
CREATE INDEX runs_waiting ON runs (id) WHERE waiting = 1;
CREATE INDEX runs_wake ON runs (wake) WHERE wake > 0;
CREATE INDEX runs_waits_lock ON runs (lock_name, priority, id) WHERE waits_lock > 0;

CREATE TABLE run_locks (
  name TEXT PRIMARY KEY,
  run TEXT NOT NULL,
  taken BIGINT NOT NULL
);
CREATE INDEX run_locks_run ON run_locks (run);

-- Logs of attempts that have ended, until it is certain that they are sealed.
CREATE TABLE run_ended_logs (
  stream TEXT PRIMARY KEY,
  ended BIGINT NOT NULL
);
CREATE INDEX run_ended_logs_ended ON run_ended_logs (ended, stream);

CREATE TABLE run_steps (
  id TEXT PRIMARY KEY,
  run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
  key TEXT NOT NULL,
  title TEXT NOT NULL,
  state TEXT NOT NULL,
  reason TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  max_attempts INTEGER NOT NULL,
  pool TEXT NOT NULL,
  priority INTEGER NOT NULL,
  kind TEXT NOT NULL, -- of the job
  job TEXT NOT NULL,
  result TEXT NOT NULL,
  position INTEGER NOT NULL,
  step_group TEXT NOT NULL,
  data TEXT NOT NULL,
  ready BIGINT NOT NULL,
  started BIGINT NOT NULL,
  ended BIGINT NOT NULL,
  lease TEXT,
  lease_expires BIGINT NOT NULL,
  cancel_requested INTEGER NOT NULL,
  worker TEXT NOT NULL,
  UNIQUE (run, key)
);
CREATE INDEX run_steps_ready ON run_steps (pool, kind, priority, ready, id) WHERE state = 'ready';
CREATE INDEX run_steps_leased ON run_steps (lease_expires) WHERE state = 'leased';
CREATE UNIQUE INDEX run_steps_lease ON run_steps (lease) WHERE lease IS NOT NULL;

CREATE TABLE run_reviews (
  id TEXT PRIMARY KEY,
  run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
  actor TEXT NOT NULL,
  verdict TEXT NOT NULL,
  note TEXT NOT NULL,
  state TEXT NOT NULL,
  created BIGINT NOT NULL
);
CREATE INDEX run_reviews_run ON run_reviews (run, id);

-- What an agent has put for a step that it has: the artifacts that it may name. What is left of it when the step has ended
-- is not named, and goes.
CREATE TABLE run_step_blobs (
  step TEXT NOT NULL, -- its row may be gone
  digest TEXT NOT NULL,
  put BIGINT NOT NULL,
  modified BIGINT NOT NULL, -- nanoseconds: as the content is until somebody puts it again; 0 for what somebody had put before
  PRIMARY KEY (step, digest)
);
CREATE INDEX run_step_blobs_put ON run_step_blobs (put);

-- +goose Down
DROP TABLE run_step_blobs;
DROP TABLE run_reviews;
DROP TABLE run_steps;
DROP TABLE run_ended_logs;
DROP TABLE run_locks;
DROP TABLE runs;
