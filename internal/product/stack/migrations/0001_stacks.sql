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
  created BIGINT NOT NULL,      -- when its document was made, in microseconds
  updated BIGINT NOT NULL,
  applied TEXT NOT NULL,        -- commit of the newest run that finished
  edit BIGINT NOT NULL,         -- how often what the document says was changed
  applied_edit BIGINT NOT NULL, -- the newest edit of which that run knew
  editors TEXT NOT NULL,        -- JSON: who changed the document, with the number of the newest edit of each
  scheduled BIGINT NOT NULL,    -- up to which its schedules were looked at, in microseconds
  drift TEXT NOT NULL,          -- JSON: what the newest look found; '' before the first
  drift_checked BIGINT NOT NULL, -- when that was, in microseconds
  push_lock TEXT NOT NULL DEFAULT '', -- key by which push policies hold the stack; '' for none
  drifted INTEGER NOT NULL DEFAULT 0, -- what the newest look says of drift
  last_run TEXT NOT NULL DEFAULT '',  -- the newest that is no preview and no task, for lists that are narrowed
  last_state TEXT NOT NULL DEFAULT '',
  queued INTEGER NOT NULL DEFAULT 0,  -- runs that wait for the stack, or for a worker
  left_out TEXT NOT NULL DEFAULT '',  -- why what a schedule would begin was left out when one was due last
  overdue TEXT NOT NULL DEFAULT '',   -- JSON: schedules that could not begin their runs, and when each is tried again; '' for none
  owner TEXT NOT NULL DEFAULT '',     -- as a reference; as it is written where that is none
  pool TEXT NOT NULL DEFAULT ''       -- the worker pool that it names
);
CREATE INDEX stacks_pool ON stacks (pool, ref);
CREATE INDEX stacks_repository ON stacks (repository, branch);
CREATE INDEX stacks_space ON stacks (space, ref);
CREATE INDEX stacks_owner ON stacks (owner, ref);

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
  settled INTEGER NOT NULL, -- 1 for what others may build on
  inner_serial BIGINT NOT NULL -- in the state; serial is lower where a client declared it so
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
  created BIGINT NOT NULL DEFAULT 0, -- when the document said so first, in microseconds
  PRIMARY KEY (stack, upstream)
);
CREATE INDEX stack_dependencies_upstream ON stack_dependencies (upstream);

CREATE TABLE stack_waits (
  run TEXT NOT NULL,
  upstream TEXT NOT NULL, -- a run that must finish first
  PRIMARY KEY (run, upstream)
);
CREATE INDEX stack_waits_upstream ON stack_waits (upstream);

CREATE TABLE stack_inits ( -- what the last init of an engine has left, for the next run
  stack TEXT PRIMARY KEY,
  space TEXT NOT NULL,
  engine TEXT NOT NULL,  -- as it calls itself
  backend TEXT NOT NULL, -- as it remembers it
  modules TEXT NOT NULL, -- where they are; '' for none
  links TEXT NOT NULL    -- providers that it linked to, by line
);

CREATE TABLE stack_graph (edit BIGINT NOT NULL); -- one row, which is taken by who adds a dependency
INSERT INTO stack_graph (edit) VALUES (0);

-- Runs that trigger policies asked for.
CREATE TABLE stack_triggered (
  run TEXT PRIMARY KEY,
  workflow TEXT NOT NULL, -- the run from which all of them follow
  after TEXT NOT NULL,    -- the run at whose end it was asked for
  stack TEXT NOT NULL
);
CREATE INDEX stack_triggered_workflow ON stack_triggered (workflow, run);

CREATE TABLE stack_contexts (
  ref TEXT PRIMARY KEY,
  space TEXT NOT NULL,
  head TEXT NOT NULL,    -- JSON: what of the spec decides which stacks have it
  spec TEXT NOT NULL,
  edit BIGINT NOT NULL,  -- how often what the document says was changed
  editors TEXT NOT NULL, -- as of stacks
  deleted INTEGER NOT NULL,
  updated BIGINT NOT NULL,
  title TEXT NOT NULL, -- of the document's metadata; the name where it has none
  words TEXT NOT NULL  -- the title in lower case: what a search looks at
);
CREATE INDEX stack_contexts_space ON stack_contexts (space, ref);

