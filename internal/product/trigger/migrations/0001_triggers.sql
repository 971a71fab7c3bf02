-- +goose Up
CREATE TABLE triggers (
  ref TEXT PRIMARY KEY,
  space TEXT NOT NULL,
  repository TEXT NOT NULL,
  spec TEXT NOT NULL,
  updated BIGINT NOT NULL
);
CREATE INDEX triggers_repository ON triggers (repository);

CREATE TABLE trigger_events (
  id TEXT PRIMARY KEY,
  trigger_ref TEXT NOT NULL,
  repository TEXT NOT NULL,
  ref TEXT NOT NULL,
  commit_id TEXT NOT NULL,
  outcome TEXT NOT NULL,
  message TEXT NOT NULL,
  run TEXT NOT NULL,
  created BIGINT NOT NULL,
  UNIQUE (trigger_ref, ref, commit_id)
);
CREATE INDEX trigger_events_trigger ON trigger_events (trigger_ref, id);

-- +goose Down
DROP TABLE trigger_events;
DROP TABLE triggers;
