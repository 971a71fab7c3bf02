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

CREATE TABLE stack_contexts (
  ref TEXT PRIMARY KEY,
  space TEXT NOT NULL,
  head TEXT NOT NULL,    -- JSON: what of the spec decides which stacks have it
  spec TEXT NOT NULL,
  edit BIGINT NOT NULL,  -- how often what the document says was changed
  editors TEXT NOT NULL, -- as of stacks
  deleted INTEGER NOT NULL,
  updated BIGINT NOT NULL
);
CREATE INDEX stack_contexts_space ON stack_contexts (space, ref);

CREATE TABLE stack_applied_contexts ( -- those of the newest run that finished
  stack TEXT NOT NULL,
  context TEXT NOT NULL,
  edit BIGINT NOT NULL,
  PRIMARY KEY (stack, context)
);

-- +goose Down
DROP TABLE stack_applied_contexts;
DROP TABLE stack_contexts;
DROP TABLE stack_locks;
DROP TABLE stack_states;
DROP TABLE stacks;
