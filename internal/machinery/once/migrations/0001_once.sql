-- +goose Up
CREATE TABLE once_answers (
  id      TEXT PRIMARY KEY,               -- hash of the caller, the request and its key
  request TEXT NOT NULL,                  -- hash of the request's body, keyed with its key
  life    TEXT NOT NULL,                  -- of the server that answers, while it does
  begun   BIGINT NOT NULL,                -- microseconds
  effect  INTEGER NOT NULL DEFAULT 0,     -- something came of it
  status  INTEGER NOT NULL DEFAULT 0,     -- 0 while it is being answered
  header  TEXT NOT NULL DEFAULT '{}',
  body    BLOB,
  secret  INTEGER NOT NULL DEFAULT 0  -- the body was not kept
);
CREATE INDEX once_answers_begun ON once_answers (begun);

-- +goose Down
DROP TABLE once_answers;
