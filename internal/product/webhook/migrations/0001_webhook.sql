-- +goose Up
-- Projection of the Webhook documents.
CREATE TABLE webhooks (
  ref TEXT PRIMARY KEY,
  space TEXT NOT NULL,
  spec TEXT NOT NULL,
  disabled INTEGER NOT NULL DEFAULT 0,
  updated BIGINT NOT NULL
);
CREATE INDEX webhooks_space ON webhooks (space);

CREATE TABLE webhook_messages (
  id TEXT PRIMARY KEY,
  key TEXT NOT NULL UNIQUE,             -- the same for what is sent twice
  webhook TEXT NOT NULL,
  owner TEXT NOT NULL,                  -- space of the webhook when it was taken
  space TEXT NOT NULL,                  -- of what it is about
  run TEXT NOT NULL,
  subject TEXT NOT NULL,
  policy TEXT NOT NULL,                 -- that has it sent
  decision TEXT NOT NULL,
  method TEXT NOT NULL,
  headers TEXT NOT NULL,                -- JSON; empty when it has ended
  body BLOB NOT NULL,                   -- empty when it has ended
  state TEXT NOT NULL,                  -- waiting, sent, failed
  attempts INTEGER NOT NULL DEFAULT 0,
  status INTEGER NOT NULL DEFAULT 0,    -- that was answered last
  reason TEXT NOT NULL DEFAULT '',
  created BIGINT NOT NULL,
  ended BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX webhook_messages_webhook ON webhook_messages (webhook, id);
CREATE INDEX webhook_messages_waiting ON webhook_messages (webhook, space) WHERE state = 'waiting';
CREATE INDEX webhook_messages_since ON webhook_messages (created) WHERE state = 'waiting';
