-- +goose Up
CREATE TABLE ledger_entries (
	position INTEGER PRIMARY KEY,
	id TEXT NOT NULL UNIQUE,
	time BIGINT NOT NULL,
	actor TEXT NOT NULL,
	space TEXT NOT NULL,
	type TEXT NOT NULL,
	subject TEXT NOT NULL,
	refs TEXT NOT NULL,
	run TEXT NOT NULL,
	cause TEXT NOT NULL,
	data TEXT NOT NULL,
	previous BLOB,
	hash BLOB NOT NULL
);
CREATE INDEX ledger_entries_run ON ledger_entries (run, position) WHERE run <> '';
CREATE INDEX ledger_entries_actor ON ledger_entries (actor, position) WHERE actor <> 'system';

-- The subject and the refs of each entry, for the history of an entity.
CREATE TABLE ledger_refs (
	ref TEXT NOT NULL,
	position BIGINT NOT NULL,
	PRIMARY KEY (ref, position)
) WITHOUT ROWID;

-- What has been appended and is not sealed yet (PostgreSQL).
CREATE TABLE ledger_pending (
	number INTEGER PRIMARY KEY,
	entry TEXT NOT NULL
);

-- The last sealed entry; its row is the lock of whoever seals.
CREATE TABLE ledger_head (
	one INTEGER NOT NULL UNIQUE CHECK (one = 1),
	position BIGINT NOT NULL,
	hash BLOB
);
INSERT INTO ledger_head (one, position) VALUES (1, 0);

CREATE TABLE ledger_cursors (
	name TEXT NOT NULL PRIMARY KEY,
	position BIGINT NOT NULL,
	updated BIGINT NOT NULL
);
