-- +goose Up
-- Who can act. The id is opaque and all that the ledger names; what is personal stands only here.
CREATE TABLE identity_principals (
  id          TEXT PRIMARY KEY,
  kind        TEXT NOT NULL,
  ref         TEXT NOT NULL,
  name        TEXT NOT NULL,
  email       TEXT NOT NULL,
  description TEXT NOT NULL,
  space       TEXT NOT NULL,
  created     BIGINT NOT NULL,
  deleted     BIGINT NOT NULL
);
CREATE UNIQUE INDEX identity_principals_ref ON identity_principals (ref) WHERE deleted = 0;

-- The accounts that people have at forges, as their documents say.
CREATE TABLE identity_accounts (
  principal TEXT NOT NULL,
  host      TEXT NOT NULL, -- github.com
  login     TEXT NOT NULL, -- in lower case
  PRIMARY KEY (principal, host)
);
CREATE INDEX identity_accounts_login ON identity_accounts (host, login);

CREATE TABLE identity_tokens (
  id         TEXT PRIMARY KEY,
  principal  TEXT NOT NULL,
  name       TEXT NOT NULL,
  lookup     TEXT NOT NULL, -- the first characters of the token, or "environment"
  hash       BLOB NOT NULL,
  scopes     TEXT NOT NULL, -- JSON; "" for no narrowing
  created    BIGINT NOT NULL,
  created_by TEXT NOT NULL,
  expires    BIGINT NOT NULL, -- 0: never
  used       BIGINT NOT NULL,
  revoked    BIGINT NOT NULL,
  lender     TEXT NOT NULL DEFAULT '' -- the session by whose rights it was made, with which it ends
);
CREATE INDEX identity_tokens_lender ON identity_tokens (lender) WHERE lender <> '';
CREATE UNIQUE INDEX identity_tokens_lookup ON identity_tokens (lookup);
CREATE INDEX identity_tokens_principal ON identity_tokens (principal, created);

CREATE TABLE identity_sessions (
  id        TEXT PRIMARY KEY,
  principal TEXT NOT NULL,
  hash      BLOB NOT NULL,
  created   BIGINT NOT NULL,
  used      BIGINT NOT NULL,
  expires   BIGINT NOT NULL,
  via       TEXT NOT NULL, -- the token that it does not outlive
  lent      TEXT NOT NULL DEFAULT '', -- JSON: what the login policies gave it
  held      INTEGER NOT NULL DEFAULT 0, -- 1: to what a developer may, by them
  decision  TEXT NOT NULL DEFAULT '', -- of theirs
  lender    TEXT NOT NULL DEFAULT '' -- the session by whose rights its link was made, with which it ends
);
CREATE INDEX identity_sessions_lender ON identity_sessions (lender) WHERE lender <> '';
CREATE INDEX identity_sessions_via ON identity_sessions (via) WHERE via <> '';
CREATE UNIQUE INDEX identity_sessions_hash ON identity_sessions (hash);
CREATE INDEX identity_sessions_principal ON identity_sessions (principal);

CREATE TABLE identity_links (
  hash       BLOB PRIMARY KEY,
  principal  TEXT NOT NULL,
  created_by TEXT NOT NULL,
  expires    BIGINT NOT NULL,
  via        TEXT NOT NULL,
  ends       BIGINT NOT NULL, -- of the session at the latest
  lender     TEXT NOT NULL DEFAULT '' -- as of the session
);

CREATE TABLE identity_workloads (
  hash    BLOB PRIMARY KEY,
  run     TEXT NOT NULL,
  step    TEXT NOT NULL,
  space   TEXT NOT NULL,
  scopes  TEXT NOT NULL,
  expires BIGINT NOT NULL
);
CREATE INDEX identity_workloads_step ON identity_workloads (step);

-- Codes by which programs get a token that a person lets them have.
CREATE TABLE identity_grants (
  hash      BLOB PRIMARY KEY,
  principal TEXT NOT NULL,
  presented TEXT NOT NULL, -- the session or token with which it was allowed
  challenge TEXT NOT NULL,
  redirect  TEXT NOT NULL,
  name      TEXT NOT NULL, -- of the token
  expires   BIGINT NOT NULL
);

-- How often a login policy has changed: a sign-in counts only if none has since it was judged.
CREATE TABLE identity_judged (
  id INTEGER PRIMARY KEY,
  n  BIGINT NOT NULL
);
INSERT INTO identity_judged (id, n) VALUES (1, 0);
