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
  editors TEXT NOT NULL,        -- JSON: who changed the document, with the number of the newest edit of each
  scheduled BIGINT NOT NULL,    -- up to which its schedules were looked at, in microseconds
  drift TEXT NOT NULL,          -- JSON: what the newest look found; '' before the first
  drift_checked BIGINT NOT NULL -- when that was, in microseconds
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

CREATE TABLE stack_dependencies (
  stack TEXT NOT NULL,
  upstream TEXT NOT NULL, -- on which it depends
  used TEXT NOT NULL,     -- version of its state that the newest run that finished was given
  PRIMARY KEY (stack, upstream)
);
CREATE INDEX stack_dependencies_upstream ON stack_dependencies (upstream);

CREATE TABLE stack_waits (
  run TEXT NOT NULL,
  upstream TEXT NOT NULL, -- a run that must finish first
  PRIMARY KEY (run, upstream)
);
CREATE INDEX stack_waits_upstream ON stack_waits (upstream);

CREATE TABLE stack_graph (edit BIGINT NOT NULL); -- one row, which is taken by who adds a dependency
INSERT INTO stack_graph (edit) VALUES (0);

-- What is under management, of the newest state of each stack.
CREATE TABLE stack_resources (
  stack TEXT NOT NULL,
  key TEXT NOT NULL,         -- the address; of a long one its beginning with a hash
  address TEXT NOT NULL,
  type TEXT NOT NULL,
  name TEXT NOT NULL,
  provider TEXT NOT NULL,
  module TEXT NOT NULL,
  identity TEXT NOT NULL,    -- the value by which people know it, such as an ARN; none that is sensitive
  words TEXT NOT NULL,       -- in lower case: what a search looks at
  first_seen BIGINT NOT NULL,
  changed BIGINT NOT NULL,
  run TEXT NOT NULL,         -- that changed it last; '' when a person did
  actor TEXT NOT NULL,
  PRIMARY KEY (stack, key)
);
CREATE INDEX stack_resources_type ON stack_resources (type, stack, key);

-- +goose Down
DROP TABLE stack_resources;
DROP TABLE stack_graph;
DROP TABLE stack_waits;
DROP TABLE stack_dependencies;
DROP TABLE stack_locks;
DROP TABLE stack_states;
DROP TABLE stacks;
