-- +goose Up
CREATE TABLE proposals (
  id TEXT PRIMARY KEY,
  repository TEXT NOT NULL, -- id, so that a renaming changes nothing here
  number BIGINT NOT NULL,
  space TEXT NOT NULL,
  title TEXT NOT NULL,
  body TEXT NOT NULL,
  state TEXT NOT NULL, -- open, closed, merged
  draft INTEGER NOT NULL,
  author TEXT NOT NULL,
  source TEXT NOT NULL,
  target TEXT NOT NULL,
  head TEXT NOT NULL,
  base TEXT NOT NULL,
  target_head TEXT NOT NULL, -- commit of the target that a push told last; another one than base: how it stands is to be worked out anew
  standing TEXT NOT NULL, -- JSON, of head and base
  merge_commit TEXT NOT NULL,
  merged_by TEXT NOT NULL,
  merge_way TEXT NOT NULL,
  auto_way TEXT NOT NULL,
  auto_by TEXT NOT NULL,
  shown TEXT NOT NULL, -- head, and target of the trial merge, that refs/proposals/NUMBER lead to
  created BIGINT NOT NULL,
  updated BIGINT NOT NULL,
  ended BIGINT NOT NULL,
  touches TEXT NOT NULL, -- references of entities, one a line
  there TEXT NOT NULL, -- JSON, what the forge says of one that lives at one; "" of a hosted one
  looks BIGINT NOT NULL DEFAULT 0, -- at the forge, that were written
  version BIGINT NOT NULL,
  UNIQUE (repository, number)
);
CREATE UNIQUE INDEX proposals_open ON proposals (repository, source, target) WHERE state = 'open' AND there = '';
CREATE INDEX proposals_target ON proposals (repository, target, state, id);
CREATE INDEX proposals_state ON proposals (state, id);
CREATE INDEX proposals_author ON proposals (author, id);

CREATE TABLE proposal_numbers (
  repository TEXT PRIMARY KEY,
  last BIGINT NOT NULL
);

CREATE TABLE proposal_comments (
  id TEXT PRIMARY KEY,
  proposal TEXT NOT NULL,
  author TEXT NOT NULL,
  body TEXT NOT NULL,
  path TEXT NOT NULL,
  start_line BIGINT NOT NULL,
  line BIGINT NOT NULL,
  old INTEGER NOT NULL,
  commit_id TEXT NOT NULL,
  quote TEXT NOT NULL,
  now_commit TEXT NOT NULL, -- that the next two are of
  now_start BIGINT NOT NULL,
  now_line BIGINT NOT NULL,
  reply_to TEXT NOT NULL,
  review TEXT NOT NULL,
  resolved TEXT NOT NULL,
  applied TEXT NOT NULL, -- commit that did what it suggests
  login TEXT NOT NULL, -- of the author at a forge
  there TEXT NOT NULL, -- the forge's id; "" for none
  posted INTEGER NOT NULL, -- it was said here and stands there
  created BIGINT NOT NULL,
  updated BIGINT NOT NULL
);
CREATE INDEX proposal_comments_proposal ON proposal_comments (proposal, id);
CREATE UNIQUE INDEX proposal_comments_there ON proposal_comments (proposal, there) WHERE there <> '';

CREATE TABLE proposal_reviews (
  id TEXT PRIMARY KEY,
  proposal TEXT NOT NULL,
  author TEXT NOT NULL,
  verdict TEXT NOT NULL,
  body TEXT NOT NULL,
  head TEXT NOT NULL,
  login TEXT NOT NULL, -- of the author at a forge
  there TEXT NOT NULL, -- the forge's id; "" for none
  posted INTEGER NOT NULL, -- it was given here and stands there
  created BIGINT NOT NULL
);
CREATE INDEX proposal_reviews_proposal ON proposal_reviews (proposal, id);
CREATE UNIQUE INDEX proposal_reviews_there ON proposal_reviews (proposal, there) WHERE there <> '';

CREATE TABLE proposal_assignees (
  proposal TEXT NOT NULL,
  person TEXT NOT NULL,
  PRIMARY KEY (proposal, person)
);
CREATE INDEX proposal_assignees_person ON proposal_assignees (person, proposal);

CREATE TABLE proposal_asked (
  proposal TEXT NOT NULL,
  owner TEXT NOT NULL, -- whose approval of files of theirs is missing
  PRIMARY KEY (proposal, owner)
);
CREATE INDEX proposal_asked_owner ON proposal_asked (owner, proposal);

CREATE TABLE proposal_commands (
  comment TEXT NOT NULL,
  ordinal BIGINT NOT NULL, -- in the comment
  proposal TEXT NOT NULL,
  name TEXT NOT NULL,
  arguments TEXT NOT NULL,
  author TEXT NOT NULL,
  scopes TEXT NOT NULL, -- JSON: what the author's token was held to
  there TEXT NOT NULL, -- the forge's id of the comment; "" of one that was said here
  state TEXT NOT NULL, -- waiting, done, refused, passed
  answer TEXT NOT NULL,
  created BIGINT NOT NULL,
  PRIMARY KEY (comment, ordinal)
);
CREATE INDEX proposal_commands_proposal ON proposal_commands (proposal);
CREATE UNIQUE INDEX proposal_commands_there ON proposal_commands (proposal, there, ordinal) WHERE there <> '';

CREATE TABLE proposal_checks (
  repository TEXT NOT NULL, -- id
  commit_id TEXT NOT NULL,
  name TEXT NOT NULL,
  state TEXT NOT NULL,
  description TEXT NOT NULL,
  url TEXT NOT NULL,
  run TEXT NOT NULL,
  updated BIGINT NOT NULL,
  PRIMARY KEY (repository, commit_id, name)
);

CREATE TABLE branch_rules (
  ref TEXT PRIMARY KEY,
  space TEXT NOT NULL,
  spec TEXT NOT NULL
);
CREATE INDEX branch_rules_space ON branch_rules (space);

-- What products say of a proposal, each under a topic of its own, in the platform's one comment.
CREATE TABLE proposal_speeches (
  proposal TEXT NOT NULL,
  topic TEXT NOT NULL,
  speech TEXT NOT NULL, -- JSON
  PRIMARY KEY (proposal, topic)
);

-- That comment.
CREATE TABLE proposal_voices (
  proposal TEXT PRIMARY KEY,
  comment TEXT NOT NULL, -- id here, of a hosted proposal; the forge's id of another; "" for none yet
  said TEXT NOT NULL     -- SHA-256 of its text as it is known to stand
);

-- Accounts of a forge that commanded and are nobody's here, who were told so.
CREATE TABLE proposal_strangers (
  proposal TEXT NOT NULL,
  login TEXT NOT NULL,
  PRIMARY KEY (proposal, login)
);

-- +goose Down
DROP TABLE proposal_strangers;
DROP TABLE proposal_voices;
DROP TABLE proposal_speeches;
DROP TABLE branch_rules;
DROP TABLE proposal_checks;
DROP TABLE proposal_commands;
DROP TABLE proposal_asked;
DROP TABLE proposal_assignees;
DROP TABLE proposal_reviews;
DROP TABLE proposal_comments;
DROP TABLE proposal_numbers;
DROP TABLE proposals;
