-- +goose Up
CREATE TABLE jobs (
  id TEXT PRIMARY KEY,
  kind TEXT NOT NULL,
  unique_key TEXT NOT NULL DEFAULT '',
  args TEXT NOT NULL,
  state INTEGER NOT NULL DEFAULT 0,      -- 0 waiting, 1 running, 2 dead
  run_at BIGINT NOT NULL,
  attempt INTEGER NOT NULL DEFAULT 0,    -- counted when it is taken, so that a job that kills its server counts too
  lease TEXT NOT NULL DEFAULT '',        -- of the server that runs it
  lease_until BIGINT NOT NULL DEFAULT 0,
  error TEXT NOT NULL DEFAULT '',        -- of the last attempt
  created BIGINT NOT NULL
);
CREATE UNIQUE INDEX jobs_unique ON jobs (kind, unique_key) WHERE state = 0 AND unique_key <> '';
CREATE INDEX jobs_waiting ON jobs (kind, run_at, id) WHERE state = 0;
CREATE INDEX jobs_running ON jobs (kind, unique_key) WHERE state = 1;
CREATE INDEX jobs_dead ON jobs (run_at) WHERE state = 2;

CREATE TABLE job_periods (
  kind TEXT PRIMARY KEY,
  next_at BIGINT NOT NULL
);
