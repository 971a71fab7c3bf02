-- +goose Up
CREATE TABLE stacks (
  ref TEXT PRIMARY KEY,
  space TEXT NOT NULL,
  repository TEXT NOT NULL,
  branch TEXT NOT NULL,
  path TEXT NOT NULL,
  spec TEXT NOT NULL,
  seen TEXT NOT NULL,
  message TEXT NOT NULL,
  deleted INTEGER NOT NULL,
  updated BIGINT NOT NULL,
  applied TEXT NOT NULL,        -- commit of the newest run that finished
  edit BIGINT NOT NULL,         -- how often what the document says was changed
  applied_edit BIGINT NOT NULL, -- the newest edit of which that run knew
  editors TEXT NOT NULL         -- JSON: who changed the document, with the number of the newest edit of each
);
CREATE INDEX stacks_repository ON stacks (repository, branch);

CREATE TABLE stack_states (
  id TEXT PRIMARY KEY,
  stack TEXT NOT NULL,
  serial BIGINT NOT NULL,
  lineage TEXT NOT NULL,
  digest TEXT NOT NULL,
  size BIGINT NOT NULL,
  run TEXT NOT NULL,
  actor TEXT NOT NULL,
  outputs TEXT NOT NULL,
  resources INTEGER NOT NULL,
  created BIGINT NOT NULL,
  settled INTEGER NOT NULL -- 1 for what others may build on
);
CREATE INDEX stack_states_stack ON stack_states (stack, id);

CREATE TABLE stack_locks (
  stack TEXT PRIMARY KEY,
  lock_id TEXT NOT NULL,
  info TEXT NOT NULL,
  run TEXT NOT NULL,
  actor TEXT NOT NULL,
  created BIGINT NOT NULL
);
CREATE INDEX stack_locks_run ON stack_locks (run);

-- What the clients of Terraform's remote protocol know of a stack.
CREATE TABLE stack_workspaces (
  stack TEXT PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  tags TEXT NOT NULL, -- JSON, of the document's metadata
  created BIGINT NOT NULL
);

-- Folders that were uploaded to be planned or applied.
CREATE TABLE stack_configurations (
  id TEXT PRIMARY KEY,
  stack TEXT NOT NULL,
  status TEXT NOT NULL,
  error TEXT NOT NULL,
  speculative INTEGER NOT NULL,
  digest TEXT NOT NULL, -- of the archive as it was sent
  kept TEXT NOT NULL,   -- digest of the same, sealed, in the blobs
  size BIGINT NOT NULL,
  entries INTEGER NOT NULL,
  actor TEXT NOT NULL,
  created BIGINT NOT NULL
);
CREATE INDEX stack_configurations_stack ON stack_configurations (stack, id);

-- States that were announced, whose content comes after.
CREATE TABLE stack_pending_states (
  id TEXT PRIMARY KEY,
  stack TEXT NOT NULL,
  serial BIGINT NOT NULL,
  md5 TEXT NOT NULL,   -- in hex
  actor TEXT NOT NULL,
  state TEXT NOT NULL, -- the version that it became; '' before
  created BIGINT NOT NULL
);

-- +goose Down
DROP TABLE stack_pending_states;
DROP TABLE stack_configurations;
DROP TABLE stack_workspaces;
DROP TABLE stack_locks;
DROP TABLE stack_states;
DROP TABLE stacks;
