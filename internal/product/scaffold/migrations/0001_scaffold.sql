-- +goose Up
CREATE TABLE scaffold_tasks (
  run TEXT PRIMARY KEY,
  template TEXT NOT NULL,
  space TEXT NOT NULL,
  repository TEXT NOT NULL,
  commit_hash TEXT NOT NULL,
  path TEXT NOT NULL,
  document TEXT NOT NULL,
  form TEXT NOT NULL,
  sealed BLOB,
  principal TEXT NOT NULL,
  undo_principal TEXT NOT NULL,
  created BIGINT NOT NULL,
  finished BIGINT NOT NULL
);
CREATE INDEX scaffold_tasks_finished ON scaffold_tasks (finished);

CREATE TABLE scaffold_lineage (
  run TEXT PRIMARY KEY,
  template TEXT NOT NULL,
  space TEXT NOT NULL,
  repository TEXT NOT NULL,
  commit_hash TEXT NOT NULL,
  path TEXT NOT NULL,
  form TEXT NOT NULL,
  actor TEXT NOT NULL,
  created BIGINT NOT NULL,
  finished BIGINT NOT NULL
);
CREATE INDEX scaffold_lineage_template ON scaffold_lineage (template, created);

CREATE TABLE scaffold_made (
  run TEXT NOT NULL,
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  position INTEGER NOT NULL,
  step TEXT NOT NULL,
  state TEXT NOT NULL,
  data TEXT NOT NULL,
  created BIGINT NOT NULL,
  PRIMARY KEY (run, kind, name)
);
CREATE INDEX scaffold_made_name ON scaffold_made (kind, name);