CREATE TABLE stack_applied_contexts ( -- those of the newest run that finished
  stack TEXT NOT NULL,
  context TEXT NOT NULL,
  edit BIGINT NOT NULL,
  PRIMARY KEY (stack, context)
);

CREATE TABLE stack_named_contexts ( -- by the documents of stacks
  stack TEXT NOT NULL,
  context TEXT NOT NULL,
  PRIMARY KEY (stack, context)
);
CREATE INDEX stack_named_contexts_context ON stack_named_contexts (context);

-- What the clients of Terraform's remote protocol know of a stack.
CREATE TABLE stack_workspaces (
  stack TEXT PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL, -- the last part of the stack's reference
  tags TEXT NOT NULL, -- JSON, of the document's metadata
  labels TEXT NOT NULL, -- JSON, of the same: those without a prefix
  description TEXT NOT NULL, -- of the same
  created BIGINT NOT NULL
);

-- What those clients say of a variable besides its value, which is in the document.
CREATE TABLE stack_workspace_variables (
  stack TEXT NOT NULL,
  id TEXT NOT NULL,
  category TEXT NOT NULL,
  name TEXT NOT NULL,
  description TEXT NOT NULL,
  hcl INTEGER NOT NULL,
  version TEXT NOT NULL, -- another one after each change
  PRIMARY KEY (stack, id),
  UNIQUE (stack, category, name)
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
  created BIGINT NOT NULL,
  used BIGINT NOT NULL DEFAULT 0, -- when the last run of it was begun
  provisional INTEGER NOT NULL, -- 1 until a run of it has finished
  applied BIGINT NOT NULL DEFAULT 0, -- when the newest run that finished has made the stack what it says, in microseconds
  variables TEXT NOT NULL DEFAULT '' -- that run's own, as its steps had them: digest of the sealed file
);
CREATE INDEX stack_configurations_stack ON stack_configurations (stack, id);
CREATE INDEX stack_configurations_kept ON stack_configurations (kept);
CREATE INDEX stack_configurations_unused ON stack_configurations (created) WHERE used = 0;

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
  drift TEXT NOT NULL DEFAULT '', -- what would mend it: the plan's action as the newest look had it, '' for none
  PRIMARY KEY (stack, key)
);
CREATE INDEX stack_resources_type ON stack_resources (type, stack, key);
CREATE INDEX stack_resources_drift ON stack_resources (stack, key) WHERE drift <> '';

-- Documents of the kind StackSet, and what their newest look came to.
CREATE TABLE stack_sets (
  ref TEXT PRIMARY KEY,
  space TEXT NOT NULL,
  spec TEXT NOT NULL,
  seen TEXT NOT NULL,     -- commit that was looked at last
  adopt TEXT NOT NULL,    -- commit at which stacks that are new count as looked at; '' to plan them
  deleted INTEGER NOT NULL,
  updated BIGINT NOT NULL,
  edit BIGINT NOT NULL,
  brought BIGINT NOT NULL, -- the edit of which the stacks know
  editors TEXT NOT NULL,   -- as of stacks
  report TEXT NOT NULL,    -- JSON; '' before the first look
  generation BIGINT NOT NULL
);

CREATE TABLE stack_set_members (
  stack TEXT PRIMARY KEY,
  stack_set TEXT NOT NULL,
  folder TEXT NOT NULL
);
CREATE INDEX stack_set_members_set ON stack_set_members (stack_set, stack);

-- Folders of stack sets that are out of the ordinary: without a stack, or whose stack is not as the set says.
CREATE TABLE stack_set_folders (
  stack_set TEXT NOT NULL,
  folder TEXT NOT NULL,
  stack TEXT NOT NULL, -- '' for none
  standing TEXT NOT NULL,
  why TEXT NOT NULL,
  PRIMARY KEY (stack_set, folder, stack)
);

-- Documents of the kind PriceList.
CREATE TABLE stack_prices (
  ref TEXT PRIMARY KEY,
  space TEXT NOT NULL,
  spec TEXT NOT NULL
);
CREATE INDEX stack_prices_space ON stack_prices (space, ref);

