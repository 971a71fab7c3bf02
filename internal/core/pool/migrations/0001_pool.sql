-- +goose Up
CREATE TABLE pools (
  name TEXT PRIMARY KEY, -- NAMESPACE/NAME
  space TEXT NOT NULL,
  description TEXT NOT NULL,
  shared INTEGER NOT NULL, -- with the spaces below
  drained INTEGER NOT NULL,
  image TEXT NOT NULL, -- of steps that name none; '' for the agent's own
  title TEXT NOT NULL, -- that of its document, or its name
  created BIGINT NOT NULL
);
CREATE INDEX pools_space ON pools (space, name);

CREATE TABLE pool_tokens (
  id TEXT PRIMARY KEY,
  pool TEXT NOT NULL REFERENCES pools (name) ON DELETE CASCADE,
  name TEXT NOT NULL,
  lookup TEXT NOT NULL, -- the first characters of the token
  hash BLOB NOT NULL,
  created BIGINT NOT NULL,
  created_by TEXT NOT NULL,
  expires BIGINT NOT NULL, -- 0: never
  used BIGINT NOT NULL,
  revoked BIGINT NOT NULL
);
CREATE UNIQUE INDEX pool_tokens_lookup ON pool_tokens (lookup);
CREATE INDEX pool_tokens_pool ON pool_tokens (pool, id);

CREATE TABLE pool_agents (
  pool TEXT NOT NULL REFERENCES pools (name) ON DELETE CASCADE,
  name TEXT NOT NULL,
  home TEXT NOT NULL, -- of its folder
  life TEXT NOT NULL, -- of its process
  about TEXT NOT NULL, -- JSON
  drained INTEGER NOT NULL, -- by the server
  leaving INTEGER NOT NULL, -- by itself
  ending TEXT NOT NULL, -- the life that is to end when it has nothing to do; '' for none
  joined BIGINT NOT NULL,
  seen BIGINT NOT NULL,
  PRIMARY KEY (pool, name)
);

-- +goose Down
DROP TABLE pool_agents;
DROP TABLE pool_tokens;
DROP TABLE pools;
