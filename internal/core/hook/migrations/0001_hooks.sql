-- +goose Up
CREATE TABLE hook_deliveries (
  number INTEGER PRIMARY KEY,
  integration TEXT NOT NULL,
  delivery TEXT NOT NULL,
  digest BLOB NOT NULL,
  size BIGINT NOT NULL,
  stored BIGINT NOT NULL,
  received BIGINT NOT NULL,
  state TEXT NOT NULL,
  sorted INTEGER NOT NULL,
  rounds BIGINT NOT NULL,
  repeats BIGINT NOT NULL,
  repeated BIGINT NOT NULL,
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  lane TEXT NOT NULL,
  repository TEXT NOT NULL,
  sender TEXT NOT NULL,
  attempts BIGINT NOT NULL,
  due BIGINT NOT NULL,
  handled BIGINT NOT NULL,
  outcome TEXT NOT NULL,
  UNIQUE (integration, delivery),
  UNIQUE (integration, digest)
);
CREATE INDEX hook_deliveries_of ON hook_deliveries (integration, number);
CREATE INDEX hook_deliveries_unsorted ON hook_deliveries (number) WHERE sorted = 0;
CREATE INDEX hook_deliveries_waiting ON hook_deliveries (integration, lane, number, stored) WHERE state = 'received';
CREATE INDEX hook_deliveries_failed ON hook_deliveries (integration, number) WHERE state = 'failed';
CREATE INDEX hook_deliveries_kept ON hook_deliveries (number, received, stored) WHERE stored > 0;

CREATE TABLE hook_payloads (
  number BIGINT PRIMARY KEY,
  headers TEXT NOT NULL,
  body BLOB NOT NULL,
  content TEXT NOT NULL
);

CREATE TABLE hook_refusals (
  integration TEXT PRIMARY KEY,
  count BIGINT NOT NULL,
  last BIGINT NOT NULL,
  reason TEXT NOT NULL,
  client TEXT NOT NULL
);

-- +goose Down
DROP TABLE hook_refusals;
DROP TABLE hook_payloads;
DROP TABLE hook_deliveries;