-- What proposals have of stacks: the run at their newest head.
CREATE TABLE stack_previews (
  repository TEXT NOT NULL, -- NAMESPACE/NAME
  number BIGINT NOT NULL,
  stack TEXT NOT NULL,
  head TEXT NOT NULL,
  run TEXT NOT NULL,    -- '' for none
  why TEXT NOT NULL,    -- there is none
  merged TEXT NOT NULL, -- commit that merged the proposal
  turn BIGINT NOT NULL, -- how often it changed
  PRIMARY KEY (repository, number, stack)
);
CREATE INDEX stack_previews_run ON stack_previews (run);
CREATE INDEX stack_previews_stack ON stack_previews (stack, merged);

-- Entries of the ledger of which notification policies have had all told that they want told.
CREATE TABLE stack_told (
  entry TEXT PRIMARY KEY,
  at BIGINT NOT NULL
);
CREATE INDEX stack_told_at ON stack_told (at);

-- What of a space failed outside of runs in an hour, and was told to notification policies.
CREATE TABLE stack_troubles (
  space TEXT NOT NULL,
  hour BIGINT NOT NULL,
  type TEXT NOT NULL,    -- of the ledger's entry
  subject TEXT NOT NULL,
  why TEXT NOT NULL,     -- the beginning of the reason's digest
  PRIMARY KEY (space, hour, type, subject, why)
);
CREATE INDEX stack_troubles_hour ON stack_troubles (hour);

-- For what runs wait outside, by the names that push policies give.
CREATE TABLE stack_external (
  run TEXT NOT NULL,
  name TEXT NOT NULL,
  space TEXT NOT NULL,     -- of the run
  stack TEXT NOT NULL,
  locks INTEGER NOT NULL,  -- 1 for a run that takes the stack's lock
  queued INTEGER NOT NULL, -- 1 until the run goes on or ends
  PRIMARY KEY (run, name)
);
CREATE INDEX stack_external_name ON stack_external (name, run, space);
CREATE INDEX stack_external_queued ON stack_external (name, run, space) WHERE queued = 1;
CREATE INDEX stack_external_stack ON stack_external (stack, run) WHERE queued = 1 AND locks = 1;

-- What was said of these names, for a week.
CREATE TABLE stack_markings (
  space TEXT NOT NULL, -- for whose runs it holds, with those of spaces below
  name TEXT NOT NULL,
  status TEXT NOT NULL,
  note TEXT NOT NULL,
  actor TEXT NOT NULL,
  marked BIGINT NOT NULL,
  said BIGINT NOT NULL, -- when it was last said, from which on it is kept
  PRIMARY KEY (space, name)
);
CREATE INDEX stack_markings_said ON stack_markings (said);
CREATE INDEX stack_markings_space ON stack_markings (space, said);

-- How many runs pushes and proposals have begun, for a day.
CREATE TABLE stack_pushes (
  repository TEXT NOT NULL, -- NAMESPACE/NAME
  event TEXT NOT NULL,      -- which push, or which head of which proposal
  runs INTEGER NOT NULL,
  began BIGINT NOT NULL,
  PRIMARY KEY (repository, event)
);
CREATE INDEX stack_pushes_began ON stack_pushes (began);

CREATE TABLE stack_marking (edit BIGINT NOT NULL); -- one row, which is taken by who marks, and by who begins to wait
INSERT INTO stack_marking (edit) VALUES (0);

-- +goose Down
DROP TABLE stack_inits;
DROP TABLE stack_marking;
DROP TABLE stack_pushes;
DROP TABLE stack_markings;
DROP TABLE stack_external;
DROP TABLE stack_troubles;
DROP TABLE stack_told;
DROP TABLE stack_previews;
DROP TABLE stack_prices;
DROP TABLE stack_set_folders;
DROP TABLE stack_set_members;
DROP TABLE stack_sets;
DROP TABLE stack_resources;
DROP TABLE stack_graph;
DROP TABLE stack_waits;
DROP TABLE stack_dependencies;
DROP TABLE stack_triggered;
DROP TABLE stack_named_contexts;
DROP TABLE stack_applied_contexts;
DROP TABLE stack_contexts;
DROP TABLE stack_pending_states;
DROP TABLE stack_configurations;
DROP TABLE stack_workspace_variables;
DROP TABLE stack_workspaces;
DROP TABLE stack_locks;
DROP TABLE stack_states;
DROP TABLE stacks;
