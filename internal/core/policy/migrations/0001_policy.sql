-- +goose Up
-- Projection of the Policy documents.
CREATE TABLE policy_policies (
  ref         TEXT PRIMARY KEY,
  space       TEXT NOT NULL,
  point       TEXT NOT NULL,
  rego        TEXT NOT NULL,
  version     TEXT NOT NULL,
  description TEXT NOT NULL,
  disabled    INTEGER NOT NULL,
  attached    TEXT NOT NULL, -- JSON: the labels and references of what it holds for; {} for everything of its space
  source      TEXT NOT NULL DEFAULT '' -- who brought it, as the catalog names sources
);
CREATE INDEX policy_policies_point ON policy_policies (point, space);

CREATE TABLE policy_decisions (
  id      TEXT PRIMARY KEY,
  time    BIGINT NOT NULL,
  point   TEXT NOT NULL,
  space   TEXT NOT NULL,
  run     TEXT NOT NULL,
  subject TEXT NOT NULL,
  outcome TEXT NOT NULL,
  votes   TEXT NOT NULL,
  input   TEXT NOT NULL, -- JSON, as it is or packed; "" when it is in a blob, or was too large to keep
  digest  TEXT NOT NULL, -- of the input: the address of the blob
  size    BIGINT NOT NULL,
  labels  TEXT NOT NULL -- JSON: of the subject
);
CREATE INDEX policy_decisions_run ON policy_decisions (run, id) WHERE run <> '';
CREATE INDEX policy_decisions_point ON policy_decisions (point, id);
